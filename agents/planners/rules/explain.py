"""Answering "why?" from the reasons that a plan already gives."""

from agents.checkpoints import Plan


def explain(plan: Plan, question: str) -> str:
    """The reasons of the parameters and tools that the question names; of all if it names none."""
    words = question.lower().replace("_", " ")
    lines = [
        (f"{step.tool} {name}", f"{step.tool}.{name} = {step.params.get(name)}: {reason}")
        for step in plan.steps
        for name, reason in step.reasons.items()
    ]
    asked = [line for key, line in lines if any(w in words for w in _spoken(key))]
    reasons = asked or [line for _, line in lines]
    return "\n".join([plan.summary, *reasons])


def _spoken(key: str) -> list[str]:
    """Ways in which a person names ``tool parameter``."""
    parameter = key.split(" ", 1)[1].replace("_", " ")
    return [parameter, parameter.removesuffix("s")]
