"""Tables for the terminal: plain, aligned, and never wider than it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from agents.terminal.sanitize import safe_text

# Blanks between columns, and what is left at least of the column that gives way.
GAP = 2
LEAST = 12

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
    elastic: int = 0,
) -> None:
    """Print rows under heads, ``marked`` ones bold.

    Where room is short spare columns go, the last first; then column ``elastic`` is shortened.
    """
    cells = [[as_text(value) for value in row] for row in rows]
    widths = [
        max(len(c.head), *(row[i].cell_len for row in cells), 1) for i, c in enumerate(columns)
    ]
    kept = _fitting(columns, widths, elastic, console.width)
    others = sum(widths[i] + GAP for i in kept if i != elastic)
    widths[elastic] = min(widths[elastic], max(console.width - others, 1))
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    for i in kept:
        justify: JustifyMethod = "right" if columns[i].number else "left"
        head = Text(columns[i].head)
        table.add_column(head, justify=justify, width=widths[i], no_wrap=True, overflow="ellipsis")
    for position, row in enumerate(cells):
        table.add_row(*(row[i] for i in kept), style="bold" if position in marked else "")
    console.print(table)


def _fitting(
    columns: Sequence[Column], widths: Sequence[int], elastic: int, room: int
) -> list[int]:
    """Positions of the columns that fit into ``room``, or of all that are not spare."""
    kept = list(range(len(columns)))
    least = [min(width, LEAST) if i == elastic else width for i, width in enumerate(widths)]
    while sum(least[i] + GAP for i in kept) - GAP > room:
        spare = [i for i in kept if columns[i].spare]
        if not spare:
            break
        kept.remove(max(spare, key=lambda i: (i != elastic, i)))
    return kept


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
    text = safe_text(words, style, limit=4000)
    for line in text.wrap(console, max(console.width - indent, 1)):
        line.rstrip()
        console.print(Text(" " * indent) + line)


def say_exact(console: Console, words: str) -> None:
    """A path or a command, never broken by us, so that it can be copied."""
    console.print(safe_text(words, limit=4000), soft_wrap=True)
