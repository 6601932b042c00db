"""Live streams: standard input, named pipes and character devices, read as their bytes come."""

import io
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from pipelines.errors import InputError
from pipelines.progress import Progress, silent

Stop: TypeAlias = Callable[[], bool]

STANDARD_INPUT = Path("-")
# How long to wait before saying that nothing came: flows may end then, and Ctrl-C is heard.
WAIT_SECONDS = 0.25
# How long to go on taking what comes, so that a fast source is read in few large pieces.
GATHER_SECONDS = 0.05
QUIET_SECONDS = 0.01
# A capturing program that hears the same Ctrl-C still writes what it holds.
DRAIN_SECONDS = 2.0
COPY_BYTES = 1 << 20


def never() -> bool:
    """The ``stop`` of a source that nobody stops."""
    return False


def is_stream(source: Path) -> bool:
    """Whether a source is read as it comes: ``-``, a named pipe or a character device."""
    return source == STANDARD_INPUT or source.is_fifo() or source.is_char_device()


class LiveStream(io.RawIOBase):
    """A stream that is never waited for longer than ``WAIT_SECONDS``.

    ``readinto`` returns None where nothing came, 0 at the end: when whoever writes has closed it,
    or soon after ``stop()`` is true.
    """

    def __init__(self, descriptor: int, name: str, stop: Stop = never) -> None:
        self.name = name
        self._descriptor = descriptor
        self._stop = stop
        self._drained_at = float("inf")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        stops = self._stop()
        if stops:
            self._drained_at = min(self._drained_at, time.monotonic() + DRAIN_SECONDS)
            if time.monotonic() >= self._drained_at:
                return 0
        if not self._is_ready(WAIT_SECONDS):
            return 0 if stops else None
        return self._gather(memoryview(buffer))

    def _is_ready(self, seconds: float) -> bool:
        return bool(select.select([self._descriptor], [], [], seconds)[0])

    def _gather(self, view: memoryview) -> int | None:
        """What is there, and what follows it closely."""
        end = time.monotonic() + GATHER_SECONDS
        try:
            filled = read = os.readv(self._descriptor, [view])
        except BlockingIOError:
            return None
        while read and filled < len(view) and time.monotonic() < end:
            if not self._is_ready(QUIET_SECONDS):
                break
            read = os.readv(self._descriptor, [view[filled:]])
            filled += read
        return filled


@contextmanager
def open_stream(source: Path, stop: Stop = never) -> Iterator[LiveStream]:
    """The stream at ``source``, as ``is_stream`` has it. Raises InputError if it cannot be read.

    A named pipe that nobody writes to yet is waited for while it is read, not here.
    """
    if source == STANDARD_INPUT:
        yield LiveStream(_standard_input(), "standard input", stop)
        return
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(
            f"{source} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error
    try:
        yield LiveStream(descriptor, source.name, stop)
    finally:
        os.close(descriptor)


@contextmanager
def as_file(source: Path, stop: Stop = never, progress: Progress = silent) -> Iterator[Path]:
    """``source``, or a temporary file with all that it gives if it is a stream (``is_stream``).

    For work that has to read twice. Raises InputError if the stream cannot be read.
    """
    if not is_stream(source):
        yield source
        return
    with TemporaryDirectory(prefix="netloop-") as folder, open_stream(source, stop) as stream:
        path = Path(folder, stream.name.replace(" ", "-"))
        with path.open("wb") as file:
            while (data := stream.read(COPY_BYTES)) != b"":
                file.write(data or b"")
                progress(f"copying {stream.name}", file.tell(), None, "bytes")
        yield path


def _standard_input() -> int:
    mend = "Pipe a capture into it: tcpdump -U -w - | netloop detect MODEL -"
    if sys.stdin is None:
        raise InputError("Standard input is closed.", mend)
    if sys.stdin.isatty():
        raise InputError("Standard input is a terminal, which holds no capture.", mend)
    return sys.stdin.fileno()
