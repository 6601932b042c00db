"""``netloop policy``: rules in words, tried on a plan that waits, and taken back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agents.checkpoints import Plan
from agents.life_cycle import create_run, opened
from agents.policy import Policy, Rule, path_of, remember, remembered
from agents.spec import Spec
from agents.terminal.policy_commands import app, render_remembered, render_rulings
from pipelines.errors import InputError, NetloopError

Show = Callable[..., str]


@pytest.fixture
def show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Show:
    """What a command prints, on one line. Errors come through as they are."""

    def run(*words: object) -> str:
        place = ["--workspace", str(tmp_path)]
        app([*map(str, words), *place], standalone_mode=False)
        return " ".join(capsys.readouterr().out.split())

    return run


@pytest.fixture
def policy_file(tmp_path: Path) -> Callable[[str], Path]:
    """``policy_file(rules)``: a file of them."""

    def write(rules: str) -> Path:
        path = tmp_path / "batch.yaml"
        path.write_text(f"rules: [{rules}]\n")
        return path

    return write


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose last run waits with its first plan."""
    workspace = tmp_path_factory.mktemp("waiting")
    table = workspace / "flows.csv"
    rows = [f"{n % 7},{n % 5},{'attack' if n % 2 else 'normal'}" for n in range(40)]
    table.write_text("\n".join(["bytes,errors,kind", *rows]) + "\n")
    spec = Spec.model_validate(
        {"goal": "attacks or not", "data": {"source": str(table), "label": "kind"}}
    )
    with opened(create_run(workspace, spec, "ask"), workspace) as life_cycle:
        assert life_cycle.advance(lambda plan: None) == "paused"
    return workspace


@pytest.mark.parametrize("command", ["list", "revoke", "check"])
def test_help_has_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert f"Example: netloop policy {command}" in " ".join(shown.output.split())


def test_the_list_is_empty_at_first(show: Show) -> None:
    assert "No rules are remembered" in show("list")
    assert show("list", "--json") == "[]"


def test_the_list_says_what_when_and_why(show: Show, tmp_path: Path) -> None:
    rule = Rule(stage="design", tool="train_cnn", decide="approve", why="quick enough")
    remember(tmp_path, rule)
    remember(tmp_path, Rule(tool="train_traffic_lm", decide="refuse"))
    shown = show("list")
    assert "1. refuse train_traffic_lm of any stage added 20" in shown
    assert "2. approve train_cnn of the design stage added 20" in shown
    assert ": quick enough" in shown
    assert "you are asked" in shown and "netloop policy revoke N" in shown


def test_the_list_as_json(show: Show, tmp_path: Path) -> None:
    params: dict[str, Any] = {"epochs": {"max": 30}, "masks": {"in": ["ttl"]}}
    rule = {"tool": "train_cnn", "params": params, "decide": "approve"}
    remember(tmp_path, Rule.model_validate(rule))
    (entry,) = json.loads(show("list", "--json"))
    assert entry["number"] == 1 and entry["words"].startswith("approve train_cnn of any stage if")
    assert entry["params"]["masks"] == {"in": ["ttl"], "min": None, "max": None}
    assert entry["added"].startswith("20")


def test_revoke(show: Show, tmp_path: Path) -> None:
    remember(tmp_path, Rule(tool="train_cnn", decide="approve"))
    with pytest.raises(InputError, match="no rule 2") as caught:
        show("revoke", 2)
    assert caught.value.exit_code == 2
    assert "Forgotten: {tool: train_cnn, decide: approve, added:" in show("revoke", 1)
    assert remembered(tmp_path) is None


def test_revoke_takes_a_number() -> None:
    assert CliRunner().invoke(app, ["revoke", "all"]).exit_code == 2


def test_check_says_what_each_rule_means(show: Show, policy_file: Callable[[str], Path]) -> None:
    rules = "{tool: train_cnn, params: {epochs: {max: 30}}, decide: approve}, {decide: ask}"
    shown = show("check", policy_file(rules))
    assert "1. approve train_cnn of any stage if epochs is at most 30 2. ask about every" in shown
    assert "A step that none matches is refused, and the run ends." in shown


