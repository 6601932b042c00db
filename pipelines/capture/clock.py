"""The time where packets come from, for flows that end while no packet says so."""

import time

from pipelines.capture.batch import PacketBatch

# Packets this near to now come from a live source; older ones from a file that somebody pipes.
LIVE_NS = 60 * 1_000_000_000
# A packet may lie in buffers of the system and of the capturing program for as long.
DELAY_NS = 1_000_000_000


class PacketClock:
    """What time it is at a source: that of its latest packet and, if it is live, what passed since.

    A source that is not live stands still while it has nothing to give, so that what it is read
    into does not depend on how fast it comes.
    """

    def __init__(self) -> None:
        self._latest_ns = 0
        self._arrived_ns = 0
        self._is_live = False

    def add(self, batch: PacketBatch) -> None:
        """Note that ``batch``, which is not empty, has just come."""
        self._latest_ns = max(self._latest_ns, int(batch.time_ns.max()))
        self._arrived_ns = time.monotonic_ns()
        self._is_live = abs(time.time_ns() - self._latest_ns) < LIVE_NS

    def now_ns(self) -> int:
        """Nanoseconds since 1970, never before the latest packet."""
        passed = time.monotonic_ns() - self._arrived_ns - DELAY_NS
        return self._latest_ns + max(passed, 0) * self._is_live
