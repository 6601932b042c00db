"""What workers do in the tests of executors: they import this module by its name."""

import os
import signal
import time
from pathlib import Path

from pipelines.errors import InputError


def double(number: int) -> int:
    return 2 * number


def refuse(number: int) -> int:
    if number == 3:
        raise InputError(f"{number} cannot be used.", "Give another.")
    return number


class AwkwardError(Exception):
    """An exception that cannot be made again from its pickle."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def fail_awkwardly(number: int) -> int:
    raise AwkwardError(number, number)


def fail_plainly(number: int) -> int:
    raise ValueError(f"bad {number}")


def die_or_double(task: tuple[str, int]) -> int:
    folder, number = task
    (Path(folder) / f"{number}-{time.monotonic_ns()}").touch()
    if number == 5 and len(list(Path(folder).glob("5-*"))) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def always_die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def threads(number: int) -> tuple[str, int]:
    import pyarrow as pa

    return os.environ["OMP_NUM_THREADS"], pa.cpu_count()
