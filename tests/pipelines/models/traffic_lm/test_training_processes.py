"""Real processes: two that train together, one that is killed, two without room."""

import multiprocessing
import random
import signal
import socket
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn
from traffic_lm_training_tasks import (
    LONG,
    SETTINGS,
    WHOLE,
    WIDE,
    begin,
    examples,
    full_disk,
    little_memory,
    long,
    new_model,
    together,
    wide_examples,
)

from pipelines.models.cnn.training import one_thread
from pipelines.models.traffic_lm.training import train

# Processes are forked from one that has imported what takes seconds.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pipelines.models.traffic_lm.training", "torch._dynamo"])

Start = Callable[..., tuple[BaseProcess, Connection]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process with a task, and gives what it says; none outlives the test."""
    started = []

    def start(task: Callable[..., object], *arguments: object) -> tuple[BaseProcess, Connection]:
        heard, said = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=begin, args=(task, said, *arguments))
        process.start()
        said.close()
        started.append(process)
        return process, heard

    yield start
    for process in started:
        process.kill()
        process.join()


@pytest.fixture(autouse=True)
def small_work() -> Iterator[None]:
    with one_thread():
        yield


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def assert_same_bits(one: nn.Module, other: nn.Module) -> None:
    for weight, expected in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(weight, expected)


def test_two_processes_are_as_one(start: Start, tmp_path: Path) -> None:
    alone, scores = new_model(), iter([0.5, 0.4, 0.3])
    expected = train(alone, examples(), SETTINGS, seed=0, validate=lambda: next(scores))
    port = free_port()
    answers = [heard.recv() for _, heard in [start(together, r, port, tmp_path) for r in (0, 1)]]
    # Only the main process tells how far it is, and its scores count.
    assert [calls for _, calls in answers] == [3 * 6, 0]
    for rank, (curve, _) in enumerate(answers):
        assert [epoch.validation_macro_f1 for epoch in curve] == [0.5, 0.4, 0.3]
        losses = [epoch.loss for epoch in curve]
        assert losses == pytest.approx([epoch.loss for epoch in expected], abs=1e-6)
        weights = safetensors.torch.load_file(tmp_path / f"{rank}.safetensors")
        for name, weight in alone.named_parameters():
            torch.testing.assert_close(weights[name], weight.detach(), rtol=0, atol=1e-6)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1


def test_one_that_was_killed_goes_on_and_ends_with_the_same_bits(
    start: Start, tmp_path: Path
) -> None:
    killed_at = random.randrange(2, 30)
    process, heard = start(long, tmp_path)
    for _ in range(killed_at):
        heard.recv()
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, f"it was not killed after step {killed_at}"
    assert 1 <= len(list(tmp_path.glob("checkpoint-*"))) <= 2
    resumed, unbroken = new_model(dropout=0.3), new_model(dropout=0.3)
    steps: list[object] = []
    curve = train(
        resumed,
        examples(),
        LONG,
        seed=0,
        checkpoints=tmp_path,
        progress=lambda *call: steps.append(call),
    )
    assert len(steps) <= 36 - killed_at + 1
    assert curve == train(unbroken, examples(), LONG, seed=0)
    assert_same_bits(resumed, unbroken)


def test_a_full_disk_leaves_the_checkpoint_before(start: Start, tmp_path: Path) -> None:
    told = start(full_disk, tmp_path)[1].recv()
    assert f"could not be written into {tmp_path}: File too large" in told
    assert "the checkpoint before, which is whole" in told
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000000002"]
    resumed, unbroken = new_model(), new_model()
    train(resumed, examples(), LONG, seed=0, checkpoints=tmp_path)
    train(unbroken, examples(), LONG, seed=0)
    assert_same_bits(resumed, unbroken)


def test_a_batch_that_does_not_fit_is_done_in_pieces(start: Start) -> None:
    told, curve = start(little_memory)[1].recv()
    assert "The memory of the cpu does not suffice for 1,600 tokens at once" in told[0]
    expected = train(new_model(tokens=WIDE), wide_examples(), WHOLE, seed=0)
    assert curve[0].loss == pytest.approx(expected[0].loss, rel=1e-6)
