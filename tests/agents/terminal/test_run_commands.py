"""``netloop run`` and ``netloop runs``: whole life cycles, decisions, exit codes, both streams."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from command_line import Command

REPOSITORY = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((REPOSITORY / "docs" / "run-output.schema.json").read_text())


def test_a_run_to_the_end_as_json(ended_run: tuple[Path, Any]) -> None:
    _, found = ended_run
    jsonschema.validate(found, SCHEMA)
    assert found["status"] == "done"
    assert found["split"]["groups_on_two_sides"] == 0
    assert Path(found["split"]["manifest"]).is_file()
    assert Path(found["detector"]).is_dir()
    assert Path(found["report"]).is_file()
    assert {row["name"] for row in found["models"]} == {"majority", "logistic_regression"}
    assert found["best"] == "logistic_regression"
    assert all(row["ci"][0] <= row["macro_f1"] <= row["ci"][1] for row in found["models"])


def test_the_schema_in_the_docs_is_the_model() -> None:
    from agents.output import RunOutput

    assert RunOutput.model_json_schema() == SCHEMA


def test_a_run_to_the_end_for_people(netloop: Command, spec_file: Path) -> None:
    ended = netloop("run", spec_file, "--approve", "auto")
    assert ended.code == 0
    assert "logistic_regression" in ended.out
    assert "No group is on two sides." in ended.out
    lines = [
        line for line in ended.out.splitlines() if not line.startswith(("detector:", "report:"))
    ]
    assert max(map(len, lines)) <= 80


def test_without_a_terminal_it_pauses_and_says_how_to_go_on(
    netloop: Command, spec_file: Path
) -> None:
    paused = netloop("run", spec_file, "--approve", "ask", "--json")
    assert paused.code == 3
    found = json.loads(paused.out)
    jsonschema.validate(found, SCHEMA)
    assert (found["status"], found["pending"]["stage"]) == ("paused", "requirements")
    assert f"netloop runs approve {found['run']}" in paused.err
    stages = []
    for _ in range(5):
        stages.append(found["pending"]["stage"])
        step = netloop("runs", "approve", found["run"], "--json")
        found = json.loads(step.out)
    assert stages == ["requirements", "cleaning", "augmentation", "design", "operation"]
    assert (step.code, found["status"], found["pending"]) == (0, "done", None)


def test_reject_edit_and_approve_from_the_command_line(netloop: Command, spec_file: Path) -> None:
    netloop("run", spec_file)
    netloop("runs", "approve", "last", "--answer", "record_requirements.target=0.6")
    refused = netloop("runs", "reject", "last", "--reason", "30% for test, and drop nothing")
    assert refused.code == 3
    assert "~ split_rows.test: 0.5 -> 0.3" in refused.err
    edited = netloop(
        "runs", "edit", "last", "split_rows.test=0.4", "clean_rows.filters=[]", "--json"
    )
    assert edited.code == 3
    plan = json.loads(edited.out)["pending"]["plan"]
    assert plan["version"] == 3
    assert "~ split_rows.test: 0.3 -> 0.4" in plan["changes"]
    assert netloop("runs", "approve", "last").code == 3
    shown = json.loads(netloop("runs", "show", "last", "--json").out)
    assert shown["pending"]["stage"] == "augmentation"
    assert shown["split"]["sizes"]["test"] == 120


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["edit", "last", "split_rows.test=7"], "less than 1"),
        (["edit", "last", "nothing.test=0.3"], "names no step"),
        (["edit", "last", "test"], "is not step.parameter=value"),
        (["reject", "last", "--reason", " "], "needs words"),
        (["approve", "last", "--answer", "split_rows.test=0.3"], "does not ask"),
    ],
)
def test_a_bad_decision_changes_nothing(
    netloop: Command, paused: None, words: list[str], said: str
) -> None:
    refused = netloop("runs", *words)
    assert refused.code == 2
    assert said in refused.err
    assert "Traceback" not in refused.err
    shown = json.loads(netloop("runs", "show", "last", "--json").out)
    assert (shown["status"], shown["pending"]["stage"], shown["pending"]["version"]) == (
        "paused",
        "cleaning",
        1,
    )


def test_abort_exits_with_4(netloop: Command, spec_file: Path) -> None:
    netloop("run", spec_file)
    assert netloop("runs", "abort", "last", "--reason", "wrong data").code == 4
    assert json.loads(netloop("runs", "list", "--json").out)[0]["status"] == "refused"


def test_a_policy_approves_refuses_or_leaves_it_to_a_person(
    netloop: Command, spec_file: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: [{stage: requirements, decide: approve}, {decide: ask}]\n")
    paused = netloop("run", spec_file, "--approve", policy, "--json")
    assert paused.code == 3
    assert json.loads(paused.out)["pending"]["stage"] == "cleaning"
    policy.write_text("rules: [{tool: split_rows, decide: refuse}, {decide: approve}]\n")
    assert netloop("runs", "resume", "last").code == 4
    policy.write_text("rules: [{decide: approve}]\n")
    assert netloop("run", spec_file, "--approve", policy).code == 0


def test_a_missed_target_exits_with_1_and_keeps_everything(
    netloop: Command, spec_file: Path, tmp_path: Path
) -> None:
    ended = netloop(
        "run", spec_file, "--approve", "auto", "--json", "--set", "requirements.target=1.0"
    )
    found = json.loads(ended.out)
    assert (ended.code, found["status"]) == (1, "target_missed")
    assert Path(found["detector"]).is_dir()
    assert "target" in Path(found["report"]).read_text()


def test_a_spent_budget_exits_with_5(netloop: Command, spec_file: Path) -> None:
    ended = netloop(
        "run", spec_file, "--approve", "auto", "--json", "--set", "budget.minutes=0.000001"
    )
    assert ended.code == 5
    assert json.loads(ended.out)["status"] == "budget"


def test_approving_a_run_that_waits_for_nothing(netloop: Command, finished: Any) -> None:
    ended = netloop("runs", "approve", "last")
    assert ended.code == 1
    assert "no plan that waits" in ended.err
