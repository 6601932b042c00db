"""Always and never: what is kept, what is not, and how it is taken back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agents.checkpoints import Plan, Step
from agents.policy import remembered, revoke
from agents.terminal.chat_habits import Habits
from pipelines.errors import InputError


@pytest.fixture
def habits(tmp_path: Path, screen) -> Callable[..., Habits]:
    """``habits(*lines)``: those of a person who types the lines; ``.screen`` is what they see."""

    def make(*lines: str) -> Habits:
        waiting = [*lines]
        make.screen = screen(80)  # type: ignore[attr-defined]
        return Habits(tmp_path, make.screen.console, lambda question: waiting.pop(0))  # type: ignore[attr-defined]

    return make


@pytest.fixture
def open_plan(plan: Plan) -> Plan:
    """The plan without questions: a rule may approve it."""
    return plan.model_copy(update={"questions": []})


def test_always_remembers_every_step(habits, open_plan: Plan, tmp_path: Path) -> None:
    assert habits("y").keep(open_plan, "approve", "")
    policy = remembered(tmp_path)
    assert policy is not None
    assert [rule.tool for rule in policy.rules] == [step.tool for step in open_plan.steps]
    decision = policy.decide(open_plan)
    assert decision is not None and decision.action == "approve"
    for number in (1, 2, 3):
        assert f"netloop policy revoke {number} --workspace {tmp_path}" in habits.screen.text


@pytest.mark.parametrize("answer", ["", "n", "maybe", "approve"])
def test_nothing_is_remembered_without_a_clear_yes(
    habits, open_plan: Plan, tmp_path: Path, answer: str
) -> None:
    assert not habits(answer).keep(open_plan, "approve", "")
    assert remembered(tmp_path) is None
    assert "Nothing was remembered." in habits.screen.text


def test_the_rule_is_shown_before_it_is_kept(habits, open_plan: Plan) -> None:
    habits("n").keep(open_plan, "approve", "split_rows")
    assert "approve split_rows of the cleaning stage" in habits.screen.words
    assert 'by is "time"' in habits.screen.words


def test_never_asks_which_step(habits, open_plan: Plan, tmp_path: Path) -> None:
    assert habits("split_rows", "yes").keep(open_plan, "refuse", "")
    assert habits().refusal(open_plan).startswith("split_rows: rule 1")
    revoke(tmp_path, 1)
    assert habits().refusal(open_plan) == ""


def test_a_step_that_is_not_there(habits, open_plan: Plan) -> None:
    with pytest.raises(InputError, match="Steps: clean_rows, split_rows, audit_shortcuts"):
        habits("cnn").keep(open_plan, "refuse", "")


def test_a_plan_to_do_nothing_can_be_allowed_always(habits, tmp_path: Path) -> None:
    empty = Plan(stage="augmentation", planner="rules", summary="None.")
    assert habits("y").keep(empty, "approve", "")
    policy = remembered(tmp_path)
    assert policy is not None and policy.decide(empty) is not None


@pytest.mark.parametrize("verdict", ["approve", "refuse"])
def test_what_acts_outside_is_never_covered(
    habits, open_plan: Plan, tmp_path: Path, verdict
) -> None:
    grave = Step(tool="split_rows", params={"by": "time"}, risk="deploy")
    plan = open_plan.model_copy(update={"steps": [*open_plan.steps, grave]})
    with pytest.raises(InputError, match="You are asked about it each time"):
        habits("y", "y").keep(plan, verdict, "clean_rows")
    assert remembered(tmp_path) is None
