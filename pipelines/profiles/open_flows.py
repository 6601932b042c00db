"""Records of open flows beside the flow table's own, found by the number of the flow.

A profile needs more of a flow than its row holds. It keeps one NumPy record for each open flow,
never packets, so its memory is that of the flow table's order however long a flow is.
"""

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_state import Runs
from pipelines.capture.flow_table import Update


class OpenFlows:
    """One record for each open flow. Flows are numbered as they begin, so records stay sorted."""

    def __init__(self, record: np.dtype) -> None:
        self._numbers = np.zeros(0, np.int64)
        self.records = np.zeros(0, record)

    def __len__(self) -> int:
        return len(self._numbers)

    def places(self, numbers: NDArray[np.int64]) -> NDArray[np.intp]:
        """Where the records of ``numbers`` are; a flow that is new gets one of zeros.

        Places hold until flows are taken out.
        """
        latest = self._numbers[-1] if len(self._numbers) else -1
        new = np.unique(numbers[numbers > latest])
        if len(new):
            self._numbers = np.concatenate([self._numbers, new])
            self.records = np.concatenate([self.records, np.zeros(len(new), self.records.dtype)])
        return np.searchsorted(self._numbers, numbers)

    def take(self, numbers: NDArray[np.int64]) -> np.ndarray:
        """The records of ``numbers``, which are no longer kept."""
        places = np.searchsorted(self._numbers, numbers)
        taken = self.records[places]
        kept = np.ones(len(self._numbers), bool)
        kept[places] = False
        self._numbers, self.records = self._numbers[kept], self.records[kept]
        return taken


def runs_of(batch: PacketBatch, update: Update) -> Runs:
    """The packets of an update in runs: each is what the batch adds to one flow, in file order."""
    is_start = np.ones(len(update.number), bool)
    is_start[1:] = update.number[1:] != update.number[:-1]
    starts, run = np.flatnonzero(is_start), np.cumsum(is_start) - 1
    return Runs(batch, update.rows, run, starts, update.backward, batch.time_ns[update.rows])


def within_runs(values: np.ndarray, run: NDArray[np.intp]) -> np.ndarray:
    """Running sums of ``values`` (one a packet) that begin anew with every run."""
    total = np.cumsum(values)
    head = np.flatnonzero(np.diff(run, prepend=-1))
    sizes = np.diff(np.append(head, len(run)))
    return np.asarray(total - np.repeat(total[head] - values[head], sizes))


def sums_by_way(values: np.ndarray, runs: Runs) -> NDArray[np.int64]:
    """Sums of ``values`` (one a packet) by run and direction, shape (runs, 2)."""
    series = runs.run * 2 + runs.backward
    size = 2 * len(runs.starts)
    sums = np.bincount(series, values.astype(np.float64), size).astype(np.int64)
    return np.asarray(sums.reshape(-1, 2))
