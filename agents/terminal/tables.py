"""Tables for the terminal: plain, aligned, and never wider than it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agents.terminal.sanitize import safe_text

# Below this width tables leave out the columns that one can do without.
NARROW = 60

Cell = Text | str | int | float | None


@dataclass(frozen=True)
class Column:
    """A column: its head; whether it holds numbers; whether a narrow terminal goes without it."""

    head: str
    number: bool = False
    spare: bool = False


def print_table(
    console: Console,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Cell]],
    marked: frozenset[int] = frozenset(),
) -> None:
    """Print rows under heads; the first column gives way where room is short. ``marked``: bold."""
    kept = [i for i, column in enumerate(columns) if not column.spare or console.width >= NARROW]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for i in kept:
        column = columns[i]
        table.add_column(
            Text(column.head),
            justify="right" if column.number else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if i == 0 else len(column.head),
        )
    for position, row in enumerate(rows):
        style = "bold" if position in marked else ""
        table.add_row(*(as_text(row[i]) for i in kept), style=style)
    console.print(table)


def as_text(value: Cell) -> Text:
    """A value as rich shows it: thousands separated, three decimals, a dash for None."""
    if isinstance(value, Text):
        return value
    if value is None:
        return Text("-")
    if isinstance(value, int):
        return Text(f"{value:,}")
    if isinstance(value, float):
        return Text(f"{value:.3f}")
    return safe_text(value, limit=80)


def title(console: Console, words: str) -> None:
    """A heading with an empty line above it."""
    console.print()
    console.print(safe_text(words, "bold"))


def say(console: Console, words: str, style: str = "", indent: int = 0) -> None:
    """A sentence of foreign or own words, wrapped to the terminal."""
    console.print(Padding(safe_text(words, style, limit=4000), (0, 0, 0, indent)))


def say_exact(console: Console, words: str) -> None:
    """A path or a command, never broken by us, so that it can be copied."""
    console.print(safe_text(words, limit=4000), soft_wrap=True)
