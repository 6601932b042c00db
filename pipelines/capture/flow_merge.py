"""Flows that cross the files of a rotating capture: each file is read alone, then they are joined.

Every file begins with an empty flow table. Its flows that may touch a border are kept as flow
records beside its rows: those that are still open at its end, and those that began within the idle
time of its start. Joining them gives the flows that reading the files in order gives.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_state import flow_record
from pipelines.capture.flow_table import SECOND, FlowTable, Update
from pipelines.capture.headers import raw_kind
from pipelines.capture.moments import EMPTY, MOMENTS, joined
from pipelines.capture.settings import FlowSettings

# Fields of a flow record whose two entries are source to destination, then the way back.
BOTH_WAYS = ("ttl", "packets", "bytes", "way_first_ns", "way_last_ns", "flags", "size", "way_gap")


class CannotJoinError(Exception):
    """The parts do not tell what reading them in order would give: it has to be done."""


def border_record(settings: FlowSettings) -> np.dtype:
    """The record of a flow that may touch a border of its file.

    ``now_ns`` is the latest time of the file up to the flow's first packet.
    """
    return np.dtype(
        [("flow", flow_record(settings)), ("now_ns", "i8"), ("is_head", "?"), ("is_open", "?")],
        align=True,
    )


class PartReader:
    """The flow table of one file of a rotating capture.

    Flows that may touch a border are written to ``borders`` as ``border_record`` when they end.
    ``first_ns`` and ``latest_ns`` are the first and the latest time of its packets with an IP
    header, None before there is one.
    """

    def __init__(self, settings: FlowSettings, borders: BinaryIO) -> None:
        self._table = FlowTable(settings)
        self._idle = round(settings.idle_seconds * SECOND)
        self._kind = border_record(settings)
        self._borders = borders
        self._heads: dict[int, int] = {}  # number -> now_ns
        self._begun = 0
        self.first_ns: int | None = None
        self.latest_ns: int | None = None

    @property
    def ended_early(self) -> int:
        """Flows that ended because more were open than the table holds."""
        return self._table.ended_early

    def update(self, batch: PacketBatch) -> np.ndarray:
        """Add a batch of packets; flow records that ended and touch no border."""
        update = self._table.update(batch)
        if len(update.rows):
            self._find_heads(batch.time_ns[np.sort(update.rows)], update)
        return self._apart(update.ended, is_open=False)

    def end(self) -> None:
        """The file has ended: what is still open touches its border."""
        self._apart(self._table.expire(), is_open=True)

    def _find_heads(self, times: NDArray[np.int64], update: Update) -> None:
        """Note the flows that began within the idle time of the file's start."""
        if self.first_ns is None or self.latest_ns is None:
            self.first_ns = self.latest_ns = int(times[0])
        before, self.latest_ns = self.latest_ns, max(self.latest_ns, int(times.max()))
        if before - self.first_ns >= self._idle:
            return
        now = np.maximum(np.maximum.accumulate(times), before)
        numbers, firsts = np.unique(update.number, return_index=True)
        new = np.flatnonzero(numbers >= self._begun)
        self._begun = max(self._begun, int(numbers[-1]) + 1)
        places = np.searchsorted(np.sort(update.rows), update.rows[firsts[new]])
        near = now[places] - self.first_ns < self._idle
        heads = numbers[new[near]].tolist(), now[places[near]].tolist()
        self._heads |= dict(zip(*heads, strict=True))

    def _apart(self, flows: np.ndarray, *, is_open: bool) -> np.ndarray:
        """Write the border flows among ``flows`` aside, give back the others."""
        now = [self._heads.pop(number, None) for number in flows["number"].tolist()]
        is_head = np.array([time is not None for time in now], bool)
        at_border = np.flatnonzero(is_head | is_open)
        records = np.zeros(len(at_border), self._kind)
        records["flow"] = flows[at_border]
        records["now_ns"] = [now[place] or 0 for place in at_border.tolist()]
        records["is_head"], records["is_open"] = is_head[at_border], is_open
        self._borders.write(records.tobytes())
        return flows[~is_head] if not is_open else flows[:0]


@dataclass(frozen=True)
class Part:
    """What a file of a rotating capture says of its borders: ``borders`` are its border records."""

    borders: np.ndarray
    first_ns: int | None
    latest_ns: int | None


def merge_parts(parts: Iterable[Part], settings: FlowSettings) -> Iterator[np.ndarray]:
    """The flow records that touch a border, joined; one array for each part, and one at the end.

    A flow goes on in the next part under the rules of the flow table: the idle time has not passed
    between its latest packet and the next, as any packet of the capture shows, and the next is not
    older than the active time-out. Sums, extremes, first packets and payload are exact, means and
    deviations but for rounding.

    Raises CannotJoinError where the parts do not tell: the active time-out would cut a flow inside
    a later part, or time runs backwards over a border.
    """
    idle = round(settings.idle_seconds * SECOND)
    active = round(settings.active_seconds * SECOND)
    waiting = np.zeros(0, flow_record(settings))
    for part in parts:
        if part.first_ns is None or part.latest_ns is None:
            continue
        if len(waiting) and waiting["last_ns"].max() > part.first_ns:
            raise CannotJoinError("time runs backwards from one file to the next")
        flows, is_open = np.array(part.borders["flow"]), part.borders["is_open"]
        heads = _heads(waiting, part.borders)
        met = np.flatnonzero(heads >= 0)
        left, right = waiting[met], flows[heads[met]]
        goes_on = part.borders["now_ns"][heads[met]] - left["previous_ns"] < idle
        goes_on &= right["first_ns"] - left["first_ns"] < active
        left, right, place = left[goes_on], right[goes_on], heads[met[goes_on]]
        _check(left, right, active)
        flows[place] = joined_flows(left, right)
        over = part.latest_ns - waiting["previous_ns"] >= idle
        over[met] = ~goes_on
        stays = ~over
        stays[met] = False
        yield _in_order(_together(waiting[over], flows[~is_open]))
        waiting = _together(waiting[stays], flows[is_open])
    yield _in_order(waiting)


