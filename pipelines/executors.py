"""Where work on many files runs: here, in processes of this machine, or on a Dask cluster.

Whatever runs it, a task is a function of one argument and its results come in the order of the
tasks, so that what is made of them does not depend on who made it.
"""

import logging
import multiprocessing
import os
import pickle
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from typing import Any, TypeVar

from pipelines.errors import InputError, NetloopError

T = TypeVar("T")
R = TypeVar("R")

KINDS = ("auto", "serial", "processes", "dask")
ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://\S+")
# To start processes takes most of a second: less work than this is done before they are there.
WORTH_PROCESSES = 48 << 20
MOST_WORKERS = 4096
# Tasks that are handed out ahead for each worker: none waits for the next, and of a hundred
# thousand files only these are in flight.
AHEAD = 4
CLUSTER_WORKERS = 64
# How long a Dask scheduler may take to answer.
ANSWER_SECONDS = 10.0
# How often the caller hears that time passes.
WATCH_SECONDS = 0.5
# A library that starts threads of its own would only get in the way of the other workers.
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "ARROW_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",  # what joblib takes n_jobs=-1 for
)


@dataclass(frozen=True)
class Workers:
    """Who does the work: an executor by its kind or a Dask scheduler's address, and how many.

    ``kind``: serial, processes, dask (a cluster on this machine), ``tcp://host:port``, or auto:
    processes where the work is worth it. ``count`` is the number of CPUs where it is left out.
    Raises InputError for any other kind, or a count that cannot be.
    """

    kind: str = "auto"
    count: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS and not ADDRESS.fullmatch(self.kind):
            raise InputError(
                f"There is no executor {self.kind!r}.",
                f"Give {', '.join(KINDS)}, or the address of a Dask scheduler: tcp://host:8786.",
            )
        if self.count is None:
            return
        if not 1 <= self.count <= MOST_WORKERS:
            raise InputError(
                f"{self.count} workers cannot be.", f"Give a number from 1 to {MOST_WORKERS}."
            )
        if self.kind not in KINDS:
            raise InputError(
                f"The cluster at {self.kind} has its own workers.", "Leave the number of them out."
            )

    @property
    def size(self) -> int:
        """How many work at once; of a cluster elsewhere that is a guess."""
        if self.kind == "serial":
            return 1
        return self.count or (cpu_count() if self.kind in KINDS else CLUSTER_WORKERS)

    def chosen(self, tasks: int, size: int) -> "Workers":
        """These workers, with auto decided for ``tasks`` files of ``size`` bytes together."""
        if self.kind != "auto":
            return self
        few = tasks < 2 or self.size < 2 or (self.count is None and size < WORTH_PROCESSES)
        return Workers("serial") if few else Workers("processes", min(self.size, tasks))


AUTO = Workers()
SERIAL = Workers("serial")


