"""The command as a process among others: killed, interrupted, locked out, its output closed."""

import fcntl
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import NETLOOP, Command

Training = tuple[subprocess.Popen[bytes], Path]


def test_a_second_process_is_told_that_the_run_is_taken(
    process: Command, netloop: Command, paused: None, tmp_path: Path
) -> None:
    (run,) = (tmp_path / ".netloop" / "runs").iterdir()
    with (run / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = process("runs", "approve", run.name)
    assert ended.code == 1
    assert "being worked on by another netloop" in ended.err
    assert netloop("runs", "approve", run.name).code == 3


def started_step(run: Path, tool: str) -> bool:
    log = run / "events.jsonl"
    return log.exists() and any(
        '"step.started"' in line and f'"{tool}"' in line for line in log.read_text().splitlines()
    )


@pytest.fixture
def training(tmp_path: Path, spec_file: Path) -> Iterator[Training]:
    """A run in the middle of training a CNN that would take very long, and its folder."""
    words = ["run", spec_file, "--approve", "auto", "--set", "design.candidates=[majority,cnn]"]
    with (tmp_path / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [NETLOOP, *words, "--set", "design.epochs=9999", "--set", "data.split.validation=0.3"],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        yield process, in_training(tmp_path)
    finally:
        process.kill()
        process.wait()


def in_training(folder: Path) -> Path:
    """The folder of the only run, as soon as it trains its CNN."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = list((folder / ".netloop" / "runs").glob("*"))
        if found and started_step(found[0], "train_cnn"):
            return found[0]
        time.sleep(0.05)
    raise AssertionError("training never began")


def test_kill_9_in_the_middle_of_training_then_resume(netloop: Command, training: Training) -> None:
    process, run = training
    process.send_signal(signal.SIGKILL)
    process.wait()
    listed = json.loads(netloop("runs", "list", "--json").out)
    assert [record["status"] for record in listed] == ["interrupted"]
    before = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    done = [e["data"]["tool"] for e in before if e["type"] == "step.finished"]
    assert done[-1] == "train_baselines"
    ended = netloop("runs", "resume", run.name, "--json")
    assert ended.code == 0, ended.err
    after = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    finished = [e["data"]["tool"] for e in after if e["type"] == "step.finished"]
    assert finished[: len(done)] == done
    assert len(finished) == len(set(finished)), "no finished step was repeated"


def test_ctrl_c_twice_stops_now_and_the_run_can_be_resumed(
    netloop: Command, training: Training, tmp_path: Path
) -> None:
    process, run = training
    process.send_signal(signal.SIGINT)
    while process.poll() is None and "Stopping" not in (tmp_path / "stderr").read_text():
        time.sleep(0.01)  # a second one at once: the step may be over soon
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    said = (tmp_path / "stderr").read_text()
    assert "Stopping after this step" in said
    assert f"Run {run.name} was interrupted in the middle of a step." in " ".join(said.split())
    assert f"netloop runs resume {run.name}" in said
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert netloop("runs", "resume", run.name).code == 0


def test_a_reader_that_leaves_is_no_error_message(
    finished: Any, tmp_path: Path, table: Path
) -> None:
    piped = subprocess.run(
        f"{NETLOOP} detect last {table} | head -n 1",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert json.loads(piped.stdout)["ml"]["label"] in ("attack", "normal")
    assert "Traceback" not in piped.stderr


def test_a_closed_stdout_is_no_traceback(table: Path) -> None:
    shell = 'exec "$0" data inspect "$1" --label kind >&-'
    ended = subprocess.run(
        ["sh", "-c", shell, NETLOOP, table], cwd=table.parent, capture_output=True, text=True
    )
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_sentence(table: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [NETLOOP, "data", "inspect", table, "--label", "kind"],
            cwd=table.parent,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == 1
    assert "netloop: No space left on device." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
