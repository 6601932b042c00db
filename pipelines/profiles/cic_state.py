"""What CICFlowMeter's columns need of a flow beside its record: payloads, periods and bulks.

All of it is updated a batch at a time, for all flows at once; no packet is kept.
"""

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.flow_state import Runs
from pipelines.capture.moments import EMPTY, MOMENTS, add_values
from pipelines.profiles.lengths import Lengths
from pipelines.profiles.open_flows import sums_by_way, within_runs

# CICFlowMeter's own limits: a longer silence ends an active period, a subflow, a bulk.
IDLE_NS = 5_000_000_000
SUBFLOW_NS = BULK_NS = 1_000_000_000
# So many packets with payload in a row, all one way, are a bulk.
BULK_PACKETS = 4
NO_HEADER = 1 << 16

# Fields of shape 2 are forward, then backward. ``elapsed_ns`` is the time since the first packet;
# ``streak`` is a row of packets with payload that go one way and may become a bulk.
STREAK = np.dtype(
    [("way", "i1"), ("packets", "i8"), ("bytes", "i8"), ("start_ns", "i8"), ("last_ns", "i8")]
)
RECORD = np.dtype(
    [
        ("begun", "?"),
        ("elapsed_ns", "i8"),
        ("seen", "?", 2),
        ("payload", MOMENTS, 2),
        ("payload_bytes", "i8", 2),
        ("header_bytes", "i8", 2),
        ("least_header", "i8", 2),
        ("data_packets", "i8", 2),
        ("window", "u2", 2),
        ("subflows", "i8"),
        ("active", MOMENTS),
        ("idle", MOMENTS),
        ("active_ns", "i8"),
        ("streak", STREAK),
        ("bulks", "i8", 2),
        ("bulk_packets", "i8", 2),
        ("bulk_bytes", "i8", 2),
        ("bulk_ns", "i8", 2),
    ],
    align=True,
)


def begin(records: np.ndarray) -> None:
    """Make records of zeros those of flows that begin, in place."""
    new = np.flatnonzero(~records["begun"])
    for name in ("payload", "active", "idle"):
        records[name][new] = EMPTY
    records["begun"][new] = True
    records["least_header"][new] = NO_HEADER
    records["subflows"][new] = 1


def update(records: np.ndarray, runs: Runs, gap_ns: NDArray[np.int64], lengths: Lengths) -> None:
    """Add run i to ``records[i]``, for all runs at once, in place."""
    elapsed = within_runs(gap_ns, runs.run) + records["elapsed_ns"][runs.run]
    _update_sizes(records, runs, lengths)
    _update_periods(records, runs, gap_ns)
    _update_bulks(records, runs, elapsed, lengths.payload)
    stops = np.append(runs.starts[1:], len(runs.run)) - 1
    records["elapsed_ns"] = elapsed[stops]


def finish(records: np.ndarray) -> None:
    """Close the periods and bulks that are still open, in place."""
    add_values(records["active"], np.arange(len(records)), records["active_ns"] / 1e3)
    _close(records, np.arange(len(records)), records["streak"])


def _update_sizes(records: np.ndarray, runs: Runs, lengths: Lengths) -> None:
    series = runs.run * 2 + runs.backward
    add_values(records["payload"], series, lengths.payload.astype(np.float64))
    records["payload_bytes"] += sums_by_way(lengths.payload, runs)
    records["header_bytes"] += sums_by_way(lengths.header, runs)
    records["data_packets"] += sums_by_way(lengths.payload > 0, runs)
    least = records["least_header"].reshape(-1)
    np.minimum.at(least, series, lengths.header)
    records["least_header"] = least.reshape(-1, 2)
    first, packets = np.unique(series, return_index=True)
    run, way = np.divmod(first, 2)
    new = ~records["seen"][run, way]
    records["window"][run[new], way[new]] = runs.column("tcp_window")[packets[new]]
    records["seen"][run, way] = True


def _update_periods(records: np.ndarray, runs: Runs, gap_ns: NDArray[np.int64]) -> None:
    """Active periods, the silences between them, and subflows."""
    count = len(records)
    records["subflows"] += np.bincount(runs.run[gap_ns > SUBFLOW_NS], minlength=count)
    silent = gap_ns > IDLE_NS
    add_values(records["idle"], runs.run[silent], gap_ns[silent] / 1e3)
    is_start = silent.copy()
    is_start[runs.starts] = True
    starts = np.flatnonzero(is_start)
    spans = np.add.reduceat(np.where(silent, 0, gap_ns), starts)
    run = runs.run[starts]
    is_last = np.append(run[1:] != run[:-1], True)
    continues = ~silent[starts]
    # A period that began in an earlier batch goes on, unless the run begins after a silence.
    spans[continues] += records["active_ns"][run[continues]]
    cut = silent[runs.starts]
    add_values(records["active"], np.flatnonzero(cut), records["active_ns"][cut] / 1e3)
    add_values(records["active"], run[~is_last], spans[~is_last] / 1e3)
    records["active_ns"] = spans[is_last]


def _update_bulks(
    records: np.ndarray, runs: Runs, elapsed: NDArray[np.int64], payload: NDArray[np.int64]
) -> None:
    """Streaks of packets with payload; those that ended are counted if they were bulks."""
    data = np.flatnonzero(payload)
    if not len(data):
        return
    run, way, time = runs.run[data], runs.backward[data].astype(np.int8), elapsed[data]
    is_head = np.append(True, run[1:] != run[:-1])
    before = records["streak"][run]
    last_way = np.where(is_head, before["way"], np.roll(way, 1))
    last_ns = np.where(is_head, before["last_ns"], np.roll(time, 1))
    has_streak = ~is_head | (before["packets"] > 0)
    continues = has_streak & (way == last_way) & (time - last_ns <= BULK_NS)
    starts = np.flatnonzero(~continues | is_head)
    streaks = np.zeros(len(starts), STREAK)
    streaks["way"], streaks["start_ns"] = way[starts], time[starts]
    streaks["packets"] = np.diff(np.append(starts, len(data)))
    streaks["bytes"] = np.add.reduceat(payload[data], starts)
    streaks["last_ns"] = time[np.append(starts[1:], len(data)) - 1]
    owner, joins = run[starts], continues[starts]
    carried = records["streak"][owner[joins]]
    for name in ("packets", "bytes"):
        streaks[name][joins] += carried[name]
    streaks["start_ns"][joins] = carried["start_ns"]
    cut = np.flatnonzero(is_head & ~continues)
    _close(records, run[cut], records["streak"][run[cut]])
    is_last = np.append(owner[1:] != owner[:-1], True)
    _close(records, owner[~is_last], streaks[~is_last])
    records["streak"][owner[is_last]] = streaks[is_last]


def _close(records: np.ndarray, owners: NDArray[np.intp], streaks: np.ndarray) -> None:
    """Count the streaks that are bulks; ``owners`` are the records they belong to."""
    bulks = streaks["packets"] >= BULK_PACKETS
    place = owners[bulks], streaks["way"][bulks]
    for name, values in (
        ("bulks", np.ones(int(bulks.sum()), np.int64)),
        ("bulk_packets", streaks["packets"][bulks]),
        ("bulk_bytes", streaks["bytes"][bulks]),
        ("bulk_ns", (streaks["last_ns"] - streaks["start_ns"])[bulks]),
    ):
        np.add.at(records[name], place, values)
