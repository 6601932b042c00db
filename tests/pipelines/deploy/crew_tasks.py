"""What processes of a crew do in tests: functions that a spawned process can import."""

import os
import signal
import threading
from pathlib import Path

from pipelines.deploy.crew import LostPeer
from pipelines.errors import InputError


def write(path: Path, text: str) -> None:
    path.write_text(text)


def wait_for_ever(begun: Path) -> None:
    begun.touch()
    threading.Event().wait()


def ignore_ending(begun: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait_for_ever(begun)


def kill_oneself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse() -> None:
    raise InputError("There are no rows.", "Give some.")


def stumble() -> None:
    raise ZeroDivisionError("by nothing")


def lose(cause: Path) -> None:
    """Fail for another process, once that one has written down why it failed."""
    while not cause.exists():
        threading.Event().wait(0.01)
    raise LostPeer("The other is gone.")


def refuse_and_linger() -> None:
    """Fail, but be slow to end: a thread is still at work."""
    threading.Thread(target=threading.Event().wait, args=(0.5,)).start()
    refuse()
