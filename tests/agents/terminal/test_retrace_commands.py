"""``netloop runs replay``, ``fork`` and ``diff`` as they are typed: exit codes, both streams."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.cells import cell_len
from typer.testing import CliRunner

from agents.checkpoints import Decision, Plan
from agents.life_cycle import create_run, opened
from agents.replay_report import ReplayReport, ReplayRow
from agents.spec import Spec
from agents.terminal import retrace_commands
from agents.terminal.render_compare import render_comparison, render_replay
from agents.trail import Trail
from pipelines.errors import InputError
from pipelines.store.run import RunFolder

app = typer.Typer(rich_markup_mode=None)
for command in (retrace_commands.replay, retrace_commands.fork, retrace_commands.diff):
    app.command()(command)


def netloop(workspace: Path, *words: str) -> Any:
    """Run the command in this process: errors come as they are, an exit as its code."""
    return app([*words, "--workspace", str(workspace)], standalone_mode=False)


def approve(plan: Plan) -> Decision:
    return Decision(action="approve", plan=plan.digest())


def walk(workspace: Path, spec: Spec, *acts: Callable[[Plan], Decision]) -> RunFolder:
    run, waiting = create_run(workspace, spec, "ask"), list(acts)
    with opened(run, workspace) as life_cycle:
        life_cycle.advance(lambda plan: waiting.pop(0)(plan) if waiting else None)
    return run


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory, table: Path) -> RunFolder:
    """A run whose augmentation plan waits."""
    spec = Spec.model_validate(
        {
            "goal": "Tell attacks from normal records",
            "data": {"source": str(table), "label": "kind"},
            "design": {"candidates": ["majority"]},
        }
    )
    return walk(tmp_path_factory.mktemp("workspace"), spec, approve, approve)


@pytest.mark.parametrize("command", ["replay", "fork", "diff"])
def test_help_has_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert f"Example: netloop runs {command}" in " ".join(shown.stdout.split())


def test_an_equal_replay_exits_with_0(
    cleaned: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert netloop(cleaned.workspace, "replay", cleaned.id) == 0
    out = capsys.readouterr().out
    assert all(cell_len(line) <= 80 for line in out.splitlines())
    assert "plan      cleaning/1" in out and "differs" not in out
    assert "every plan and every hash is equal" in " ".join(out.split())


def test_a_replay_that_differs_exits_with_1_and_says_where(
    cleaned: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    events = cleaned.events.read_text()
    cleaned.events.write_text(events.replace(Trail(cleaned).artifacts["audit"], "0" * 64))
    try:
        assert netloop(cleaned.workspace, "replay", cleaned.id, "--json") == 1
    finally:
        cleaned.events.write_text(events)
    report = ReplayReport.model_validate(json.loads(capsys.readouterr().out))
    assert not report.equal
    assert report.first is not None and "audit_shortcuts audit differs" in report.first


def test_a_fork_without_a_terminal_waits_and_says_how_to_go_on(
    cleaned: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert netloop(cleaned.workspace, "fork", cleaned.id, "--at", "cleaning/1", "--json") == 3
    captured = capsys.readouterr()
    shown = json.loads(captured.out)
    assert (shown["status"], shown["pending"]["stage"]) == ("paused", "cleaning")
    assert f"netloop runs approve {shown['run']}" in captured.err
    assert f"forked from {cleaned.id}" in captured.err


def test_a_fork_can_be_decided_by_a_policy(
    cleaned: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: [{stage: cleaning, decide: approve}, {decide: refuse}]")
    words = ["--at", "cleaning", "--approve", str(policy), "--json"]
    assert netloop(cleaned.workspace, "fork", cleaned.id, *words) == 4
    shown = json.loads(capsys.readouterr().out)
    assert shown["status"] == "refused"
    record = RunFolder.open(cleaned.workspace, shown["run"]).read()
    assert record["approve"] == str(policy)
    assert record["forked_from"]["stage"] == "cleaning"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--at", "cooking"], "names no plan"),
        (["--at", "design/two"], "names no plan"),
        (["--at", "cleaning/"], "names no plan"),
        (["--at", "cleaning/²"], "names no plan"),
        (["--at", "operation"], "has no plan operation"),
        (["--at", "cleaning", "--approve", "nowhere.yaml"], "no policy file"),
    ],
)
def test_what_cannot_be_forked_makes_no_run(
    cleaned: RunFolder, words: list[str], said: str
) -> None:
    before = len(RunFolder.all(cleaned.workspace))
    with pytest.raises(InputError, match=said):
        netloop(cleaned.workspace, "fork", cleaned.id, *words)
    assert len(RunFolder.all(cleaned.workspace)) == before


@pytest.mark.parametrize("command", [["replay"], ["fork", "--at", "design"], ["diff", "last"]])
def test_a_run_that_is_not_there(tmp_path: Path, command: list[str]) -> None:
    with pytest.raises(InputError, match="There is no run"):
        netloop(tmp_path, command[0], "20261120-181924-1f9a", *command[1:])


def test_a_run_is_equal_to_itself_in_one_line(
    cleaned: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    netloop(cleaned.workspace, "diff", cleaned.id, cleaned.id)
    out = capsys.readouterr().out
    assert " ".join(out.split()).startswith(f"Runs {cleaned.id} and {cleaned.id} are equal")
    assert "\n\n" not in out


def test_a_difference_for_people_and_for_programs(
    cleaned: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    def edit(plan: Plan) -> Decision:
        edits = {"split_rows.test": 0.25}
        return Decision(action="edit", plan=plan.digest(), edits=edits)

    workspace = cleaned.workspace
    spec = Spec.model_validate({**cleaned.read()["spec"], "seed": 3})
    other = walk(workspace, spec, approve, edit, approve)
    netloop(workspace, "diff", cleaned.id, other.id)
    out = capsys.readouterr().out
    assert all(cell_len(line) <= 80 for line in out.splitlines())
    lines = [line.split() for line in out.splitlines()]
    assert ["seed", "0", "3"] in lines
    assert "cleaning/2, only in B" in out
    assert "  ~ split_rows.test: 0.5 -> 0.25" in out.splitlines()
    assert "  B: edit split_rows.test=0.25 (person)" in out.splitlines()
    assert ["rows", "of", "test", "150", "74"] in lines
    netloop(workspace, "diff", cleaned.id, other.id, "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["equal"] is False
    assert found["spec"] == [{"name": "seed", "a": 0, "b": 3}]


def test_words_of_a_run_cannot_move_the_terminal(screen: Any) -> None:
    """A note or a path may hold escapes: they are shown, not sent."""
    row = ReplayRow(what="decision", name="design/1", recorded="\x1b[2J", replayed=None, same=False)
    report = ReplayReport(
        source="a", run="b", equal=False, first="\x1b]52;c;", changes=["~ \x9bx"], rows=[row]
    )
    for width in (40, 80):
        shown = screen(width)
        render_replay(report, shown.console)
        assert not {"\x1b", "\x9b"} & set(shown.text)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_comparison_fits_the_screen(
    cleaned: RunFolder, screen: Any, width: int, tmp_path: Path
) -> None:
    from agents.compare_runs import compare_runs

    spec = Spec.model_validate({**cleaned.read()["spec"], "goal": "\x1b[2J" + "long words " * 40})
    shown = screen(width)
    found = compare_runs(Trail(cleaned), Trail(create_run(tmp_path, spec, "ask")))
    render_comparison(found, shown.console)
    shown.check_width()
    assert "\x1b" not in shown.text
    assert "only in A" in shown.text
