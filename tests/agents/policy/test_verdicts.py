"""What a policy decides on a plan: fail closed, and say which rule it was."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from agents.checkpoints import Decision, Plan, Question, Step
from agents.policy import Policy, Remembered, approve_all

MakePlan = Callable[..., Plan]
MakeStep = Callable[..., Step]


def policy(*rules: dict[str, object]) -> Policy:
    return Policy.model_validate({"rules": list(rules)})


def decided(decision: Decision | None) -> Decision:
    assert decision is not None
    return decision


@pytest.fixture
def train(plan: MakePlan, step: MakeStep) -> Plan:
    """A design plan of one training."""
    return plan("design", step("train_cnn", minutes=10, epochs=50))


def test_auto_approves_exactly_the_plan_that_it_saw(train: Plan) -> None:
    decision = decided(approve_all(train))
    assert (decision.action, decision.plan, decision.by) == ("approve", train.digest(), "auto")


@pytest.mark.parametrize("tool", ["detect_live", "export_flows"])
def test_auto_leaves_what_acts_outside_to_a_person(
    plan: MakePlan, step: MakeStep, tool: str
) -> None:
    assert approve_all(plan("operation", step("write_report"), step(tool))) is None


@pytest.mark.parametrize(
    ("rule", "action"),
    [
        ({"decide": "approve"}, "approve"),
        ({"risk": ["train"], "decide": "approve"}, "approve"),
        ({"decide": "refuse"}, "abort"),
        ({"decide": "ask"}, None),
        ({"stage": "cleaning", "decide": "approve"}, "abort"),
        ({"tool": "detect_*", "decide": "approve"}, "abort"),
        ({"max_minutes": 9.9, "decide": "approve"}, "abort"),
        ({"stage": "cleaning", "decide": "ask"}, "abort"),
    ],
)
def test_what_one_rule_decides(train: Plan, rule: dict[str, object], action: str | None) -> None:
    decision = policy(rule).decide(train)
    assert (decision and decision.action) == action


def test_the_first_match_wins(train: Plan) -> None:
    assert (
        policy({"tool": "train_cnn", "decide": "ask"}, {"decide": "approve"}).decide(train) is None
    )


def test_every_step_must_be_approved(plan: MakePlan, step: MakeStep) -> None:
    two = plan("design", step("train_cnn"), step("train_baselines"))
    asks = policy({"tool": "train_cnn", "decide": "approve"}, {"decide": "ask"})
    assert asks.decide(two) is None
    silent = decided(policy({"tool": "train_cnn", "decide": "approve"}).decide(two))
    assert silent.action == "abort"
    assert "train_baselines" in silent.note and "matches train_cnn" not in silent.note


def test_one_refused_step_refuses_the_plan(plan: MakePlan, step: MakeStep) -> None:
    two = plan("design", step("train_cnn"), step("train_baselines"))
    rules = policy({"tool": "train_baselines", "decide": "refuse"}, {"decide": "approve"})
    decision = decided(rules.decide(two))
    assert (decision.action, decision.by) == ("abort", "policy")
    assert decision.note == (
        "train_baselines: rule 1 of the policy (refuse train_baselines of any stage)"
    )


def test_the_note_says_which_rule_approved_which_step(plan: MakePlan, step: MakeStep) -> None:
    steps = step("train_baselines"), step("train_cnn"), step("train_cnn")
    rules = policy(
        {"tool": "train_cnn", "max_minutes": 5, "decide": "approve"},
        {"stage": "design", "decide": "approve"},
    )
    decision = decided(rules.at("batch.yaml").decide(plan("design", *steps)))
    assert (decision.action, decision.by) == ("approve", "policy")
    assert decision.note == (
        "train_baselines: rule 2 of batch.yaml (approve every step of the design stage, but "
        "nothing that acts outside the run's folder); train_cnn, train_cnn#2: rule 1 of "
        "batch.yaml (approve train_cnn of any stage if it costs at most 5 min)"
    )


def test_a_note_is_never_longer_than_a_decision_holds(plan: MakePlan, step: MakeStep) -> None:
    many = plan("design", *[step("train_cnn") for _ in range(500)])
    decision = decided(policy({"decide": "approve"}).decide(many))
    assert (decision.action, len(decision.note)) == ("approve", 4000)


def test_no_match_names_the_step_the_nearest_rule_and_one_that_would(train: Plan) -> None:
    rules = policy(
        {"stage": "cleaning", "decide": "approve"},
        {"tool": "train_*", "params": {"epochs": {"max": 30}}, "decide": "approve"},
    )
    decision = decided(rules.at("batch.yaml").decide(train))
    assert (decision.action, decision.by) == ("abort", "policy")
    said, _, shown = decision.note.partition(" One that would: ")
    assert said == (
        "No rule of batch.yaml matches train_cnn of the design plan (risk train, about 10 min). "
        "Rule 2 speaks of it, but its epochs is 50, more than 30."
    )
    mended = policy(
        *[rule.model_dump(by_alias=True) for rule in rules.rules], yaml.safe_load(shown)
    )
    assert decided(mended.decide(train)).action == "approve"


def test_a_blanket_yes_refuses_what_acts_outside_and_shows_how_to_allow_it(
    plan: MakePlan, step: MakeStep
) -> None:
    live = plan("operation", step("write_report"), step("detect_live", minutes=0.2))
    blanket: dict[str, object] = {"decide": "approve"}
    decision = decided(policy(blanket).decide(live))
    assert decision.action == "abort"
    said, _, shown = decision.note.partition(" One that would: ")
    assert "(risk deploy, under a minute). Rule 1 speaks of it, but it acts outside" in said
    named = yaml.safe_load(shown)
    assert (named["tool"], named["risk"]) == ("detect_live", ["deploy"])
    assert decided(policy(blanket, named).decide(live)).action == "approve"
    assert policy({"risk": ["deploy"], "decide": "ask"}, blanket).decide(live) is None


@pytest.mark.parametrize(
    ("rules", "action"),
    [
        ([{"stage": "augmentation", "decide": "approve"}], "approve"),
        ([{"tool": "none", "max_rows": 0, "decide": "approve"}], "approve"),
        ([{"tool": "train_*", "decide": "approve"}], "abort"),
        ([{"stage": "augmentation", "tool": "none", "decide": "refuse"}], "abort"),
        ([{"risk": ["deploy"], "decide": "refuse"}, {"decide": "approve"}], "approve"),
    ],
)
def test_an_empty_plan_is_a_step_that_does_nothing(
    plan: MakePlan, rules: list[dict[str, object]], action: str
) -> None:
    assert decided(policy(*rules).decide(plan("augmentation"))).action == action


class TestRemembered:
    """Rules of the approval screen: they spare a question, and open no door that was shut."""

    YES = Remembered.model_validate({"rules": [{"decide": "approve"}]})
    NO = Remembered.model_validate({"rules": [{"decide": "refuse"}]})

    def test_they_answer_like_a_policy(self, train: Plan) -> None:
        assert decided(self.YES.decide(train)).action == "approve"
        assert decided(self.NO.decide(train)).action == "abort"
        assert decided(self.YES.decide(train)).by == "policy"

    def test_what_none_matches_is_asked(self, train: Plan) -> None:
        rule: dict[str, Any] = {"stage": "cleaning", "decide": "refuse"}
        assert Remembered.model_validate({"rules": [rule]}).decide(train) is None

    @pytest.mark.parametrize("part", ["failure", "gate"])
    def test_a_plan_that_went_wrong_is_a_persons(self, train: Plan, part: str) -> None:
        stopped = train.model_copy(update={part: "ttl alone gives the label away"})
        assert self.YES.decide(stopped) is None and self.NO.decide(stopped) is None

    def test_open_questions_are_a_persons(self, train: Plan) -> None:
        question = Question(id="train_cnn.epochs", text="How many?", kind="quantity", default="30")
        asking = train.model_copy(update={"questions": [question]})
        assert self.YES.decide(asking) is None
        assert decided(self.NO.decide(asking)).action == "abort"

    @pytest.mark.parametrize("tool", ["detect_live", "export_flows"])
    def test_what_acts_outside_is_a_persons(
        self, plan: MakePlan, step: MakeStep, tool: str
    ) -> None:
        named = {"tool": tool, "risk": ["deploy"], "decide": "approve"}
        asks = plan("operation", step(tool))
        assert decided(policy(named).decide(asks)).action == "approve", "in a policy file it holds"
        assert Remembered.model_validate({"rules": [named]}).decide(asks) is None
        assert self.NO.decide(asks) is None
