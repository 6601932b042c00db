"""Policies: the first rule that matches a step decides it; no match asks a person."""

from pathlib import Path

import pytest

from agents.checkpoints import Plan, Stage, Step
from agents.policy import Policy, approve_all, load_policy
from pipelines.errors import InputError
from tools.spec import Estimate, Risk


def plan(stage: Stage = "design", *steps: tuple[str, Risk, float]) -> Plan:
    made = [Step(tool=t, risk=r, estimate=Estimate(minutes=m)) for t, r, m in steps]
    return Plan(stage=stage, planner="rules", summary="", steps=made)


def policy(*rules: dict[str, object]) -> Policy:
    return Policy.model_validate({"rules": list(rules)})


TRAIN = plan("design", ("train_cnn", "train", 10.0))


def test_auto_approves_exactly_the_plan_that_it_saw() -> None:
    decision = approve_all(TRAIN)
    assert (decision.action, decision.plan, decision.by) == ("approve", TRAIN.digest(), "auto")


@pytest.mark.parametrize(
    ("rule", "action"),
    [
        ({"decide": "approve"}, "approve"),
        ({"stage": "design", "decide": "approve"}, "approve"),
        ({"stage": "des*", "tool": "train_*", "decide": "approve"}, "approve"),
        ({"stage": "cleaning", "decide": "approve"}, None),
        ({"tool": "deploy_*", "decide": "approve"}, None),
        ({"risk": ["read"], "decide": "approve"}, None),
        ({"risk": ["train"], "decide": "approve"}, "approve"),
        ({"max_minutes": 9.9, "decide": "approve"}, None),
        ({"max_minutes": 10, "decide": "approve"}, "approve"),
        ({"decide": "refuse"}, "abort"),
        ({"decide": "ask"}, None),
    ],
)
def test_what_one_rule_decides(rule: dict[str, object], action: str | None) -> None:
    decision = policy(rule).decide(TRAIN)
    assert (decision and decision.action) == action


def test_the_first_match_wins() -> None:
    rules = policy({"tool": "train_cnn", "decide": "ask"}, {"decide": "approve"})
    assert rules.decide(TRAIN) is None


def test_every_step_must_be_approved() -> None:
    two = plan("design", ("train_cnn", "train", 1.0), ("import_rows", "write", 1.0))
    assert policy({"tool": "train_*", "decide": "approve"}).decide(two) is None


def test_one_refused_step_refuses_the_plan() -> None:
    two = plan("design", ("train_cnn", "train", 1.0), ("import_rows", "write", 1.0))
    rules = policy({"tool": "import_rows", "decide": "refuse"}, {"decide": "approve"})
    decision = rules.decide(two)
    assert decision is not None
    assert (decision.action, decision.by) == ("abort", "policy")


def test_an_empty_plan_is_decided_by_its_stage() -> None:
    nothing = plan("augmentation")
    assert policy({"stage": "augmentation", "decide": "approve"}).decide(nothing) is not None
    assert policy({"tool": "train_*", "decide": "approve"}).decide(nothing) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: []\n", "rules"),
        ("rules: [{decide: maybe}]\n", "decide"),
        ("rules: [{tol: x, decide: approve}]\n", "tol"),
        ("rules: [{stage: desing, decide: approve}]\n", "no stage is called 'desing'"),
        ("rules: [{tool: trian_*, decide: refuse}]\n", "no tool is called 'trian_.'"),
        ("rules: [\n", "not YAML"),
    ],
)
def test_bad_policies_say_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        load_policy(path)


def test_a_policy_that_is_not_there_says_what_else_approve_takes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not ask, not auto"):
        load_policy(tmp_path / "atuo")
