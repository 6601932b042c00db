"""What a study of synthetic rows found, for a terminal."""

from itertools import groupby

from rich.console import Console

from agents.terminal.tables import Cell, Column, print_table, say, title
from pipelines.augment.findings import Exploration, ModelFindings
from pipelines.augment.names import REAL
from pipelines.augment.trial import refusals
from pipelines.augment.verdict import Outcome

# Columns of a terminal: of a gain with its interval, and of all else in a table.
INTERVAL, OTHERS = 22, 36


def render_exploration(found: Exploration, console: Console) -> None:
    """For each model: gains by arm and amount, what a row of each arm is worth, and the verdict.

    Then what the quality gate says of each arm's rows. Where a terminal is too narrow for
    intervals, a star marks the gains whose interval lies above 0.
    """
    amounts = {outcome.amount for model in found.models.values() for outcome in model.outcomes}
    short = OTHERS + len(amounts) * INTERVAL > console.width
    what = found.metric_name
    for name, model in found.models.items():
        title(console, f"{name}: {what} with {found.real_rows} real rows {model.alone.mean:.3f}")
        print_table(console, _columns(model), _rows(model, short))
        kind = model.verdict.kind
        say(console, model.verdict.words, {"use": "green", "undecided": "yellow"}.get(kind, ""))
        if model.on_absent:
            say(console, model.on_absent)
    for name, arm in found.arms.items():
        lost = f" {refusals(arm.refused)}" if arm.refused else ""
        say(console, f"{name.replace('_', ' ')}: {arm.gate}{lost}")
    interval = "* above 0 by an" if short else "with an"
    drawn, judges = "draws", "validation rows"
    if found.within:
        drawn, judges = "folds", "labelled rows that judged in turn"
    judges += found.of_absent
    say(
        console,
        f"Points of {what} gained over the real rows alone: the mean of {found.draws} {drawn}, "
        f"{interval} interval that holds for all arms at once; {found.test_rows:,} {judges}.",
        "dim",
    )


def _columns(model: ModelFindings) -> list[Column]:
    amounts = sorted({outcome.amount for outcome in model.outcomes})
    heads = [Column(f"{amount:g}:1", number=True) for amount in amounts]
    worth = [] if _unrated(model) else [Column("a row is worth", number=True)]
    return [Column("rows from"), *heads, *worth]


def _unrated(model: ModelFindings) -> bool:
    """Whether there were no more real rows to compare made ones with."""
    return not any(outcome.arm == REAL for outcome in model.outcomes)


def _rows(model: ModelFindings, short: bool) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for name, found in groupby(model.outcomes, key=lambda outcome: outcome.name):
        gains = [*found]
        cells = [_short(gain) if short else gain.gained for gain in gains]
        rows.append([name, *cells] if _unrated(model) else [name, *cells, gains[0].worth])
    return rows


def _short(found: Outcome) -> str:
    return f"{100 * found.gain:+.1f}{'*' if found.ci[0] > 0 else ' '}"
