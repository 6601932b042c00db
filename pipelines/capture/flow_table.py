"""The flow table: flows are begun, updated and expired, a batch of packets at a time."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_key import flow_keys, group_packets
from pipelines.capture.flow_state import Runs, flow_record, init_flows, update_flows
from pipelines.capture.headers import raw_kind
from pipelines.capture.settings import FlowSettings
from pipelines.capture.time_outs import cut_long, latest_after

SECOND = 1_000_000_000
NOBODY = -1
# Memory for open flows: half a million with the default settings, of a kilobyte each.
MOST_BYTES = 1 << 29


class Update(NamedTuple):
    """What a batch did to the flow table, and what that knows of each packet with an IP header.

    ``ended`` are flows, as records of ``flow_record`` in order of their first packets. Of packets,
    ``rows`` are the rows in the batch, ``flow`` the hashes of the 5-tuples, ``number`` which flow
    of the table they belong to, as in the record of that flow; ``backward`` says whether they go
    against the first packet of their flow, ``gap_ns`` is the time since the packet before in the
    flow (0 for its first). Packets of a flow stand together, in file order.
    """

    ended: np.ndarray
    rows: NDArray[np.intp]
    flow: NDArray[np.int64]
    number: NDArray[np.int64]
    backward: NDArray[np.bool_]
    gap_ns: NDArray[np.int64]


class FlowTable:
    """Open flows. ``update`` takes a batch of packets and tells which flows ended, ``expire`` ends
    those that are still open when the capture does.

    A flow ends when ``idle_seconds`` have passed since its latest packet, as any later packet of
    the capture shows, and before a packet that comes ``active_seconds`` or more after its first
    one. So the table holds the flows of one idle time only, and it makes no difference where a
    batch ends. A flood of flows would still fill the memory: after a batch that leaves more of them
    than fit into ``most_bytes``, the half that was silent longest ends; ``ended_early`` counts it.
    """

    def __init__(self, settings: FlowSettings, most_bytes: int = MOST_BYTES) -> None:
        self._idle = round(settings.idle_seconds * SECOND)
        self._active = round(settings.active_seconds * SECOND)
        self._record = flow_record(settings)
        self._flows = np.zeros(0, raw_kind(self._record))
        self._is_open = np.zeros(0, bool)
        self._keys: list[bytes] = []
        self._slots: dict[bytes, int] = {}
        self._free: list[int] = []
        self._most_open = most_bytes // self._record.itemsize
        self._begun = 0
        self.ended_early = 0

    def __len__(self) -> int:
        return len(self._slots)

    def update(self, batch: PacketBatch) -> Update:
        """Add the packets of ``batch`` that have an IP header."""
        rows = np.flatnonzero(batch.ip_version)
        if not len(rows):
            nothing = np.zeros(0, np.int64)
            never = nothing.astype(bool)
            return Update(np.zeros(0, self._record), rows, nothing, nothing, never, nothing)
        keys, times = flow_keys(batch, rows), batch.time_ns[rows]
        order, is_head = group_packets(keys)
        heads = np.flatnonzero(is_head)
        packed = keys.packed(order[heads])
        slots = np.array([self._slots.get(key, NOBODY) for key in packed], np.intp)
        begins = self._begins(times, order, heads, slots)

        is_start = begins | is_head
        starts, run = np.flatnonzero(is_start), np.cumsum(is_start) - 1
        group = np.cumsum(is_head)[starts] - 1
        continues = ~begins[starts]
        raw = np.zeros(len(starts), raw_kind(self._record))
        raw[continues] = self._flows[slots[group[continues]]]
        flows = raw.view(self._record)
        new = np.flatnonzero(~continues)
        flows["swapped"][new] = keys.swapped[order[starts[new]]]
        flows["number"][new] = np.arange(self._begun, self._begun + len(new))
        self._begun += len(new)
        backward = keys.swapped[order] != flows["swapped"][run]
        runs = Runs(batch, rows[order], run, starts, backward, times[order])
        init_flows(flows, new, runs, keys.hash[order[starts]])
        gap = update_flows(flows, runs)

        is_last = np.append(group[1:] != group[:-1], True)
        replaced = slots[begins[heads] & (slots != NOBODY)]
        ended = [raw[~is_last], self._flows[replaced]]
        slots = self._store(raw[is_last], packed, slots)
        ended.append(self._expire_idle(times, slots, order[np.append(heads[1:], len(order)) - 1]))
        ended.append(self._expire_surplus())
        ended_flows = self._in_order(np.concatenate(ended))
        number = flows["number"][run]
        return Update(ended_flows, runs.rows, keys.hash[order], number, backward, gap)

    def expire(self, now_ns: int | None = None) -> np.ndarray:
        """End all flows that are open, in order of their first packets.

        With ``now_ns``, the time at a live source, only those that have been idle for too long.
        """
        flows = self._flows.view(self._record)
        is_over = self._is_open
        if now_ns is not None:
            is_over = is_over & (now_ns - flows["previous_ns"] >= self._idle)
        slots = np.flatnonzero(is_over)
        first = flows["first_ns"][slots]
        return self._remove(slots[np.argsort(first, kind="stable")]).view(self._record)

    def _in_order(self, flows: np.ndarray) -> np.ndarray:
        """Raw flows as records, in order of their first packets."""
        first = flows.view(self._record)["first_ns"]
        return flows[np.argsort(first, kind="stable")].view(self._record)

    def _begins(
        self,
        times: NDArray[np.int64],
        order: NDArray[np.intp],
        heads: NDArray[np.intp],
        slots: NDArray[np.intp],
    ) -> NDArray[np.bool_]:
        """Which packets, in ``order``, begin a flow; ``heads`` are the first of each 5-tuple."""
        ordered = times[order]
        known = slots != NOBODY
        previous, before = np.roll(ordered, 1), np.roll(order, 1)
        previous[heads[known]] = self._flows.view(self._record)["previous_ns"][slots[known]]
        before[heads] = NOBODY
        begins = latest_after(times, before, order) - previous >= self._idle
        begins[heads[~known]] = True
        first, continues = ordered.copy(), known & ~begins[heads]
        first[heads[continues]] = self._flows.view(self._record)["first_ns"][slots[continues]]
        is_head = np.zeros(len(order), bool)
        is_head[heads] = True
        cut_long(begins, is_head, ordered, first, self._active)
        return begins

    def _store(
        self, flows: np.ndarray, keys: list[bytes], slots: NDArray[np.intp]
    ) -> NDArray[np.intp]:
        """Keep one open flow for each key; ``slots`` with the places of those that had none."""
        new = np.flatnonzero(slots == NOBODY)
        self._grow(len(new))
        slots = slots.copy()
        slots[new] = [self._free.pop() for _ in range(len(new))]
        for row, slot in zip(new.tolist(), slots[new].tolist(), strict=True):
            self._keys[slot] = keys[row]
            self._slots[keys[row]] = slot
        self._is_open[slots] = True
        self._flows[slots] = flows
        return slots

    def _grow(self, wanted: int) -> None:
        """Make room for ``wanted`` more flows; at least twice as much as before."""
        if wanted <= len(self._free):
            return
        size = len(self._flows)
        more = max(size, wanted, 1024)
        flows = np.zeros(size + more, self._flows.dtype)
        flows[:size] = self._flows
        self._flows = flows
        self._is_open = np.concatenate([self._is_open, np.zeros(more, bool)])
        self._keys += [b""] * more
        self._free += range(size + more - 1, size - 1, -1)

    def _expire_idle(
        self, times: NDArray[np.int64], slots: NDArray[np.intp], latest: NDArray[np.intp]
    ) -> np.ndarray:
        """End the flows for which the idle time has passed; the batch's last packets of ``slots``
        are at ``latest``."""
        now = np.full(len(self._flows), times.max())
        now[slots] = np.maximum.accumulate(times[::-1])[::-1][latest]
        idle = now - self._flows.view(self._record)["previous_ns"] >= self._idle
        return self._remove(np.flatnonzero(idle & self._is_open))

    def _expire_surplus(self) -> np.ndarray:
        """End the half of the open flows that has been silent longest, if they are too many."""
        if len(self) <= self._most_open:
            return self._flows[:0]
        slots = np.flatnonzero(self._is_open)
        previous = self._flows.view(self._record)["previous_ns"][slots]
        surplus = len(slots) - self._most_open // 2
        self.ended_early += surplus
        return self._remove(slots[np.argsort(previous, kind="stable")[:surplus]])

    def _remove(self, slots: NDArray[np.intp]) -> np.ndarray:
        for slot in slots.tolist():
            del self._slots[self._keys[slot]]
        self._is_open[slots] = False
        self._free += slots.tolist()
        return self._flows[slots]
