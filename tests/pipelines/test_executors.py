"""Executors: whoever works, results come in order, nothing is lost, and errors arrive whole."""

import itertools
import subprocess
import sys
import time
from concurrent.futures import Executor
from pathlib import Path

import pytest

from pipelines.errors import InputError, NetloopError
from pipelines.executors import SERIAL, Workers, cpu_count, open_executor, run_all

sys.path.append(str(Path(__file__).parent))  # where workers look, too
from executor_tasks import (
    always_die,
    die_or_double,
    double,
    fail_awkwardly,
    fail_plainly,
    refuse,
    threads,
)

TWO = Workers("processes", 2)


# --- serial --------------------------------------------------------------------------------------


def test_serial_works_as_results_are_asked_for() -> None:
    begun = []

    def note(number: int) -> int:
        begun.append(number)
        return number

    results = run_all(note, range(100), SERIAL)
    assert list(itertools.islice(results, 2)) == [0, 1]
    assert len(begun) <= 3


def test_results_are_heard_of_and_time_passes() -> None:
    heard, looks = [], []
    results = run_all(double, [1, 2], SERIAL, finished=heard.append, watch=lambda: looks.append(1))
    assert list(results) == [2, 4] == heard
    assert looks


def test_no_task_is_no_work() -> None:
    assert list(run_all(double, [], TWO)) == []


def test_serial_raises_what_the_function_raises() -> None:
    with pytest.raises(ValueError, match="bad 1"):
        list(run_all(fail_plainly, [1], SERIAL))


@pytest.mark.parametrize("kind", ["serial", "processes"])
def test_an_executor_of_concurrent_futures(kind: str) -> None:
    with open_executor(kind, 1) as executor:
        assert isinstance(executor, Executor)
        assert executor.submit(double, 4).result() == 8


# --- who works -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["thread", "", "tcp://", "http://host:1", "Serial", "tcp//a:1"])
def test_nonsense_is_no_executor(kind: str) -> None:
    with pytest.raises(InputError, match="There is no executor") as caught:
        Workers(kind)
    assert "serial, processes, dask" in caught.value.mend


@pytest.mark.parametrize("count", [0, -1, 5000])
def test_a_number_of_workers_that_cannot_be(count: int) -> None:
    with pytest.raises(InputError, match=f"{count} workers cannot be"):
        Workers("processes", count)


def test_a_cluster_elsewhere_has_its_own_workers() -> None:
    with pytest.raises(InputError, match="its own workers"):
        Workers("tcp://10.0.0.1:8786", 4)
    assert Workers("tcp://10.0.0.1:8786").size > 1


def test_processes_only_where_they_are_worth_it() -> None:
    big = 1 << 30
    assert Workers(count=2).chosen(10, 10) == Workers("processes", 2)  # asked for
    assert Workers(count=2).chosen(1, big) == SERIAL
    assert Workers(count=1).chosen(10, big) == SERIAL
    assert Workers().chosen(10, 1000) == SERIAL
    if cpu_count() > 1:
        assert Workers().chosen(10, big).kind == "processes"
    assert Workers("dask", 3).chosen(1, 1) == Workers("dask", 3)


# --- processes -----------------------------------------------------------------------------------


def test_processes_give_results_in_order_with_one_thread_each() -> None:
    assert list(run_all(double, range(20), TWO)) == list(range(0, 40, 2))
    assert set(run_all(threads, range(2), TWO)) == {("1", 1)}


def test_an_error_for_people_arrives_whole() -> None:
    with pytest.raises(InputError) as caught:
        list(run_all(refuse, range(8), TWO))
    assert caught.value.message == "3 cannot be used."
    assert caught.value.mend == "Give another."
    assert caught.value.exit_code == 2


def test_an_error_that_cannot_travel_is_told_in_words() -> None:
    with pytest.raises(NetloopError, match="AwkwardError in a worker: 1 and 1"):
        list(run_all(fail_awkwardly, [1], Workers("processes", 1)))


def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    tasks = [(str(tmp_path), number) for number in range(12)]
    assert list(run_all(die_or_double, tasks, TWO)) == list(range(0, 24, 2))
    assert len(list(tmp_path.glob("5-*"))) == 2
    assert len(list(tmp_path.glob("0-*"))) <= 2


def test_a_task_that_kills_every_worker_is_named() -> None:
    with pytest.raises(NetloopError, match=r"died twice in always_die\(1\)") as caught:
        list(run_all(always_die, [1], TWO))
    assert "memory" in caught.value.mend


PARENT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from pipelines.executors import Workers, run_all

def sleep(path):
    import os
    Path(path, str(os.getpid())).touch()
    time.sleep(600)

if __name__ == "__main__":
    list(run_all(sleep, [{folder!r}], Workers("processes", 1)))
"""


def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    script, folder = tmp_path / "parent.py", tmp_path / "workers"
    folder.mkdir()
    root = str(Path(__file__).parents[2])
    script.write_text(PARENT.format(root=root, folder=str(folder)))
    parent = subprocess.Popen([sys.executable, script])
    try:
        worker = int(wait_until(lambda: [path.name for path in folder.iterdir()])[0])
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: not is_alive(worker))


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(ask, seconds: float = 60):
    """The first true answer; tests wait for it, whatever the machine's load."""
    for _ in range(int(seconds * 20)):
        if answer := ask():
            return answer
        time.sleep(0.05)
    raise AssertionError("it never happened")


# --- dask ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scheduler():
    """The address of a Dask scheduler on the loopback, with two workers in this process."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address=None,
    ) as cluster:
        yield cluster.scheduler_address


def test_a_dask_cluster_gives_results_in_order(scheduler: str) -> None:
    assert list(run_all(double, [1, 1, *range(30)], Workers(scheduler))) == [
        2,
        2,
        *range(0, 60, 2),
    ]


def test_equal_calls_are_as_many_calls_on_dask(scheduler: str, tmp_path: Path) -> None:
    tasks = [(str(tmp_path), 1)] * 3
    assert list(run_all(die_or_double, tasks, Workers(scheduler))) == [2, 2, 2]
    assert len(list(tmp_path.glob("1-*"))) == 3


def test_dask_hands_errors_on(scheduler: str) -> None:
    with pytest.raises(InputError, match="3 cannot be used") as caught:
        list(run_all(refuse, range(8), Workers(scheduler)))
    assert caught.value.mend == "Give another."


def test_a_scheduler_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("pipelines.executors.ANSWER_SECONDS", 0.5)
    with pytest.raises(InputError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        list(run_all(double, [1], Workers("tcp://127.0.0.1:1")))


def test_without_dask_the_mend_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match="Dask is not installed") as caught:
        list(run_all(double, [1], Workers("dask", 1)))
    assert "netloop[distributed]" in caught.value.mend
