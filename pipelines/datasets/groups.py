"""Split groups: which rows belong together, in which order, and which of them a share takes."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.datasets.group_names import NESTED, Group, first_times, group_names
from pipelines.datasets.keys import Codes, text_codes

NAMED = 8
REAL_CLOCK_NS = 315_532_800_000_000_000  # 1980: no capture is older


@dataclass(frozen=True)
class Grouping:
    """The split groups of some rows.

    ``names``: the groups, sorted. ``of_row``: the group of every row, shape (rows,). ``members``:
    for every class the groups that hold a row of it, ascending.
    """

    column: Group
    names: list[str]
    of_row: Codes
    classes: list[str]
    members: list[Codes]


def group_rows(rows: pa.Table, column: Group) -> Grouping:
    """Find the groups of ``rows`` and the classes in each. Raises InputError as ``group_names``."""
    names, of_row = group_names(rows, column)
    classes, labels = text_codes(rows, "label")
    return Grouping(column, names, of_row, classes, _members(labels, of_row, len(classes)))


def linked_groups(rows: pa.Table, grouping: Grouping) -> Grouping:
    """The groups with those joined that share a flow, so that no flow need be cut.

    The hosts of one flow may take turns as its initiator. A joined group has the name of its first.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if "flow" not in NESTED[grouping.column][1:]:
        return grouping
    flows = group_names(rows, "flow")[1] + len(grouping.names)
    size = int(flows.max(initial=len(grouping.names) - 1)) + 1
    links = coo_array((np.ones(len(flows), bool), (grouping.of_row, flows)), shape=(size, size))
    part = connected_components(links, directed=False)[1][: len(grouping.names)]
    _, first, joined = np.unique(part, return_index=True, return_inverse=True)
    rank = ranks(np.argsort(first))  # joined groups in the order of their first names
    of_row = rank[joined][grouping.of_row]
    _, labels = text_codes(rows, "label")
    return replace(
        grouping,
        names=[grouping.names[place] for place in np.sort(first)],
        of_row=of_row,
        members=_members(labels, of_row, len(grouping.classes)),
    )


def _members(labels: Codes, of_row: Codes, classes: int) -> list[Codes]:
    width = int(of_row.max(initial=0)) + 1
    pairs = np.unique(labels * width + of_row)
    bounds = np.searchsorted(pairs, np.arange(1, classes) * width)
    return [part % width for part in np.split(pairs, bounds)]


def time_order(rows: pa.Table, grouping: Grouping) -> Codes:
    """The rank of every group by the time of its first packet; equal times rank by group."""
    return ranks(np.argsort(first_times(rows, grouping.of_row), kind="stable"))


def calendar_order(grouping: Grouping) -> Codes:
    """The rank of every day: that of its name."""
    return np.arange(len(grouping.names))


def calendar_strata(grouping: Grouping, share: float) -> tuple[list[Codes], float, list[str]]:
    """Days cut at one date for all classes, or at each class's own where no date serves all.

    Returns the strata, the share of them that is test, and warnings. Of the dates that leave
    every class on both sides, the one that is nearest to the wanted share.
    """
    count = len(grouping.names)
    dates = [
        held
        for held in range(1, count)
        if all(days[0] < count - held <= days[-1] for days in grouping.members)
    ]
    if dates:
        wanted = share_of(count, share)
        held = min(dates, key=lambda date: abs(date - wanted))
        return [np.arange(count)], held / count, []
    warning = "No single date has every class before and after it, so each class has a date of its "
    return grouping.members, share, [warning + "own: a day on test may be older than one learned."]


def time_strata(rows: pa.Table, grouping: Grouping) -> tuple[list[Codes], list[str]]:
    """The groups among which the latest are held out: those of a class, and warnings.

    Clocks that begin near 1970 count from some start of their own, so the times of such captures
    do not compare; a class that has them among others falls into one stratum for each capture.
    """
    _, capture = text_codes(rows, "capture")
    first = first_times(rows, capture)
    capture_of = np.zeros(len(grouping.names), np.int64)
    capture_of[grouping.of_row] = capture
    strata, mixed = [], []
    for label, groups in zip(grouping.classes, grouping.members, strict=True):
        captures = np.unique(capture_of[groups])
        if len(captures) > 1 and first[captures].min() < REAL_CLOCK_NS:
            mixed.append(label)
            strata += [groups[capture_of[groups] == number] for number in captures]
        else:
            strata.append(groups)
    warnings = [
        f"Some clocks start near 1970 and do not compare, so each capture was cut by its own "
        f"time in: {named(mixed)}."
    ]
    return strata, warnings if mixed else []


def shuffled(count: int, seed: int) -> Codes:
    """A seeded random rank for each of ``count`` groups."""
    return np.random.default_rng(seed).permutation(count)


def ranks(order: Codes) -> Codes:
    """The inverse of a sorting order: the rank of every element."""
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank


def last_share(rank: Codes, members: list[Codes], share: float) -> npt.NDArray[np.bool_]:
    """Choose the last ``share`` of each class's groups by ``rank``: a flag for every group.

    A group that holds several classes is decided once, by the class with the fewest groups: the
    rare class needs it most. A class with two or more groups keeps at least one on either side
    unless such decisions forbid it.
    """
    chosen = np.zeros(len(rank), bool)
    decided = np.zeros(len(rank), bool)
    for groups in sorted(members, key=len):
        free = groups[~decided[groups]]
        wanted = share_of(len(groups), share) - int(chosen[groups].sum())
        latest = free[np.argsort(-rank[free])]
        chosen[latest[: max(wanted, 0)]] = True
        decided[groups] = True
    return chosen


def share_of(count: int, share: float) -> int:
    """How many of ``count`` groups a share is; halves round down, neither part is left empty."""
    if count < 2 or share == 0:
        return 0
    return min(max(math.ceil(count * share - 0.5), 1), count - 1)


def named(classes: list[str]) -> str:
    """The first few classes, and how many more there are."""
    more = len(classes) - NAMED
    return ", ".join(classes[:NAMED]) + (f" and {more} more" if more > 0 else "")
