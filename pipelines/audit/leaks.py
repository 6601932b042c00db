"""Leaks across a split that no single field shows: copies, near copies, hosts, broken time order.

That no group is on two sides is proved by the split itself. A copy under another name, a host that
is known by its habits or a test row older than what was learned pass that proof.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, Field

from pipelines.audit.chance import HeldOut, luck, most_common_share, verdict_of
from pipelines.audit.lookup import look_up
from pipelines.datasets.fields import is_captured
from pipelines.datasets.fixed_split import observation
from pipelines.datasets.group_names import DAY_NS, first_times, group_names
from pipelines.datasets.groups import group_rows, time_strata
from pipelines.datasets.keys import Codes, combine, matrix, matrix_codes
from pipelines.datasets.split_manifest import Split
from pipelines.errors import InputError
from pipelines.words import counted

LEAK_SHARE = 0.01

LeakName = Literal["copied_rows", "near_duplicates", "shared_hosts", "time_order"]
LeakVerdict = Literal["leak", "doubt", "none"]


class Leak(BaseModel):
    """How many test rows training already knows in one way, and what that means."""

    name: LeakName
    rows: int = Field(description="Test rows concerned")
    of: int = Field(description="All test rows")
    verdict: LeakVerdict
    words: str = Field(description="What was found, in a sentence")


def find_leaks(rows: pa.Table, split: Split, side: HeldOut) -> Iterator[Leak]:
    """Every leak that rows of this kind can have, found or not."""
    if is_captured(rows.schema):
        yield _copies(rows, side)
    yield _near_duplicates(rows, side)
    if split.document.by in ("time", "day"):
        yield _time_order(rows, split, side)
    if split.document.group != "host":
        yield from _shared_hosts(rows, side)


def _copies(rows: pa.Table, side: HeldOut) -> Leak:
    """The same packets under two names. One is a doubt: other traffic has no such copies at all."""
    copied = np.zeros(len(side.test), bool)
    every = np.ones(rows.num_rows, bool)
    for keys, able in ((observation(rows), every), _timing(rows)):
        copied |= able[side.test] & np.isin(keys[side.test], keys[side.known[able[side.known]]])
    found, of = int(copied.sum()), len(side.test)
    words = (
        f"{_rows(found, 'is', 'are')} copied from the training side: the same first packet at the "
        "same moment, or packets of the same sizes and gaps to the microsecond."
    )
    return Leak(name="copied_rows", rows=found, of=of, verdict=_by_share(found, of), words=words)


def _timing(rows: pa.Table) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """The sizes and gaps of each row's packets, and whether they say enough to know it again.

    That takes two different gaps: single packets and the ticks of a simulator are alike everywhere.
    """
    gaps = matrix(rows, "packet_gap_us")
    keys = combine(matrix_codes(gaps), matrix_codes(matrix(rows, "packet_length")))
    smaller = (gaps > 0) & (gaps < gaps.max(axis=1, keepdims=True))
    return keys, smaller.any(axis=1)


def _near_duplicates(rows: pa.Table, side: HeldOut) -> Leak:
    from pipelines.cleaning.near_duplicates import near_duplicates_of

    found, of = int(near_duplicates_of(rows, side.known, side.test).sum()), len(side.test)
    what = "payload is" if is_captured(rows.schema) else "values are"
    words = f"{_rows(found, 'nearly repeats', 'nearly repeat')} a training row of the same class: "
    return Leak(
        name="near_duplicates",
        rows=found,
        of=of,
        verdict="doubt" if found >= LEAK_SHARE * of else "none",
        words=f"{words}the {what} equal in all but one place at most.",
    )


def _time_order(rows: pa.Table, split: Split, side: HeldOut) -> Leak:
    """Flows of test that began before the newest flow of their class that was learned.

    Flows of several classes are passed over: the rarest of them decides their side.
    """
    grouping = group_rows(rows, "flow")
    starts = first_times(rows, grouping.of_row) // (DAY_NS if split.document.by == "day" else 1)
    strata, _ = time_strata(rows, grouping)
    classes_of = np.bincount(np.concatenate(strata), minlength=len(grouping.names))
    on_test = np.zeros(len(grouping.names), bool)
    on_test[grouping.of_row[side.test]] = True
    older = np.zeros(len(grouping.names), bool)
    for groups in strata:
        groups = groups[classes_of[groups] == 1]
        held, learned = groups[on_test[groups]], groups[~on_test[groups]]
        older[held] = starts[held] < starts[learned].max(initial=np.iinfo(np.int64).min)
    found, of = int(older[grouping.of_row[side.test]].sum()), len(side.test)
    words = f"{_rows(found, 'is', 'are')} older than what was learned of its class: the split is no"
    words = f"{words} split by {split.document.by}."
    return Leak(name="time_order", rows=found, of=of, verdict=_by_share(found, of), words=words)


def _shared_hosts(rows: pa.Table, side: HeldOut) -> Iterator[Leak]:
    """Whether hosts that were trained on are tested too, and whether the host tells the class.

    A model may know a host by its habits though its address is masked.
    """
    try:
        _, host = group_names(rows, "host")
    except InputError:  # a table that does not say
        return
    shared = np.isin(host[side.test], host[side.known])
    right = look_up(host[side.known], side.labels[side.known], host[side.test]) == side.truth
    found, of = int(shared.sum()), len(side.test)
    telling = found >= LEAK_SHARE * of and _tells(right, shared, side)
    words = f"{_rows(found, 'comes', 'come')} from hosts that were trained on"
    if telling:
        words += f", and who the host is gives the label away (accuracy {right[shared].mean():.3f})"
    yield Leak(
        name="shared_hosts",
        rows=found,
        of=of,
        verdict="doubt" if telling else "none",
        words=f"{words}.",
    )


def _tells(right: npt.NDArray[np.bool_], shared: npt.NDArray[np.bool_], side: HeldOut) -> bool:
    """Whether the look-up of the host on shared ones is a shortcut over all of test's classes."""
    best = most_common_share(side.truth, side.units)
    gain = (float(right[shared].mean()) - best) / (1 - best) if best < 1 else 0.0
    chance = side.guesses * luck(right[shared], side.units[shared], best)
    return verdict_of(gain, chance) == "shortcut"


def _by_share(found: int, of: int) -> LeakVerdict:
    if found >= LEAK_SHARE * of:
        return "leak" if found else "none"
    return "doubt" if found else "none"


def _rows(count: int, one: str, many: str) -> str:
    return counted(count, f"test row {one}", f"test rows {many}")
