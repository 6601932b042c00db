"""The form that puts a plan before a person: shown by the client, never answered by its model."""

import io
from typing import Any, Literal

from mcp.server.mcpserver import Context
from pydantic import BaseModel, Field, create_model

from agents.checkpoints import Decision, Plan
from pipelines.visible import visible

WIDTH = 88


def can_be_asked(context: Context[Any, Any]) -> bool:
    """Whether the client says that it can put a form before its user."""
    found = context.client_capabilities
    asks = None if found is None else found.elicitation
    return asks is not None and (asks.form is not None or asks.url is None)


def message_of(run: str, plan: Plan) -> str:
    """The whole plan, as the terminal shows it, and what a yes would mean."""
    from rich.console import Console

    from agents.terminal.plan_view import render_plan

    page = io.StringIO()
    render_plan(plan, Console(file=page, width=WIDTH, markup=False, highlight=False))
    shown = "\n".join(line.rstrip() for line in page.getvalue().strip().splitlines())
    return (
        f"{shown}\n\nRun {run} waits for you. To approve runs exactly this plan "
        f"({plan.digest()[:12]}); to reject has it changed, by the reason that you give."
    )


def form_of(plan: Plan) -> type[BaseModel]:
    """The fields: a choice without a default, a reason, and one field a question of the plan."""
    fields: dict[str, Any] = {
        "decision": (Literal["approve", "reject"], Field(title="Your decision")),
        "reason": (
            str,
            Field(default="", max_length=4000, title="Reason", description="To reject needs one"),
        ),
    }
    for number, question in enumerate(plan.questions):
        asked = Field(
            default=visible(question.default),
            title=visible(question.text),
            description=visible(question.reason) or "Leave as it is to keep the default",
        )
        fields[_field(number)] = (str, asked)
    return create_model("PlanForm", **fields)


def decision_of(plan: Plan, filled: BaseModel) -> Decision:
    """The person's decision; an answer that was left at its default is no answer."""
    values = filled.model_dump()
    answers = {
        question.id: values[_field(number)]
        for number, question in enumerate(plan.questions)
        if values[_field(number)] not in ("", visible(question.default))
    }
    approved = values["decision"] == "approve"
    return Decision(
        action=values["decision"],
        plan=plan.digest(),
        note=values["reason"],
        answers=answers if approved else {},
        by="person",
    )


def _field(number: int) -> str:
    return f"answer_{number + 1}"
