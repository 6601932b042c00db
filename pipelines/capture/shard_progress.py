"""How far the making of shards is, also while workers elsewhere are in the middle of one."""

import time
from collections.abc import Iterable
from pathlib import Path

from pipelines.capture.shards import Shard, ShardTask, make_shard
from pipelines.progress import Progress, silent

MEGABYTE = 1 << 20
# How often a worker says how far it is.
EVERY_SECONDS = 0.5


def teller(path: Path) -> Progress:
    """The progress of a worker: what it has read of its capture, as a number in a small file."""
    told = time.monotonic()

    def tell(what: str, done: float, total: float | None, unit: str) -> None:
        nonlocal told
        if unit == "bytes" and time.monotonic() - told >= EVERY_SECONDS:
            told = time.monotonic()
            path.write_text(str(round(done)))

    return tell


def make_told(task: ShardTask, progress: Progress | None = None) -> Shard:
    """``make_shard``, for a worker: it tells ``task.teller`` how far it is unless heard itself."""
    if progress is not None or task.teller is None:
        return make_shard(task, progress or silent)
    try:
        return make_shard(task, teller(task.teller))
    finally:
        task.teller.unlink(missing_ok=True)


class Meter:
    """The megabytes of captures that are read, of all of them, with the number of files.

    ``tellers`` is the folder in which workers tell how far they are.
    """

    def __init__(self, progress: Progress, files: Iterable[Path], tellers: Path) -> None:
        self._progress = progress
        self._sizes = [path.stat().st_size for path in files]
        self._tellers = tellers
        self._done = self._files = 0
        self._furthest = 0.0

    def finished(self, files: int, size: int) -> None:
        """``files`` files of ``size`` bytes together have been read."""
        self._done += size
        self._files += files
        self._tell(self._done)

    def look(self) -> None:
        """Ask the workers how far they are."""
        self._tell(self._done + sum(map(_told, self._tellers.iterdir())))

    def within(self, what: str, done: float, total: float | None, unit: str) -> None:
        """The progress of the file that is read in this process."""
        if unit == "bytes":
            self._tell(self._done + done)

    def _tell(self, size: float) -> None:
        """``size`` bytes are read; a worker that begins anew takes nothing back."""
        self._furthest = max(self._furthest, size)
        self._progress(
            "reading captures",
            self._furthest / MEGABYTE,
            sum(self._sizes) / MEGABYTE,
            f"MB, {self._files}/{len(self._sizes)} files",
        )


def _told(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # it just ended, or is just being written
        return 0
