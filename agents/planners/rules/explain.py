"""Answering "why?" from the reasons that a plan already gives."""

from typing import Any

from agents.checkpoints import DEFAULT_REASON, Plan


def explain(plan: Plan, question: str) -> str:
    """The reasons of the parameters and tools that the question names; of all if it names none."""
    words = question.lower().replace("_", " ")
    lines = [
        (
            _spoken(name, step.params[name]),
            f"{step.tool}.{name} is {_said(step.params[name])}: {reason}",
        )
        for step in plan.steps
        for name, reason in step.reasons.items()
    ]
    asked = [line for spoken, line in lines if any(word in words for word in spoken)]
    reasons = asked or [line for _, line in lines if not line.endswith(DEFAULT_REASON)]
    return "\n".join([plan.summary, *reasons])


def _said(value: Any) -> str:
    """A value in words: lists with commas, nothing as ``none``."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _spoken(parameter: str, value: Any) -> list[str]:
    """Ways in which a person names a parameter: by its name, or by the word that it is set to."""
    name = parameter.replace("_", " ")
    chosen = [value.lower().replace("_", " ")] if isinstance(value, str) and value else []
    return [name, name.removesuffix("s"), *chosen]
