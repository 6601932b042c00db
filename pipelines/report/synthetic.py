"""Whether synthetic rows help and which were made, as parts of a page."""

from itertools import groupby

from pipelines.augment.findings import Exploration, ModelFindings
from pipelines.augment.made_rows import MadeRows
from pipelines.augment.names import REAL
from pipelines.augment.trial import refusals
from pipelines.report.data import ReportData
from pipelines.report.exploration import arms
from pipelines.report.html import Cell, Figure, Markup, bullets, element, join, picture, table

LEVELS = {"use": "good", "none": "open", "undecided": "warning"}


def rows(report: ReportData) -> Markup:
    """The study of synthetic rows, if there was one, and those that were made, if some were."""
    parts = []
    if found := report.explored:
        how = f"Compared before any row was made: {found.how}. The test side was not read."
        parts += [element("p", how), study(found)]
    if report.made:
        parts.append(_made(report.made))
    return join(parts)


def study(found: Exploration) -> Markup:
    """Of each model the verdict, the picture and the gains; then what the gate says of the rows."""
    words = [
        f"{name.replace('_', ' ')}: {arm.gate} {refusals(arm.refused)}".strip()
        for name, arm in found.arms.items()
    ]
    return join(
        [
            *(_model(name, model, found) for name, model in found.models.items()),
            element("h3", "What the quality gate says of the rows"),
            bullets(words),
        ]
    )


def _model(name: str, model: ModelFindings, found: Exploration) -> Markup:
    verdict = model.verdict
    alone = model.alone
    box = element(
        "div", element("p", verdict.words, kind="line"), kind=f"headline {LEVELS[verdict.kind]}"
    )
    spread = (
        f"With the real rows alone: {alone.mean:.3f} on average, give or take {alone.std:.3f}; "
        f"the worst draw {alone.min:.3f}, the best {alone.max:.3f}."
    )
    caption = f"{name}: mean {found.metric_name} against rows added"
    drawn = arms(model, found.real_rows, found.metric_name)
    return join(
        [
            element("h3", name.replace("_", " ")),
            box,
            element("p", spread),
            element("p", model.on_absent) if model.on_absent else Markup(),
            picture(drawn, f"{caption}. {verdict.words}", caption),
            _gains(model),
        ]
    )


def _gains(model: ModelFindings) -> Markup:
    """Gains in points by arm and amount, the worst draw and, beside more real rows, the worth."""
    lines: list[list[Cell]] = []
    amounts = sorted({outcome.amount for outcome in model.outcomes})
    rated = any(outcome.arm == REAL for outcome in model.outcomes)
    for name, group in groupby(model.outcomes, key=lambda outcome: outcome.name):
        gains = [*group]
        last = gains[-1]
        worth = [Figure(last.worth)] if rated else []
        cells = [Figure(gain.gained) for gain in gains]
        absent = [Figure(last.absent.gained)] if last.absent else []
        lines.append([name, *cells, last.score.mean, last.score.min, *absent, *worth])
    most = f"at {amounts[-1]:g}:1"
    heads = [*(f"{amount:g}:1" for amount in amounts), f"score {most}", "worst draw"]
    heads += [f"absent families {most}"] if model.absent else []
    heads += ["a row is worth"] if rated else []
    return table(["rows from", *heads], lines)


def _made(made: MadeRows) -> Markup:
    asked = f"{made.amount:g} to each real one were asked for."
    return join(
        [
            element("h3", "The rows that models learned from"),
            element("p", f"{made.words} {asked}"),
            bullets([*made.notes, f"The quality gate: {made.gate}"]),
        ]
    )
