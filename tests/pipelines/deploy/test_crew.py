"""Processes work and end together, and the error says which one failed and why."""

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipelines.deploy.crew import LostPeer, open_crew, run_together
from pipelines.errors import InputError, NetloopError
from pipelines.executors import nothing

sys.path.append(str(Path(__file__).parent))  # where spawned processes look, too
import crew_tasks as tasks


def run(watch: Callable[[], object] = nothing, **named: Callable[[], Any]) -> list[Any]:
    """The results of a crew that has a process for each of the named tasks."""
    with open_crew([*named]) as crew:
        return run_together(crew, [*named.values()], watch)


def gone(begun: Path) -> bool:
    """Whether the process that wrote its number is no more, not even as a zombie."""
    try:
        os.kill(int(begun.read_text()), 0)
    except ProcessLookupError:
        return True
    return False


def test_all_work_at_once_and_their_results_come_in_order() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        results = run(a=partial(tasks.accept_one, listener), b=partial(tasks.greet, address))
    assert results == [b"hello", "greeted"]
    assert multiprocessing.active_children() == []


def test_processes_outlast_a_task() -> None:
    with open_crew(["a", "b"]) as crew:
        first, again = (run_together(crew, [os.getpid, os.getpid], nothing) for _ in range(2))
    assert first == again
    assert len({*first, os.getpid()}) == 3


def test_a_killed_process_is_named_and_the_others_end(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    with pytest.raises(NetloopError, match=r"b died\. .*memory"):
        run(a=partial(tasks.wait_for_ever, begun), b=partial(tasks.kill_oneself, begun))
    assert gone(begun)


def test_a_refusal_arrives_as_it_was_raised() -> None:
    with pytest.raises(InputError, match=r"a: There are no rows\. Give some\."):
        run(a=tasks.refuse)


def test_a_fault_of_ours_is_told_without_a_traceback() -> None:
    with pytest.raises(NetloopError, match="a: ZeroDivisionError: by nothing"):
        run(a=tasks.stumble)


def test_the_cause_is_told_and_not_what_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.deploy.crew.CAUSE_SECONDS", 60)  # of a busy machine
    told = tmp_path / "told"
    with pytest.raises(InputError, match="causes: There are no rows"):
        run(follows=partial(tasks.lose, told), causes=partial(tasks.refuse_after, told))


def test_a_lost_peer_is_told_if_nobody_else_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.deploy.crew.CAUSE_SECONDS", 0.01)
    with pytest.raises(NetloopError, match="a: The other is gone") as caught:
        run(a=partial(tasks.lose, tmp_path / "a"), b=partial(tasks.wait_for_ever, tmp_path / "b"))
    assert not isinstance(caught.value, LostPeer)


def test_an_interrupt_ends_all(tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def interrupt() -> None:
        if begun.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(interrupt, a=partial(tasks.wait_for_ever, begun))
    assert gone(begun)
