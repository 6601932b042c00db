"""What a study of synthetic rows found, for a terminal."""

from itertools import groupby

from rich.console import Console

from agents.terminal.tables import Cell, Column, print_table, say, title
from pipelines.augment.explore import Exploration, ModelFindings
from pipelines.augment.names import REAL


def render_exploration(found: Exploration, console: Console) -> None:
    """For each model: gains by arm and amount, what a row of each arm is worth, and the verdict."""
    what = "accuracy" if found.metric == "accuracy" else "macro-F1"
    for name, model in found.models.items():
        title(console, f"{name}: {what} with {found.real_rows} real rows {model.alone.mean:.3f}")
        print_table(console, _columns(model), _rows(model))
        kind = model.verdict.kind
        say(console, model.verdict.words, {"use": "green", "undecided": "yellow"}.get(kind, ""))
    say(
        console,
        f"Points of {what} gained over the real rows alone: the mean of {found.draws} draws, with "
        f"an interval that holds for all arms at once; {found.test_rows:,} validation rows.",
        "dim",
    )


def _columns(model: ModelFindings) -> list[Column]:
    amounts = sorted({outcome.amount for outcome in model.outcomes})
    heads = [Column(f"{amount:g}:1", number=True) for amount in amounts]
    return [Column("rows from"), *heads, Column("a row is worth", number=True)]


def _rows(model: ModelFindings) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for name, found in groupby(model.outcomes, key=lambda outcome: outcome.name):
        gains = [*found]
        arm, rate = gains[0].arm, gains[0].rate
        worth = "1" if arm == REAL else "-" if rate is None else f"{rate.rate:.2f}"
        cells = [f"{100 * o.gain:+.1f} [{100 * o.ci[0]:+.1f}, {100 * o.ci[1]:+.1f}]" for o in gains]
        rows.append([name, *cells, worth])
    return rows
