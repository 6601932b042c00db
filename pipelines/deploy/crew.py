"""Processes that do one work together: started, watched, and ended together."""

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import wait as wait_for
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from pipelines.errors import InputError, NetloopError
from pipelines.executors import begin_worker
from pipelines.store.files import write_atomic

WATCH_SECONDS = 0.5
END_SECONDS = 3.0
FAILURE = "failure-{}.json"


class LostPeer(NetloopError):
    """Another process is gone or says nothing: what happened to it is the reason to tell."""


@dataclass(frozen=True)
class Failure:
    """Why a process ended, as it writes it down."""

    message: str
    mend: str = ""
    lost: bool = False
    refused: bool = False


class Crew:
    """Processes by the names that errors call them. When the block is left, none is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[str, BaseProcess] = {}

    def start(self, name: str, target: Callable[..., None], *arguments: object) -> None:
        """Start a process that calls ``target(*arguments)``."""
        failure = self._folder / FAILURE.format(len(self._processes))
        # Spawned: a fork would copy locks that other threads hold.
        process = multiprocessing.get_context("spawn").Process(
            name=name, target=_do, args=(failure, target, arguments), daemon=True
        )
        process.start()
        self._processes[name] = process

    def wait(self, watch: Callable[[], object]) -> None:
        """Wait until all have done their work; ``watch`` hears twice a second that they do it.

        Raises NetloopError as soon as one fails or is killed, InputError if it refused its input.
        """
        while running := [p for p in self._processes.values() if p.is_alive()]:
            wait_for([process.sentinel for process in running], WATCH_SECONDS)
            self._raise_failure()
            watch()
        self._raise_failure()

    def _raise_failure(self) -> None:
        """Raise what ended a process, a cause rather than what followed from it."""
        failed = []
        for number, (name, process) in enumerate(self._processes.items()):
            # Written before a process lets go of its connections: no other can fail for it sooner.
            failure = self._folder / FAILURE.format(number)
            if failure.is_file():
                failed.append(_told(name, failure))
            elif process.exitcode:
                failed.append(_died(name, process.exitcode))
        if failed:
            raise min(failed, key=lambda error: isinstance(error, LostPeer))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.join(END_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


def _do(failure: Path, target: Callable[..., None], arguments: tuple[object, ...]) -> None:
    """In the process: call ``target``, or write down why that was not possible."""
    begin_worker()
    try:
        target(*arguments)
    except NetloopError as error:
        lost, refused = isinstance(error, LostPeer), isinstance(error, InputError)
        _give_up(failure, Failure(error.message, error.mend, lost, refused))
    except Exception as error:  # noqa: BLE001  whatever it is, the caller is to hear of it
        _give_up(failure, Failure(f"{type(error).__name__}: {error}"))


def _give_up(path: Path, failure: Failure) -> NoReturn:
    write_atomic(path, json.dumps(asdict(failure)))
    raise SystemExit(1)


def _told(name: str, path: Path) -> NetloopError:
    """The error that a process wrote down."""
    failure = Failure(**json.loads(path.read_bytes()))
    kind = LostPeer if failure.lost else InputError if failure.refused else NetloopError
    return kind(f"{name}: {failure.message}", failure.mend)


def _died(name: str, exit_code: int) -> NetloopError:
    how = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with {exit_code}"
    return NetloopError(
        f"{name} {how}.", "Most often memory is short: take fewer sites or rows, or see dmesg."
    )
