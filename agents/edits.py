"""What a decision does to a plan: edits and answers set parameters, nothing else."""

from typing import Any

import yaml

from agents.checkpoints import Decision, Plan, Question, step_names
from pipelines.errors import InputError
from pipelines.store.files import canonical_json
from tools.calls import check_params
from tools.registry import find_tool


def apply_decision(plan: Plan, decision: Decision) -> Plan:
    """The plan with a decision's edits and answers in its parameters, and their questions settled.

    Raises InputError for a parameter that is not there or a value that its tool refuses.
    """
    values = {**_answers(plan, decision), **decision.edits}
    for place, value in values.items():
        plan = _set(plan, place, value)
    open_questions = [question for question in plan.questions if question.id not in values]
    return plan.model_copy(update={"questions": open_questions})


def check_decision(plan: Plan, decision: Decision) -> None:
    """Raises InputError if the decision cannot be carried out on this very plan."""
    if decision.plan != plan.digest():
        raise InputError(
            f"The {plan.stage} plan has changed since that decision was made.",
            "Look at it again, then decide.",
        )
    if decision.action in ("reject", "ask") and not decision.note.strip():
        raise InputError(f"To {decision.action} needs words.", "Say why, or what you want to know.")
    if decision.override:
        _check_override(plan, decision)
    if decision.action == "edit" and not decision.edits:
        raise InputError("An edit names at least one parameter.", "Example: split_rows.test=0.3")
    apply_decision(plan, decision)


def _check_override(plan: Plan, decision: Decision) -> None:
    if not plan.gate:
        raise InputError(
            "There is nothing to override: no audit has stopped this plan.",
            "Approve it as it is.",
        )
    if decision.action != "approve" or decision.by != "person" or not decision.override.strip():
        raise InputError(
            "Only a person can override the audit, by approving, and with a reason.",
            'Example: netloop runs approve last --override "the field is known in operation"',
        )


def read_value(text: str) -> Any:
    """The value that a person typed for a parameter, as YAML reads it.

    Raises InputError for what is no YAML, or is nothing that JSON can say (a plan is JSON).
    """
    try:
        value = yaml.safe_load(text)
        canonical_json(value)
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"The value {text!r} cannot be read.", 'Put it in quotes: "..."'
        ) from error
    return value


def _answers(plan: Plan, decision: Decision) -> dict[str, Any]:
    known = {question.id: question for question in plan.questions}
    for name in decision.answers:
        if name not in known:
            asked = ", ".join(known) or "nothing"
            raise InputError(f"The plan does not ask {name!r}.", f"It asks: {asked}.")
    return {name: _value(known[name], text) for name, text in decision.answers.items()}


def _value(question: Question, text: str) -> Any:
    words = text.strip()
    if question.kind == "names":
        names = [name.strip() for name in words.split(",")]
        return [name for name in names if name and name.lower() != "none"]
    if words.lower() in ("", "none", "-"):
        return None
    if question.kind == "word":
        return words.lower()
    try:
        number = float(words.rstrip("% "))
    except ValueError as error:
        raise InputError(f"{question.id}: {text!r} is not a number.") from error
    is_percent = words.endswith("%") or (question.kind == "share" and number > 1)
    return number / 100 if is_percent else number


def _set(plan: Plan, place: str, value: Any) -> Plan:
    step_name, dot, parameter = place.rpartition(".")
    names = step_names(plan.steps)
    if not dot or step_name not in names:
        known = ", ".join(names) or "none"
        raise InputError(
            f"{place!r} names no step of the plan.", f"Steps: {known}. Write step.parameter=value"
        )
    index = names.index(step_name)
    step = plan.steps[index]
    params = {**step.params, parameter: value}
    checked = check_params(find_tool(step.tool), params).model_dump(mode="json")
    reasons = {**step.reasons, parameter: "set by you"}
    changed = step.model_copy(update={"params": checked, "reasons": reasons})
    steps = [*plan.steps[:index], changed, *plan.steps[index + 1 :]]
    return plan.model_copy(update={"steps": steps})
