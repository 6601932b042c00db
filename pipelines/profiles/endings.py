"""Why a flow ended: it fell silent, grew too old, memory ran out, or the capture did."""

from bisect import bisect_right
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_table import SECOND, Update
from pipelines.capture.settings import FlowSettings

# flowEndReason of the IANA registry (RFC 5102, 5.11.3); 3, an end seen in the packets, is not used.
IDLE, ACTIVE, FORCED, NO_MEMORY = 1, 2, 4, 5
NEVER = np.iinfo(np.int64).max


def end_reasons(batch: PacketBatch, update: Update, settings: FlowSettings) -> NDArray[np.uint8]:
    """Why each of ``update.ended`` ended, as an IANA flowEndReason.

    A flow that another of its 5-tuple follows before the idle time has passed was too old; one that
    nothing follows though the idle time has not passed made room for others.
    """
    ended = update.ended
    if not len(ended):
        return np.zeros(0, np.uint8)
    idle = round(settings.idle_seconds * SECOND)
    previous = ended["previous_ns"]
    silence = _next_begin(batch, update) - previous
    early = (silence >= idle) & (batch.time_ns.max() - previous < idle)
    return np.select([silence < idle, early], [ACTIVE, NO_MEMORY], IDLE).astype(np.uint8)


def _next_begin(batch: PacketBatch, update: Update) -> NDArray[np.int64]:
    """When the next flow of the same 5-tuple began in this batch, for each ended flow."""
    first = np.ones(len(update.number), bool)
    first[1:] = update.number[1:] != update.number[:-1]
    numbers, times = defaultdict(list), defaultdict(list)
    begins = (update.flow[first], update.number[first], batch.time_ns[update.rows[first]])
    for flow, number, time in zip(*(column.tolist() for column in begins), strict=True):
        numbers[flow].append(number)
        times[flow].append(time)
    found = []
    ended = update.ended
    for flow, number in zip(ended["flow"].tolist(), ended["number"].tolist(), strict=True):
        place = bisect_right(numbers[flow], number) if flow in numbers else 0
        found.append(times[flow][place] if flow in numbers and place < len(times[flow]) else NEVER)
    return np.array(found, np.int64)
