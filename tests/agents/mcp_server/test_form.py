"""The form: whatever a plan holds becomes fields that every client can show."""

import pytest
from mcp.server.elicitation import render_elicitation_schema
from pydantic import ValidationError

from agents.checkpoints import Plan, Question, Step
from agents.mcp_server.form import decision_of, form_of, message_of

HOSTILE = "\x1b[2J[bold]yes[/bold]\u202e"


@pytest.fixture
def plan() -> Plan:
    return Plan(
        stage="requirements",
        planner="rules",
        summary=f"Tell {HOSTILE} apart",
        steps=[
            Step(
                tool="record_requirements",
                params={"metric": "macro_f1", "target": None, "benign": []},
                reasons={"metric": HOSTILE},
                risk="write",
            )
        ],
        questions=[
            Question(id="record_requirements.target", text="Which?", kind="share", default="none"),
            Question(
                id="record_requirements.benign", text=HOSTILE, kind="names", default=HOSTILE,
                reason=HOSTILE,
            ),
        ],
    )  # fmt: skip


def test_every_field_is_one_that_the_protocol_knows(plan: Plan) -> None:
    schema = render_elicitation_schema(form_of(plan))
    assert list(schema["properties"]) == ["decision", "reason", "answer_1", "answer_2"]
    assert "\x1b" not in str(schema)


def test_foreign_words_in_a_plan_are_visible_in_its_message(plan: Plan) -> None:
    message = message_of("20260101-000000-abcd", plan)
    assert not {"\x1b", "\u202e"} & set(message)
    assert message.count("[bold]yes[/bold]") == 5
    assert plan.digest()[:12] in message


def test_only_answers_that_differ_from_their_defaults_are_answers(plan: Plan) -> None:
    form = form_of(plan)
    kept = decision_of(plan, form.model_validate({"decision": "approve"}))
    assert (kept.action, kept.by, kept.plan, kept.answers) == (
        "approve", "person", plan.digest(), {},
    )  # fmt: skip
    emptied = form.model_validate({"decision": "approve", "answer_1": "", "answer_2": "normal"})
    assert decision_of(plan, emptied).answers == {"record_requirements.benign": "normal"}


@pytest.mark.parametrize(
    "filled",
    [{}, {"decision": "skip"}, {"decision": "approve", "reason": "x" * 4001}],
    ids=["empty", "no choice of the form", "too long"],
)
def test_what_does_not_fit_the_form_is_no_decision(plan: Plan, filled: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        form_of(plan).model_validate(filled)
