"""Decisions from the command line: one answers the plan that waits, or nothing at all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.checkpoints import Decision, Plan
from agents.life_cycle import create_run, opened
from agents.policy import approve_all
from agents.spec import Spec
from agents.terminal.app import app
from agents.workbench import Drained
from pipelines.errors import InputError, NetloopError
from pipelines.store.events import read_events
from pipelines.store.run import RunFolder

MakeSpec = Callable[..., Spec]


def netloop(*words: str) -> Any:
    """Run the command in this process: errors come as they are, an exit as its code."""
    return app(list(words), standalone_mode=False)


@pytest.fixture
def stopped(tmp_path: Path, spec: MakeSpec) -> RunFolder:
    """A run that was stopped after its first plan was approved: nothing waits for a decision."""
    run = create_run(tmp_path, spec(), "ask")
    with opened(run, tmp_path) as life_cycle:

        def approve_and_stop(plan: Plan) -> Decision:
            life_cycle.bench.stop.set()
            return approve_all(plan)

        with pytest.raises(Drained):
            life_cycle.advance(approve_and_stop)
    return run


@pytest.mark.parametrize(
    "words",
    [
        ["approve"],
        ["reject", "--reason", "faster"],
        ["edit", "split_rows.test=0.3"],
        ["abort"],
    ],
    ids=lambda words: words[0],
)
def test_a_decision_never_answers_a_plan_that_nobody_has_seen(
    tmp_path: Path, stopped: RunFolder, words: list[str]
) -> None:
    action, *options = words
    with pytest.raises(NetloopError, match="no plan that waits"):
        netloop("runs", action, stopped.id, *options, "--workspace", str(tmp_path))
    kinds = [event.type for event in read_events(stopped.events)]
    assert kinds.count("plan.decided") == 1
    assert "step.started" not in kinds, "to go on is another command"
    assert netloop("runs", "resume", stopped.id, "--workspace", str(tmp_path)) == 3


@pytest.mark.parametrize("value", ["[", "2026-01-01", ".inf", "'", "{1: {2: "])
def test_an_edit_that_is_no_value_is_one_sentence(
    tmp_path: Path, spec: MakeSpec, value: str
) -> None:
    run = create_run(tmp_path, spec(), "ask")
    with pytest.raises(InputError, match="cannot be read"):
        netloop("runs", "edit", run.id, f"split_rows.test={value}", "--workspace", str(tmp_path))


@pytest.mark.parametrize("reason", ["x" * 4001, "\udcff"], ids=["too long", "no text"])
def test_a_reason_that_cannot_be_kept_is_refused(
    tmp_path: Path, spec: MakeSpec, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = create_run(tmp_path, spec(), "ask")
    place = ["--workspace", str(tmp_path)]
    assert netloop("runs", "resume", run.id, *place) == 3
    with pytest.raises(InputError, match="note"):
        netloop("runs", "reject", run.id, "--reason", reason, *place)
    capsys.readouterr()
    netloop("runs", "show", run.id, "--json", *place)
    shown = json.loads(capsys.readouterr().out)
    assert (shown["status"], shown["pending"]["version"]) == ("paused", 1)
