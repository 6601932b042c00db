"""The state of a flow as one NumPy record, and how runs of packets update many flows at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.headers import ADDRESS, Offsets, read
from pipelines.capture.moments import EMPTY, MOMENTS, add_values
from pipelines.capture.settings import FlowSettings

# What a flow keeps of its first packet; packet batches have columns of the same names.
FIRST_PACKET = {
    "src_ip": ADDRESS,
    "dst_ip": ADDRESS,
    "src_mac": np.uint64,
    "dst_mac": np.uint64,
    "src_port": np.uint16,
    "dst_port": np.uint16,
    "ip_id": np.uint16,
    "tcp_seq": np.uint32,
    "tcp_ack": np.uint32,
    "ip_checksum": np.uint16,
    "l4_checksum": np.uint16,
    "ip_version": np.uint8,
    "protocol": np.uint8,
    "icmp_type": np.uint8,
    "icmp_code": np.uint8,
}
NO_PACKET = -1
LONGEST = np.iinfo(np.int32).max


def flow_record(settings: FlowSettings) -> np.dtype:
    """The record of one flow. Fields of shape (2,) are source to destination, then the way back."""
    first, payloads = settings.first_packets, settings.payload_packets
    return np.dtype(
        [
            *FIRST_PACKET.items(),
            ("flow", "i8"),
            ("number", "i8"),  # which flow of its table this is: time-outs may cut a 5-tuple
            ("swapped", "?"),  # whether endpoint b of the canonical 5-tuple began the flow
            ("previous_ns", "i8"),  # time of its latest packet in file order
            ("first_ns", "i8"),
            ("last_ns", "i8"),
            ("ttl", "u1", 2),
            ("packets", "i8", 2),
            ("bytes", "i8", 2),
            ("way_first_ns", "i8", 2),
            ("way_last_ns", "i8", 2),
            ("flags", "i8", (2, 8)),
            ("size", MOMENTS, 2),
            ("gap", MOMENTS),
            ("way_gap", MOMENTS, 2),
            ("packet_length", "i4", first),
            ("packet_gap_us", "i8", first),
            ("packet_flags", "u1", first),
            ("payload_length", "i4", payloads),
            ("payload", "u1", (payloads, settings.payload_bytes)),
        ],
        align=True,
    )


@dataclass(frozen=True)
class Runs:
    """Packets sorted into runs: each run is consecutive packets of one flow, in file order.

    ``rows`` are the packets' rows in ``batch``, ``run`` the number of the run of each packet and
    ``starts`` where each run begins; ``backward`` packets go against the flow's first one.
    """

    batch: PacketBatch
    rows: NDArray[np.intp]
    run: NDArray[np.intp]
    starts: NDArray[np.intp]
    backward: NDArray[np.bool_]
    time_ns: NDArray[np.int64]

    def column(self, name: str) -> np.ndarray:
        """A column of the batch in the order of the runs."""
        return np.asarray(getattr(self.batch, name))[self.rows]


def init_flows(flows: np.ndarray, new: NDArray[np.intp], runs: Runs, hashes: Offsets) -> None:
    """Begin ``flows[new]`` with the first packets of the runs ``new``."""
    first = runs.rows[runs.starts[new]]
    for name in FIRST_PACKET:
        flows[name][new] = getattr(runs.batch, name)[first]
    flows["flow"][new] = hashes[new]
    flows["first_ns"][new] = flows["last_ns"][new] = runs.time_ns[runs.starts[new]]
    for name in ("size", "gap", "way_gap"):
        flows[name][new] = EMPTY
    flows["payload_length"][new] = NO_PACKET


def update_flows(flows: np.ndarray, runs: Runs) -> NDArray[np.int64]:
    """Add run i to ``flows[i]``, for all runs at once; new flows must have been begun.

    Gives back the nanoseconds from the packet before in the flow to each packet, 0 for its first.
    """
    before = flows["packets"].sum(axis=1)
    stops = np.append(runs.starts[1:], len(runs.run)) - 1
    clock = _running_clock(runs, np.where(before > 0, flows["last_ns"], runs.time_ns[runs.starts]))
    gap = _gaps(clock, runs.starts, np.where(before > 0, flows["last_ns"], clock[runs.starts]))
    follows = np.ones(len(gap), bool)
    follows[runs.starts[before == 0]] = False
    add_values(flows["gap"], runs.run[follows], gap[follows] / 1e6)
    for way in (0, 1):
        _update_way(flows, runs, clock, way)
    flows["last_ns"] = clock[stops]
    flows["previous_ns"] = runs.time_ns[stops]
    _update_sizes(flows, runs)
    _keep_first_packets(flows, runs, gap, before)
    return gap


def _running_clock(runs: Runs, begin: NDArray[np.int64]) -> NDArray[np.int64]:
    """Times that never run back inside a run; run i begins no earlier than ``begin[i]``."""
    times = runs.time_ns.copy()
    times[runs.starts] = np.maximum(times[runs.starts], begin)
    back = np.flatnonzero(times[1:] < times[:-1]) + 1
    if (runs.run[back] != runs.run[back - 1]).all():
        return times
    # Lift every run above the one before it: then one running maximum serves all of them.
    distinct, ranks = np.unique(times, return_inverse=True)
    lift = runs.run * len(distinct)
    return distinct[np.maximum.accumulate(ranks + lift) - lift]


def _gaps(
    clock: NDArray[np.int64], starts: NDArray[np.intp], last: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Nanoseconds since the packet before; at a start since ``last`` of its run."""
    gap = np.diff(clock, prepend=0)
    gap[starts] = clock[starts] - last
    return gap


