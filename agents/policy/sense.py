"""Whether a rule can match anything: one that cannot is a slip, and a refusal would be lost."""

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from pydantic import JsonValue, ValidationError

from agents.checkpoints import STAGES
from agents.policy.rules import NOTHING, Bounds, Rule, tool_risk
from agents.stages import rules_of
from pipelines.errors import InputError
from pipelines.store.files import canonical_json
from tools.registry import TOOLS
from tools.spec import ToolSpec


def check_rule(rule: Rule, where: str) -> None:
    """Raises InputError for names that nothing has, and for what no step could ever meet."""
    _check_name(where, "stage", rule.stage, STAGES)
    _check_name(where, "tool", rule.tool, (*TOOLS, NOTHING))
    _check_outside(rule, where)
    tools = _tools(rule, where)
    for name, bounds in rule.params.items():
        _check_bounds(f"{where}: {name}", name, bounds, _having(name, tools, rule.tool, where))
    wanted = rule.params.keys()
    if wanted and not any(wanted <= tool.params.model_fields.keys() for tool in tools):
        raise InputError(
            f"{where}: no tool {rule.tool!r} has {' and '.join(wanted)} together.",
            "Write a rule for each tool.",
        )


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that looks most like ``word``, as advice."""
    return f"Did you mean {get_close_matches(word, known, n=1, cutoff=0.0)[0]}?"


def _check_name(where: str, kind: str, pattern: str, known: tuple[str, ...]) -> None:
    if not any(fnmatchcase(name, pattern) for name in known):
        raise InputError(
            f"{where}: no {kind} is called {pattern!r}.", nearest(pattern.strip("*?"), known)
        )


def _check_outside(rule: Rule, where: str) -> None:
    """What acts outside is approved by its name and its risk together, or not at all."""
    if rule.decide != "approve" or rule.dares():
        return
    if "deploy" in (rule.risk or ()) or (rule.tool in TOOLS and tool_risk(rule.tool) == "deploy"):
        raise InputError(
            f"{where}: what acts outside the run's folder is approved only by a rule that names "
            "one tool, without * or ?, and its risk.",
            "Example: {tool: detect_live, risk: [deploy], decide: approve}",
        )


def _tools(rule: Rule, where: str) -> list[ToolSpec[Any]]:
    """The tools that the rule speaks of."""
    named = [tool for name, tool in TOOLS.items() if fnmatchcase(name, rule.tool)]
    _check_stage(rule, named, where)
    if rule.risk is None or not named:
        return named
    risky = [tool for tool in named if tool_risk(tool.name) in rule.risk]
    if not risky:
        risks = ", ".join(f"{tool.name} ({tool_risk(tool.name)})" for tool in named)
        raise InputError(
            f"{where}: no tool {rule.tool!r} is of risk {' or '.join(rule.risk)}.",
            f"There are: {risks}.",
        )
    return risky


def _check_stage(rule: Rule, tools: list[ToolSpec[Any]], where: str) -> None:
    """A tool that stages use is not asked for in another; one that none uses may be anywhere."""
    names = {tool.name for tool in tools}
    homes = [stage for stage in STAGES if names & set(rules_of(stage).tools)]
    if homes and not any(fnmatchcase(stage, rule.stage) for stage in homes):
        raise InputError(
            f"{where}: the stage {rule.stage!r} does not use {rule.tool!r}.",
            f"It is used in: {', '.join(homes)}.",
        )


def _having(name: str, tools: list[ToolSpec[Any]], pattern: str, where: str) -> list[ToolSpec[Any]]:
    """The tools that have the parameter."""
    having = [tool for tool in tools if name in tool.params.model_fields]
    if not having:
        known = {field: None for tool in tools for field in tool.params.model_fields}
        raise InputError(
            f"{where}: no tool {pattern!r} has a parameter {name!r}.",
            nearest(name, known) if known else "It has none.",
        )
    return having


def _check_bounds(where: str, name: str, bounds: Bounds, tools: list[ToolSpec[Any]]) -> None:
    if bounds.among is None and bounds.min is None and bounds.max is None:
        raise InputError(f"{where}: says nothing.", "Give min, max or in.")
    for value in bounds.among or []:
        if not any(_accepts(tool, name, one) for tool in tools for one in (value, [value])):
            raise InputError(
                f"{where} can never be {canonical_json(value)}.", _values(name, value, tools)
            )
    if bounds.min is None and bounds.max is None:
        return
    ranges = [found for tool in tools if (found := _range(tool, name))]
    if not ranges:
        raise InputError(f"{where} is no number.", "Write in: [...] for what it may be.")
    if not any(_meet(bounds, low, high) for low, high in ranges):
        low, high = ranges[0]
        raise InputError(
            f"{where} can never be {_span(bounds.min, bounds.max)}.",
            f"It is {_span(low, high)}." if (low, high) != (None, None) else "",
        )


def _accepts(tool: ToolSpec[Any], name: str, value: JsonValue) -> bool:
    """Whether the tool takes the value, leaving aside what else it would want."""
    try:
        tool.params.model_validate({name: value})
    except ValidationError as error:
        return not any(fault["loc"][:1] == (name,) for fault in error.errors())
    return True


def _values(name: str, value: JsonValue, tools: list[ToolSpec[Any]]) -> str:
    """The nearest value, where a closed list says which there are."""
    known = [one for tool in tools for part in _parts(tool, name) for one in part.get("enum", [])]
    return nearest(str(value), known) if known else ""


def _range(tool: ToolSpec[Any], name: str) -> tuple[float | None, float | None] | None:
    """The least and the greatest number that the tool takes; None if it takes no number."""
    for part in _parts(tool, name):
        if part.get("type") in ("integer", "number"):
            return (
                part.get("minimum", part.get("exclusiveMinimum")),
                part.get("maximum", part.get("exclusiveMaximum")),
            )
    return None


def _parts(tool: ToolSpec[Any], name: str) -> list[dict[str, Any]]:
    """The kinds of value that the parameter may have, and what its lists hold, as JSON Schema."""
    field = tool.params.model_json_schema()["properties"][name]
    kinds = field.get("anyOf", [field])
    return [*kinds, *(kind["items"] for kind in kinds if "items" in kind)]


def _meet(bounds: Bounds, low: float | None, high: float | None) -> bool:
    lows = [one for one in (bounds.min, low) if one is not None]
    highs = [one for one in (bounds.max, high) if one is not None]
    return not lows or not highs or max(lows) <= min(highs)


def _span(low: float | None, high: float | None) -> str:
    parts = [f"at least {low:g}"] if low is not None else []
    return " and ".join([*parts, f"at most {high:g}"] if high is not None else parts)
