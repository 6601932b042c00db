"""Answering "why?" from the reasons that a plan already gives."""

from typing import Any

from agents.checkpoints import DEFAULT_REASON, Plan


def explain(plan: Plan, question: str) -> str:
    """The reasons of the parameters and tools that the question names; of all if it names none."""
    words = question.lower().replace("_", " ")
    lines = [
        (f"{step.tool} {name}", f"{step.tool}.{name} is {_said(step.params[name])}: {reason}")
        for step in plan.steps
        for name, reason in step.reasons.items()
    ]
    asked = [line for key, line in lines if any(w in words for w in _spoken(key))]
    reasons = asked or [line for _, line in lines if not line.endswith(DEFAULT_REASON)]
    return "\n".join([plan.summary, *reasons])


def _said(value: Any) -> str:
    """A value in words: lists with commas, nothing as ``none``."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _spoken(key: str) -> list[str]:
    """Ways in which a person names ``tool parameter``."""
    parameter = key.split(" ", 1)[1].replace("_", " ")
    return [parameter, parameter.removesuffix("s")]