def cpu_count() -> int:
    """The CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def nothing(*_: object) -> None:
    """What is done for a caller who does not want to hear of it."""


def run_all(
    function: Callable[[T], R],
    tasks: Sequence[T],
    workers: Workers = SERIAL,
    *,
    finished: Callable[[R], object] = nothing,
    watch: Callable[[], object] = nothing,
) -> Iterator[R]:
    """``function(task)`` for every task, in the order of the tasks.

    ``finished`` hears each result as soon as it is there, ``watch`` twice a second while there is
    none. Function, tasks and results must be picklable unless ``workers`` are serial.

    A worker process that dies takes the tasks in flight with it: each of them is tried once more,
    on its own. Raises NetloopError for one that kills its worker again, and what ``function``
    raises, as it was raised.
    """
    workers = workers.chosen(len(tasks), WORTH_PROCESSES)
    results: dict[int, R] = {}
    first = last = 0  # of the tasks: the next to hand back, the next to hand out
    ahead = 1 if workers.kind == "serial" else AHEAD * workers.size
    while first < len(tasks):
        lost: list[int] = []
        broken = False
        with open_executor(workers.kind, workers.count) as executor:
            running: dict[Future[R], int] = {}
            while first < len(tasks) and not broken:
                try:
                    while last < len(tasks) and len(running) < ahead:
                        running[executor.submit(_carried, function, tasks[last])] = last
                        last += 1
                    done = wait(running, WATCH_SECONDS, FIRST_COMPLETED).done
                    for future in done:
                        results[running[future]] = result = future.result()
                        del running[future]
                        finished(result)
                except BrokenExecutor:
                    lost, broken = sorted(running.values()), True
                watch()
                while first in results:
                    yield results.pop(first)
                    first += 1
        for place in lost:
            results[place] = result = _try_alone(function, tasks[place])
            finished(result)


def _try_alone(function: Callable[[T], R], task: T) -> R:
    """The result of a task whose worker died, from a worker that has nothing else to do."""
    with open_executor("processes", 1) as executor:
        try:
            return executor.submit(_carried, function, task).result()
        except BrokenExecutor as error:
            raise NetloopError(
                f"A worker process died twice in {_named(function, task)}.",
                "Something killed it, most often a lack of memory: try one worker (--workers 1, in "
                "a spec data.workers: 1), or see dmesg. What is on disk is kept.",
            ) from error


def _named(function: Callable[[T], R], task: T) -> str:
    return f"{getattr(function, '__name__', 'its work')}({str(task)[:200]})"


def _carried(function: Callable[[T], R], task: T) -> R:
    """``function(task)``, in the worker: what it raises must survive the way to the caller.

    An exception that cannot be pickled, or not be made again from its pickle, breaks the pool.
    """
    try:
        return function(task)
    except NetloopError:
        raise
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  our own, made a line ago
        except Exception:  # noqa: BLE001  whatever its own __reduce__ or __init__ raises
            raise NetloopError(f"{type(error).__name__} in a worker: {error}") from None
        raise


@contextmanager
def open_executor(kind: str, workers: int | None = None) -> Iterator[Executor]:
    """An executor: serial, processes, dask, or the cluster of a Dask scheduler at ``tcp://``.

    ``workers`` is their number, that of the CPUs if left out. Raises InputError for a kind that
    does not exist, for Dask where it is not installed, and for a scheduler that does not answer.
    """
    wanted = Workers(kind, workers)
    if kind == "serial":
        yield SerialExecutor()
    elif kind in ("processes", "auto"):
        with _processes(wanted.size) as pool:
            yield pool
    else:
        with _dask(wanted) as cluster:
            yield cluster


class SerialExecutor(Executor):
    """Runs each call at once, in this thread."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """A future that is done already."""
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  a future hands on whatever was raised
            future.set_exception(error)
        return future


@contextmanager
def _processes(count: int) -> Iterator[Executor]:
    """Processes that are spawned, since a fork would copy locks that other threads hold."""
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        count, mp_context=multiprocessing.get_context("spawn"), initializer=begin_worker
    )
    try:
        yield pool
    except BaseException:  # whoever stops does not want to wait for the tasks in flight
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def begin_worker() -> None:
    """One thread a worker; Ctrl-C is the parent's to answer; no worker outlives its parent."""
    for name in THREADS:
        os.environ[name] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def _die_with_parent() -> None:
    """A killed parent closes no queue: its workers would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


@contextmanager
def _dask(workers: Workers) -> Iterator[Executor]:
    try:
        from distributed import Client, KilledWorker, LocalCluster
    except ImportError as error:
        raise InputError(
            "Dask is not installed.", "Install it: pip install 'netloop[distributed]'"
        ) from error
    local = None
    if workers.kind == "dask":
        local = LocalCluster(
            n_workers=workers.size,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.CRITICAL,  # the caller hears what a task raises
        )
    try:
        with _client(Client, workers.kind if local is None else local) as client:
            # Without pure=False equal calls would silently be one.
            executor: Executor = client.get_executor(pure=False)
            try:
                yield executor
            except (CancelledError, KilledWorker) as error:
                raise NetloopError(
                    f"Dask lost its workers or its scheduler: {error}",
                    "See their logs, then repeat: what was finished is kept.",
                ) from error
            finally:
                executor.shutdown(wait=False)
    finally:
        if local is not None:
            local.close()


def _client(make: Callable[..., Any], cluster: Any) -> Any:
    try:
        return make(cluster, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:  # a time-out is an OSError too
        raise InputError(
            f"No Dask scheduler answers at {cluster}.", "Start one: dask scheduler"
        ) from error
