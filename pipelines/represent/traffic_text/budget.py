"""A text within a budget of tokens: what goes is chosen by its worth, never by where it stands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.represent.traffic_text.row_text import RowText, Unit
from pipelines.represent.traffic_text.symbols import CUT


@dataclass(frozen=True)
class Budget:
    """The most ``tokens`` that a text may cost; ``count`` says what each of some texts costs."""

    tokens: int
    count: Callable[[Sequence[str]], list[int]]


def within(rows: Sequence[RowText], budget: Budget) -> list[str]:
    """The texts of rows, each of at most ``budget.tokens`` tokens.

    Of a row that is too long the units of least worth go, the last of equals first; payload
    and values that lost a part end in the sign for that. A budget too small for the first unit
    leaves nothing.
    """
    texts = [str(row) for row in rows]
    return [
        text if cost <= budget.tokens else _shortened(row.units(), budget)
        for row, text, cost in zip(rows, texts, budget.count(texts), strict=True)
    ]


def _shortened(units: list[Unit], budget: Budget) -> str:
    by_worth = sorted(range(len(units)), key=lambda place: (units[place].rank, place))
    costs = budget.count([unit.text for unit in units])
    total, kept = 0, 0
    for place in by_worth:
        total += costs[place]
        if total > budget.tokens:
            break
        kept += 1
    # Blanks, signs of cuts and merges across units make the whole cost more or less than its
    # parts: the count of the whole decides.
    while kept:
        text = _joined(units, set(by_worth[:kept]))
        over = budget.count([text])[0] - budget.tokens
        if over <= 0:
            return text
        kept -= 1
    return ""


def _joined(units: list[Unit], kept: set[int]) -> str:
    """The kept units as one text; what is there without all of its pieces says so."""
    words: dict[int, str] = {}
    packets: dict[int, str] = {}
    for place, unit in enumerate(units):
        groups = words if unit.is_word else packets
        if place in kept:
            groups[unit.group] = groups.get(unit.group, "") + unit.text
        elif unit.group in groups and not groups[unit.group].endswith(CUT):
            groups[unit.group] += CUT
    return " ".join(words.values()) + "".join(packets.values())
