"""Small pieces that every stage's rules build their plans from."""

from typing import Any

from agents.checkpoints import Plan, Step
from agents.planners.base import Evidence
from pipelines.datasets.absent import in_words

RULES = "rules"


def step(tool: str, **params: tuple[Any, str]) -> Step:
    """A tool call from ``parameter=(value, reason)``."""
    return Step(
        tool=tool,
        params={name: value for name, (value, _) in params.items()},
        reasons={name: reason for name, (_, reason) in params.items()},
    )


def with_params(plan: Plan, tool: str, **params: tuple[Any, str]) -> Plan:
    """The plan with some parameters of every call of ``tool`` set, each with its reason."""
    values = {name: value for name, (value, _) in params.items()}
    reasons = {name: reason for name, (_, reason) in params.items()}
    steps = [
        s.model_copy(update={"params": {**s.params, **values}, "reasons": {**s.reasons, **reasons}})
        if s.tool == tool
        else s
        for s in plan.steps
    ]
    return plan.model_copy(update={"steps": steps})


def without_tool(plan: Plan, tool: str) -> Plan:
    """The plan without the calls of ``tool``."""
    return plan.model_copy(update={"steps": [s for s in plan.steps if s.tool != tool]})


def param(plan: Plan, tool: str, name: str) -> Any:
    """A parameter of the first call of ``tool``; None if there is no such call."""
    return next((s.params.get(name) for s in plan.steps if s.tool == tool), None)


def absent_of(evidence: Evidence) -> tuple[dict[str, tuple[Any, str]], str]:
    """The parameter of a step that learns without the families that the spec names, and a sentence
    for the plan's summary; nothing of both if it names none."""
    sample = evidence.spec.data.sample
    if sample is None or not sample.absent:
        return {}, ""
    words = f" Never learned from: {in_words(sample.absent)}."
    return {"absent": (sample.absent, "set in the spec: never learned from")}, words


def summarised(plan: Plan, summary: str) -> Plan:
    """The plan with another summary."""
    return plan.model_copy(update={"summary": summary})