def test_check_refuses_what_a_run_would_refuse(
    show: Show, policy_file: Callable[[str], Path]
) -> None:
    with pytest.raises(InputError, match="no tool is called 'train_cn'"):
        show("check", policy_file("{tool: train_cn, decide: approve}"))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            "{tool: record_requirements, decide: approve}, {tool: import_rows, decide: approve}",
            [
                "The requirements plan, version 1",
                "record_requirements: approve rule 1 of batch.yaml",
                "import_rows: approve rule 2 of batch.yaml",
                "The plan would be approved.",
            ],
        ),
        ("{stage: requirements, decide: ask}", ["import_rows: ask", "A person would be asked"]),
        (
            "{tool: import_rows, params: {source: {in: [/elsewhere]}}, decide: approve}",
            [
                "import_rows: refuse No rule of batch.yaml matches import_rows",
                "Rule 1 speaks of it, but its source is",
                "One that would: {stage: requirements, tool: import_rows,",
                "The plan would be refused, and the run would end.",
            ],
        ),
    ],
)
def test_check_tries_the_rules_on_the_plan_that_waits(
    policy_file: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
    waiting: Path,
    rules: str,
    said: list[str],
) -> None:
    before = (waiting / "runs").rglob("events.jsonl")
    events = [path.read_bytes() for path in before]
    words = ["check", str(policy_file(rules)), "--run", "last", "--workspace", str(waiting)]
    app(words, standalone_mode=False)
    shown = " ".join(capsys.readouterr().out.split())
    for words_said in said:
        assert words_said in shown
    assert [path.read_bytes() for path in (waiting / "runs").rglob("events.jsonl")] == events


def test_check_of_the_workspaces_own_rules_leaves_the_rest_to_you(
    show: Show, waiting: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remember(tmp_path, Rule(tool="train_cnn", decide="approve"))
    assert "none matches you are asked" in show("check", path_of(tmp_path))


def test_check_of_a_file_that_is_not_there(show: Show, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no policy file"):
        show("check", tmp_path / "none.yaml")


def test_check_without_such_a_run(show: Show, policy_file: Callable[[str], Path]) -> None:
    with pytest.raises(InputError, match="There are no runs"):
        show("check", policy_file("{decide: ask}"), "--run", "last")


def test_check_of_a_run_that_waits_for_nothing(
    show: Show, policy_file: Callable[[str], Path], tmp_path: Path, spec: Callable[..., Spec]
) -> None:
    run = create_run(tmp_path, spec(), "ask")
    with pytest.raises(NetloopError, match=f"Run {run.id} has no plan that waits"):
        show("check", policy_file("{decide: ask}"), "--run", run.id)


def test_a_plan_that_failed_is_a_persons_whatever_a_policy_says(
    screen: Callable[..., Any], plan: Plan
) -> None:
    view = screen(60)
    failed = plan.model_copy(update={"failure": "one class has a single capture"})
    render_rulings(Policy.model_validate({"rules": [{"decide": "approve"}]}), failed, view.console)
    assert "Only a person goes on from here, whatever a policy says: one class" in view.words
    view.check_width()


@pytest.mark.parametrize("width", [40, 80])
def test_foreign_words_stay_words(screen: Callable[..., Any], plan: Plan, width: int) -> None:
    view = screen(width)
    evil = "\x1b[2Jok [bold green]APPROVED[/] \u202e"
    bounds = {"filters": {"in": [[evil]]}}
    rule = {"tool": "clean_rows", "params": bounds, "decide": "approve", "why": evil}
    policy = Policy.model_validate({"rules": [rule]})
    render_remembered(policy, view.console)
    render_rulings(policy, plan, view.console)
    assert "\x1b" not in view.text and "\u202e" not in view.text
    assert r"\x1b[2Jok" in view.words and "[bold green]APPROVED[/]" in view.words
    view.check_width()
