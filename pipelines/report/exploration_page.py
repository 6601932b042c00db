"""The page of one or several studies of synthetic rows: verdicts, tables, pictures."""

from collections.abc import Sequence
from itertools import groupby

from pydantic import BaseModel

from pipelines.augment.explore import Exploration, ModelFindings
from pipelines.augment.trial import refusals
from pipelines.report.exploration import arms
from pipelines.report.html import (
    Cell,
    Figure,
    Markup,
    bullets,
    element,
    join,
    picture,
    section,
    table,
)
from pipelines.report.page import document

LEVELS = {"use": "good", "none": "open", "undecided": "warning"}


class StudyOnPage(BaseModel):
    """A study as a page shows it. ``asked``: requests to a language model, and their tokens."""

    run: str
    goal: str
    source: str
    found: Exploration
    asked: int = 0
    tokens: int = 0


def render_studies(studies: Sequence[StudyOnPage]) -> str:
    """The page as HTML; the same studies give the same text."""
    title = studies[0].goal if len(studies) == 1 else f"{len(studies)} studies of synthetic rows"
    header = join([element("p", "netloop: do synthetic rows help?"), element("h1", title)])
    parts = [_study(place, study) for place, study in enumerate(studies)]
    return document(f"{title} · netloop", header, *parts)


def _study(place: int, study: StudyOnPage) -> Markup:
    found = study.found
    absent = f", {found.absent_rows:,} of them of absent families" if found.absent_rows else ""
    about = (
        f"{study.source}, run {study.run}: {found.draws} draws of {found.real_rows} real rows, "
        f"judged by {found.test_rows:,} rows of their own{absent}; {_metric(found)}."
    )
    if found.within:
        about = (
            f"Run {study.run}: cross-validation within {found.real_rows} rows; {_metric(found)}."
        )
    words = [
        f"{name.replace('_', ' ')}: {arm.gate} {refusals(arm.refused)}".strip()
        for name, arm in found.arms.items()
    ]
    cost = f"A language model was asked {study.asked:,} times: {study.tokens:,} tokens."
    return section(
        f"study-{place}",
        study.goal,
        element("p", about),
        *(part for name, model in found.models.items() for part in _model(name, model, found)),
        element("h3", "What the quality gate says of the rows"),
        bullets(words),
        element("p", cost) if study.asked else Markup(),
    )


def _model(name: str, model: ModelFindings, found: Exploration) -> list[Markup]:
    verdict = model.verdict
    alone = model.alone
    box = element(
        "div", element("p", verdict.words, kind="line"), kind=f"headline {LEVELS[verdict.kind]}"
    )
    spread = (
        f"With the real rows alone: {alone.mean:.3f} on average, give or take {alone.std:.3f}; "
        f"the worst draw {alone.min:.3f}, the best {alone.max:.3f}."
    )
    caption = f"{name}: mean {_metric(found)} against rows added"
    return [
        element("h3", name.replace("_", " ")),
        box,
        element("p", spread),
        element("p", model.on_absent) if model.on_absent else Markup(),
        picture(arms(model, found.real_rows, found.metric), f"{caption}. {verdict.words}", caption),
        _gains(model),
    ]


def _gains(model: ModelFindings) -> Markup:
    """Gains in points by arm and amount, the worst draw and what a row is worth."""
    rows: list[list[Cell]] = []
    amounts = sorted({outcome.amount for outcome in model.outcomes})
    for name, group in groupby(model.outcomes, key=lambda outcome: outcome.name):
        gains = [*group]
        cells = [Figure(outcome.gained) for outcome in gains]
        last = gains[-1]
        absent = [Figure(last.absent.gained)] if last.absent else []
        rows.append([name, *cells, last.score.mean, last.score.min, *absent, Figure(last.worth)])
    most = f"at {amounts[-1]:g}:1"
    heads = [*(f"{amount:g}:1" for amount in amounts), f"score {most}", "worst draw"]
    if model.absent:
        heads.append(f"absent families {most}")
    return table(["rows from", *heads, "a row is worth"], rows)


def _metric(found: Exploration) -> str:
    return "accuracy" if found.metric == "accuracy" else "macro-F1"