def _update_way(flows: np.ndarray, runs: Runs, clock: NDArray[np.int64], way: int) -> None:
    """Times, gaps and TTL of the packets that go one way."""
    packets = np.flatnonzero(runs.backward == bool(way))
    if not len(packets):
        return
    run, clock = runs.run[packets], clock[packets]
    edge = np.flatnonzero(run[1:] != run[:-1])
    starts, stops = np.append(0, edge + 1), np.append(edge, len(run) - 1)
    heads = run[starts]
    fresh = flows["packets"][heads, way] == 0
    gap = _gaps(clock, starts, flows["way_last_ns"][heads, way])
    follows = np.ones(len(gap), bool)
    follows[starts[fresh]] = False
    add_values(flows["way_gap"][:, way], run[follows], gap[follows] / 1e6)
    flows["way_first_ns"][heads[fresh], way] = clock[starts[fresh]]
    flows["way_last_ns"][heads, way] = clock[stops]
    flows["ttl"][heads[fresh], way] = runs.column("ttl")[packets[starts[fresh]]]


def _update_sizes(flows: np.ndarray, runs: Runs) -> None:
    """Packets, bytes, flags and the moments of the lengths, both ways at once."""
    series = runs.run * 2 + runs.backward
    wire = runs.column("wire_length").astype(np.float64)
    size = 2 * len(flows)
    flows["packets"] += np.bincount(series, minlength=size).reshape(-1, 2)
    flows["bytes"] += np.bincount(series, wire, size).astype(np.int64).reshape(-1, 2)
    add_values(flows["size"], series, wire)
    flags = runs.column("tcp_flags")
    for bit in range(8):
        flagged = np.flatnonzero(flags & (1 << bit))
        flows["flags"][:, :, bit] += np.bincount(series[flagged], minlength=size).reshape(-1, 2)


def _keep_first_packets(
    flows: np.ndarray, runs: Runs, gap: NDArray[np.int64], before: NDArray[np.int64]
) -> None:
    """Lengths, gaps and flags of the first packets of a flow, and the payload of fewer of them."""
    number = np.arange(len(runs.run)) - runs.starts[runs.run] + before[runs.run]
    kept = np.flatnonzero(number < flows["packet_length"].shape[1])
    place = runs.run[kept], number[kept]
    length = np.minimum(runs.column("wire_length")[kept], LONGEST)
    flows["packet_length"][place] = np.where(runs.backward[kept], -length, length)
    flows["packet_gap_us"][place] = gap[kept] // 1000
    flows["packet_flags"][place] = runs.column("tcp_flags")[kept]
    packets, room = flows["payload"].shape[1:]
    kept = np.flatnonzero(number < packets)
    place = runs.run[kept], number[kept]
    length, payload = payload_slots(runs.batch, runs.rows[kept], room)
    flows["payload_length"][place] = length
    flows["payload"][place] = payload


def payload_slots(
    batch: PacketBatch, rows: NDArray[np.intp], room: int
) -> tuple[Offsets, NDArray[np.uint8]]:
    """How many payload bytes were captured, at most ``room``, and these bytes, zero-padded.

    Shapes (rows,) and (rows, room).
    """
    length = np.minimum(batch.payload_length[rows], room)
    slots = read(batch.buffer, np.dtype((np.void, room)), batch.payload_offset[rows])
    payload = slots.view(np.uint8).reshape(len(rows), room)
    return length, payload * (np.arange(room) < length[:, None])
