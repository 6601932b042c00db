"""Processes end together, and the error says which one began and why."""

import multiprocessing
import os
import sys
from pathlib import Path

import pytest

from pipelines.deploy.crew import Crew
from pipelines.errors import InputError, NetloopError
from pipelines.executors import nothing

sys.path.append(str(Path(__file__).parent))  # where spawned processes look, too
import crew_tasks as tasks


def gone(pid: int) -> bool:
    """Whether no process of this number is left, not even a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def pid_of(name: str) -> int:
    return next(p.pid for p in multiprocessing.active_children() if p.name == name)


def test_all_do_their_work(tmp_path: Path) -> None:
    with Crew(tmp_path) as crew:
        for name in ("a", "b"):
            crew.start(name, tasks.write, tmp_path / name, f"from {name}")
        crew.wait(nothing)
    assert (tmp_path / "a").read_text() + (tmp_path / "b").read_text() == "from afrom b"
    assert multiprocessing.active_children() == []


def test_a_killed_process_is_named_and_the_others_end(tmp_path: Path) -> None:
    with (
        pytest.raises(NetloopError, match="The site 'b' was killed by signal 9"),
        Crew(tmp_path) as crew,
    ):
        crew.start("The site 'a'", tasks.wait_for_ever, tmp_path / "begun")
        crew.start("The site 'b'", tasks.kill_oneself)
        waiting = pid_of("The site 'a'")
        crew.wait(nothing)
    assert gone(waiting)


def test_a_refusal_arrives_as_it_was_raised(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"The site 'a': There are no rows\. Give some\."),
        Crew(tmp_path) as crew,
    ):
        crew.start("The site 'a'", tasks.refuse)
        crew.wait(nothing)


def test_a_fault_of_ours_is_told_without_a_traceback(tmp_path: Path) -> None:
    with (
        pytest.raises(NetloopError, match="The hub: ZeroDivisionError: by nothing"),
        Crew(tmp_path) as crew,
    ):
        crew.start("The hub", tasks.stumble)
        crew.wait(nothing)


def test_the_cause_is_told_and_not_what_followed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There are no rows"), Crew(tmp_path) as crew:
        crew.start("follows", tasks.lose, tmp_path / "failure-1.json")
        crew.start("causes", tasks.refuse_and_linger)
        crew.wait(nothing)


def test_an_interrupt_ends_all(tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Crew(tmp_path) as crew:
        crew.start("a", tasks.wait_for_ever, tmp_path / "a")
        pid = pid_of("a")
        crew.wait(interrupt)
    assert gone(pid)


def test_one_that_does_not_listen_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.deploy.crew.END_SECONDS", 0.1)

    def stop_when_begun() -> None:
        if (tmp_path / "begun").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Crew(tmp_path) as crew:
        crew.start("deaf", tasks.ignore_ending, tmp_path / "begun")
        pid = pid_of("deaf")
        crew.wait(stop_when_begun)
    assert gone(pid)
