"""Processes that work at the same time and end together; errors name the one that failed.

Each is an executor with one worker. ``run_all`` would not do: it hands tasks out as workers get
free, not all at once, and in a pool of several nobody knows which worker died.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, BrokenExecutor, Executor, wait
from contextlib import ExitStack, contextmanager
from typing import Any

from pipelines.errors import InputError, NetloopError
from pipelines.executors import WATCH_SECONDS, open_executor

# Whoever lost its peer may be heard before the peer that failed.
CAUSE_SECONDS = 1.0


class LostPeer(NetloopError):
    """Another process is gone or says nothing: what happened to it is the reason to tell."""


@contextmanager
def open_crew(names: Sequence[str]) -> Iterator[dict[str, Executor]]:
    """A process for each of the names that errors call them; none is left after the block."""
    with ExitStack() as pools:
        yield {name: pools.enter_context(open_executor("processes", 1)) for name in names}


def run_together(
    crew: Mapping[str, Executor],
    tasks: Sequence[Callable[[], Any]],
    watch: Callable[[], object],
) -> list[Any]:
    """The results of ``tasks``, one for each of the crew, which all run at the same time.

    ``watch`` hears twice a second that they do. Raises NetloopError as soon as one fails or dies,
    InputError if it refused its input.
    """
    names = {
        executor.submit(task): name
        for (name, executor), task in zip(crew.items(), tasks, strict=True)
    }
    running = set(names)
    while running:
        ended, running = wait(running, WATCH_SECONDS, FIRST_EXCEPTION)
        if errors := [error for future in ended if (error := future.exception())]:
            if all(isinstance(error, LostPeer) for error in errors):
                wait(running, CAUSE_SECONDS)
            raise _cause({names[each]: each.exception() for each in names if each.done()})
        watch()
    return [future.result() for future in names]


def _cause(ended: Mapping[str, BaseException | None]) -> NetloopError:
    """What ended a process: a cause rather than what followed from it."""
    errors = [(name, error) for name, error in ended.items() if error]
    name, error = min(errors, key=lambda named: isinstance(named[1], LostPeer))
    if isinstance(error, BrokenExecutor):
        mend = "Something killed it, most often a lack of memory: take fewer sites or rows, "
        return NetloopError(f"{name} died.", mend + "or see dmesg.")
    if not isinstance(error, NetloopError):
        return NetloopError(f"{name}: {type(error).__name__}: {error}")
    kind = InputError if isinstance(error, InputError) else NetloopError
    return kind(f"{name}: {error.message}", error.mend)
