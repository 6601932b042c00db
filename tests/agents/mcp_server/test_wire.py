"""The server's pipes themselves: nothing but JSON-RPC comes out, and a client may vanish."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.life_cycle import create_run, opened
from agents.policy import approve_all
from agents.spec import Spec
from pipelines.store.events import read_events
from pipelines.store.run import RunFolder

SERVER = ["-m", "agents.terminal.app", "mcp"]
# every file of a run that is opened says so on stdout, as a tool's library might
NOISE = """
import os, sys
def tell(event, arguments):
    if event == "open" and "/runs/" in str(arguments[0]):
        os.write(1, b"noise\\n")
        print("more noise")
sys.addaudithook(tell)
"""
SECONDS = 240  # after which a server that hangs is killed


class Pipes:
    """A client of the handshake's days that reads and writes lines."""

    def __init__(self, workspace: Path, noise: Path) -> None:
        noise.mkdir()
        (noise / "sitecustomize.py").write_text(NOISE)
        self.log = (noise / "stderr").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, *SERVER, "--workspace", str(workspace)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={"PYTHONPATH": f"{noise}:{Path.cwd()}", "OMP_NUM_THREADS": "1"},
            text=True,
        )
        self.watchdog = threading.Timer(SECONDS, self.process.kill)
        self.watchdog.start()
        self.lines: list[dict[str, Any]] = []

    def send(self, **message: Any) -> None:
        """One message to the server."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next message that is wanted; every line before it is JSON-RPC too."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))
            assert self.lines[-1]["jsonrpc"] == "2.0"
            if wanted(self.lines[-1]):
                return self.lines[-1]
        raise AssertionError("the server ended")

    def call(self, number: int, name: str, **arguments: Any) -> None:
        """Call a tool and wait for nothing."""
        params = {"name": name, "arguments": arguments, "_meta": {"progressToken": number}}
        self.send(id=number, method="tools/call", params=params)

    def vanish(self) -> int:
        """Close both pipes, as the system does for a client that is killed; the exit status."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdout.close()
        self.process.stdin.close()
        return self.process.wait()

    def said(self) -> str:
        """What the server wrote to stderr so far."""
        self.log.seek(0)
        return self.log.read()


@pytest.fixture
def pipes(tmp_path: Path) -> Iterator[Pipes]:
    found = Pipes(tmp_path / "ws", tmp_path / "noise")
    found.send(
        id=0,
        method="initialize",
        params={
            "protocolVersion": "2025-11-25",
            "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "pipes", "version": "1"},
        },
    )
    assert (
        found.until(lambda line: line.get("id") == 0)["result"]["serverInfo"]["name"] == "netloop"
    )
    found.send(method="notifications/initialized")
    yield found
    found.vanish()
    found.watchdog.cancel()
    found.log.close()


@pytest.fixture
def imported(tmp_path: Path, spec: Callable[..., Spec]) -> tuple[RunFolder, str]:
    """A run whose plan of cleaning waits, and the digest of that plan."""
    run = create_run(tmp_path / "ws", spec(), "ask")
    with opened(run, tmp_path / "ws") as life_cycle:
        life_cycle.advance(lambda plan: None if plan.stage == "cleaning" else approve_all(plan))
        plan = life_cycle.pending()
    assert plan is not None
    return run, plan.digest()


def test_a_client_that_vanishes_in_the_middle_of_a_run_leaves_one_that_goes_on(
    pipes: Pipes, imported: tuple[RunFolder, str]
) -> None:
    run, digest = imported
    pipes.call(1, "approve_plan", run=run.id, plan=digest)
    form = pipes.until(lambda line: line.get("method") == "elicitation/create")
    assert digest[:12] in form["params"]["message"]
    pipes.send(id=form["id"], result={"action": "accept", "content": {"decision": "approve"}})
    report = pipes.until(lambda line: "auditing" in str(line.get("params", {}).get("message")))
    assert report["params"]["progressToken"] == 1

    pipes.vanish()
    assert "noise" in pipes.said(), "the tools did print, and stdout did not carry it"
    assert "Traceback" not in pipes.said()
    assert run.read()["status"] == "interrupted"
    with opened(run, run.workspace) as life_cycle:
        assert life_cycle.pending() is None, "the answer was kept"
        assert life_cycle.advance(lambda plan: None) == "paused"
        assert life_cycle.pending().stage == "augmentation"
    kinds = [event.type for event in read_events(run.events)]
    assert kinds.count("plan.decided") == 2


def test_only_messages_come_out_whatever_goes_in_and_whatever_tools_print(
    pipes: Pipes, tmp_path: Path
) -> None:
    assert pipes.process.stdin is not None and pipes.process.stdout is not None
    pipes.process.stdin.write("hello\n{}\n[]\n\x00\n")
    pipes.send(id=5, method="no/such/method")
    assert "error" in pipes.until(lambda line: line.get("id") == 5)
    run = RunFolder.create(tmp_path / "ws", {"status": "done", "spec": {"goal": "Tell apart"}})
    pipes.call(6, "list_runs")
    answer = pipes.until(lambda line: line.get("id") == 6)["result"]["structuredContent"]
    assert [line["run"] for line in answer["runs"]] == [run.id]
    pipes.process.stdin.close()
    assert pipes.process.stdout.read() == "", "what was printed is not kept for the end either"
    assert pipes.process.wait() == 0
    assert "more noise" in pipes.said()


def test_a_person_at_a_terminal_is_told_what_the_command_is_for(tmp_path: Path) -> None:
    first, second = os.openpty()
    done = subprocess.run(
        [sys.executable, *SERVER, "--workspace", str(tmp_path)],
        stdin=second,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(first)
    os.close(second)
    assert done.returncode != 0
    assert "speaks with a program" in done.stderr
    assert done.stdout == ""