def _check(left: np.ndarray, right: np.ndarray, active: int) -> None:
    if (right["last_ns"] - left["first_ns"] >= active).any():
        raise CannotJoinError("the active time-out cuts a flow inside a file")
    if (right["first_ns"] < left["last_ns"]).any():
        raise CannotJoinError("time runs backwards inside a flow that crosses files")


def _heads(waiting: np.ndarray, borders: np.ndarray) -> NDArray[np.intp]:
    """For each waiting flow the first flow of its 5-tuple at the part's start, -1 without one."""
    heads = np.flatnonzero(borders["is_head"])
    heads = heads[np.argsort(borders["flow"]["number"][heads], kind="stable")]
    first: dict[bytes, int] = {}
    for key, place in zip(_keys(borders["flow"][heads]), heads.tolist(), strict=True):
        first.setdefault(key, place)
    return np.array([first.get(key, -1) for key in _keys(waiting)], np.intp)


def _keys(flows: np.ndarray) -> list[bytes]:
    """The canonical 5-tuples of flow records, as bytes that are equal where these are."""
    swapped = flows["swapped"]
    kind = np.dtype([("a", "V16"), ("b", "V16"), ("ports", "u2", 2), ("protocol", "u1")])
    keys = np.zeros(len(flows), kind)
    src, dst = (flows[name].view("V16") for name in ("src_ip", "dst_ip"))
    keys["a"], keys["b"] = np.where(swapped, dst, src), np.where(swapped, src, dst)
    ports = np.stack([flows["src_port"], flows["dst_port"]], axis=1)
    keys["ports"] = np.where(swapped[:, None], ports[:, ::-1], ports)
    keys["protocol"] = flows["protocol"]
    content, size = keys.tobytes(), kind.itemsize
    return [content[start : start + size] for start in range(0, len(content), size)]


def joined_flows(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Each flow of ``left`` with what ``right`` says of the same flow later.

    Either part may have been begun by the other endpoint: the later one is turned round.
    """
    right = _turned(right, left["swapped"] != right["swapped"])
    flows = left.copy()
    gap_ns = right["first_ns"] - left["last_ns"]
    border_gap = _one_value(gap_ns, np.ones(len(left), bool))
    flows["gap"] = joined(joined(left["gap"], border_gap), right["gap"])
    fresh = left["packets"] == 0  # shape (flows, 2), as all that is kept for each way
    both = ~fresh & (right["packets"] > 0)
    between = _one_value(right["way_first_ns"] - left["way_last_ns"], both)
    flows["way_gap"] = joined(joined(left["way_gap"], between), right["way_gap"])
    flows["ttl"] = np.where(fresh, right["ttl"], left["ttl"])
    flows["way_first_ns"] = np.where(fresh, right["way_first_ns"], left["way_first_ns"])
    flows["way_last_ns"] = np.where(right["packets"] > 0, right["way_last_ns"], left["way_last_ns"])
    flows["last_ns"], flows["previous_ns"] = right["last_ns"], right["previous_ns"]
    for name in ("packets", "bytes", "flags"):
        flows[name] += right[name]
    flows["size"] = joined(left["size"], right["size"])
    _join_first_packets(flows, left, right, gap_ns)
    return flows


def _turned(flows: np.ndarray, mask: NDArray[np.bool_]) -> np.ndarray:
    """``flows`` with source and destination of those under ``mask`` exchanged in all they count."""
    flows = flows.copy()
    for name in BOTH_WAYS:
        flows[name][mask] = flows[name][mask][:, ::-1]
    flows["packet_length"][mask] *= -1
    return flows


def _one_value(gap_ns: NDArray[np.int64], there: NDArray[np.bool_]) -> np.ndarray:
    """Moments of one gap, in milliseconds, where ``there``, else of none."""
    moments = np.full(gap_ns.shape, EMPTY, MOMENTS)
    milliseconds = gap_ns[there] / 1e6
    moments["count"][there] = 1
    for name in ("mean", "min", "max"):
        moments[name][there] = milliseconds
    return moments


def _join_first_packets(
    flows: np.ndarray, left: np.ndarray, right: np.ndarray, gap_ns: NDArray[np.int64]
) -> None:
    """Fill the slots that ``left`` left empty with the first packets of ``right``."""
    packets = left["packets"].sum(axis=1)
    right = right.copy()
    right["packet_gap_us"][:, 0] = gap_ns // 1000
    for name in ("packet_length", "packet_gap_us", "packet_flags", "payload_length", "payload"):
        slots = flows[name].shape[1]
        place = np.arange(slots) - packets[:, None]  # of each slot's packet in the later part
        filled = place >= 0
        rows = np.broadcast_to(np.arange(len(flows))[:, None], filled.shape)
        later = right[name][rows[filled], place[filled]]
        flows[name][filled] = later


def _together(flows: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Both, one after the other. As raw bytes: NumPy would turn addresses to native byte order."""
    raw = raw_kind(flows.dtype)
    return np.concatenate([flows.view(raw), np.asarray(more).view(raw)]).view(flows.dtype)


def _in_order(flows: np.ndarray) -> np.ndarray:
    """Records in order of their first packets; equal times keep the order of the parts."""
    return flows[np.argsort(flows["first_ns"], kind="stable")]
