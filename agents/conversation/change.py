"""``parameter=value`` as a person types it: the place that is meant, and the value."""

import re
from typing import Any

from agents.checkpoints import Plan, step_names
from agents.edits import read_value
from pipelines.errors import InputError

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|percent)")


def parse_change(line: str, plan: Plan) -> tuple[str, Any]:
    """``step.parameter`` and the value of ``parameter=value``; the step may be left out if clear.

    Raises InputError if it is no change, the value is no YAML, or several steps are meant.
    """
    name, equals, text = (part.strip() for part in line.partition("="))
    if not equals or not name:
        raise InputError(f"{line!r} is not parameter=value.", "Example: test=0.3")
    return find_place(name, plan), typed_value(text)


def typed_value(text: str) -> Any:
    """A value as YAML reads it, and ``30%`` as 0.3. Raises InputError if it cannot be read."""
    share = _PERCENT.fullmatch(text)
    return float(share.group(1)) / 100 if share else read_value(text)


def find_place(name: str, plan: Plan) -> str:
    """``step.parameter`` for a parameter's name. Raises InputError if none or several are meant."""
    if "." in name:
        return name
    places = [place for place in places_of(plan) if place.rpartition(".")[2] == name]
    if len(places) > 1:
        raise InputError(f"{name!r} is in several steps.", f"Write one of: {', '.join(places)}.")
    if not places:
        known = dict.fromkeys(parameter for step in plan.steps for parameter in step.params)
        raise InputError(f"No step has {name!r}.", f"Parameters: {', '.join(known) or 'none'}.")
    return places[0]


def places_of(plan: Plan) -> list[str]:
    """``step.parameter`` of every parameter of a plan, in its order."""
    steps = zip(step_names(plan.steps), plan.steps, strict=True)
    return [f"{name}.{parameter}" for name, step in steps for parameter in step.params]
