"""A link between a site and the hub, kept by the sender: bytes leave no faster than it allows."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.errors import InputError

MOST_DELAY_MS = 10_000
LEAST_MBIT, MOST_MBIT = 0.01, 100_000


@dataclass(frozen=True)
class Link:
    """One way's delay in milliseconds and its rate in megabits a second; both ways are alike.

    Raises InputError for a link that cannot be tried out.
    """

    delay_ms: float = 20.0
    mbit: float = 100.0

    def __post_init__(self) -> None:
        if not 0 <= self.delay_ms <= MOST_DELAY_MS:
            raise InputError(
                f"A link cannot have a delay of {self.delay_ms} ms.",
                f"Give 0 to {MOST_DELAY_MS:,} ms, one way.",
            )
        if not LEAST_MBIT <= self.mbit <= MOST_MBIT:
            raise InputError(
                f"A link cannot have a rate of {self.mbit} Mbit/s.",
                f"Give {LEAST_MBIT} to {MOST_MBIT:,}.",
            )


class Pace:
    """Makes one sender as slow as its link.

    A bucket of tokens (bytes) that fills at the link's rate and holds none over from a pause, so
    that a message takes exactly its delay plus its size over the rate. Sleeps that were too long
    are made up for within the message.
    """

    def __init__(
        self,
        link: Link,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._delay = link.delay_ms / 1000
        self._bytes_a_second = link.mbit * 1e6 / 8
        self._clock, self._sleep = clock, sleep
        self._free = 0.0  # when the link has carried all that was sent

    def begin(self, *, answer: bool) -> None:
        """A message begins. The link's delay is waited for before an ``answer`` (the first message
        after the other side spoke); what follows at once is on the way at the same time."""
        self._free = max(self._free, self._clock()) + (self._delay if answer else 0)

    def carry(self, size: int) -> None:
        """Wait until the link has carried ``size`` more bytes."""
        self._free += size / self._bytes_a_second
        pause = self._free - self._clock()
        if pause > 0:
            self._sleep(pause)
