"""Rules that a person laid down at the approval screen, kept in the workspace until revoked."""

import datetime
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue

from agents.checkpoints import Plan, Step
from agents.policy.files import parse_policy, read_content
from agents.policy.rules import COSTS, Bounds, Rule, risk_of, steps_of, tool_risk
from agents.policy.verdicts import Remembered
from agents.policy.words import as_content, one_line, whole_minutes
from pipelines.errors import InputError
from pipelines.store.files import write_atomic

Always = Literal["approve", "refuse"]
_HEAD = "# Rules that netloop remembers. See: netloop policy list, netloop policy revoke NUMBER\n"
# What of a rule is not about which steps it matches.
_NOT_MATCHED = ("decide", "added", "why")


def rule_like(plan: Plan, step: Step | None, verdict: Always, why: str = "") -> Rule:
    """A narrow rule for "always" or "never things like this" (None: like this empty plan).

    The stage, the tool and the risk are this step's. A whole number is bounded by what was
    decided: no more where it is approved, no less where it is refused. Every other value must be
    the same. What is approved must cost no more, minutes rounded up. Raises InputError for a step
    that acts outside the run's folder: a person is asked each time.
    """
    step = step or steps_of(plan.model_copy(update={"steps": []}))[0]
    _check_inside(risk_of(step) == "deploy", step.tool)
    return Rule(
        stage=plan.stage,
        tool=step.tool,
        risk=[risk_of(step)],
        params={name: _bounds_like(value, verdict) for name, value in step.params.items()},
        decide=verdict,
        why=why[:400],
        **(_limits_like(step) if verdict == "approve" else {}),
    )


def remember(workspace: Path, rule: Rule) -> int:
    """Keep a rule in the workspace; returns its number.

    Refusals stand before approvals, so that they win. A rule that speaks of the same steps is
    replaced. Raises InputError if it may not be remembered or the file there is damaged.
    """
    outside = "deploy" in (rule.risk or ()) or tool_risk(rule.tool) == "deploy"
    _check_inside(outside, rule.tool)
    rule = rule.model_copy(update={"added": datetime.datetime.now(datetime.UTC).date()})
    with _locked(workspace):
        before = remembered(workspace)
        others = [r for r in (before.rules if before else []) if _matched(r) != _matched(rule)]
        place = 0 if rule.decide == "refuse" else len(others)
        rules = [as_content(r) for r in [*others[:place], rule, *others[place:]]]
        parse_policy({"rules": rules}, "The rule")
        _write(workspace, rules)
    return place + 1


def revoke(workspace: Path, number: int) -> str:
    """Forget a rule; returns it as one line of YAML. Raises InputError if there is none.

    It works on rules that no longer mean anything too, such as one of a tool that is gone.
    """
    with _locked(workspace):
        rules = _stored(workspace)
        if not 1 <= number <= len(rules):
            known = f"There are {len(rules)}." if rules else "None is remembered."
            raise InputError(
                f"There is no rule {number} in {workspace}. {known}", "See: netloop policy list"
            )
        gone = rules.pop(number - 1)
        if rules:
            _write(workspace, rules)
        else:
            path_of(workspace).unlink()
    return one_line(gone)


def remembered(workspace: Path) -> Remembered | None:
    """What the workspace remembers, None if nothing. Raises InputError if the file is damaged."""
    path = path_of(workspace)
    if not path.exists():
        return None
    try:
        policy = parse_policy(read_content(path), f"The policy {path}")
    except InputError as error:
        error.mend = f"{error.mend} Or forget the rule: netloop policy revoke NUMBER".strip()
        raise
    return Remembered(rules=policy.rules).at(f"the workspace's {path.name}")


def path_of(workspace: Path) -> Path:
    """Where a workspace keeps its rules."""
    return workspace / "policy.yaml"


def _check_inside(outside: bool, tool: str) -> None:
    if outside:
        raise InputError(
            f"{tool} acts outside the run's folder: no rule about it is remembered.",
            "It is asked about each time.",
        )


def _bounds_like(value: JsonValue, verdict: Always) -> Bounds:
    if isinstance(value, int) and not isinstance(value, bool):
        return Bounds(max=value) if verdict == "approve" else Bounds(min=value)
    if isinstance(value, float):
        return Bounds(min=value, max=value)
    return Bounds.model_validate({"in": [value]})


def _limits_like(step: Step) -> dict[str, Any]:
    prices = {cost: getattr(step.estimate, cost) for cost in COSTS}
    prices["minutes"] = whole_minutes(step)
    return {f"max_{cost}": price for cost, price in prices.items() if price is not None}


def _matched(rule: Rule) -> dict[str, Any]:
    return rule.model_dump(exclude=set(_NOT_MATCHED))


def _stored(workspace: Path) -> list[Any]:
    """The rules as they lie there, whether or not they mean anything."""
    path = path_of(workspace)
    content = read_content(path) if path.exists() else {}
    rules = content.get("rules") if isinstance(content, dict) else None
    return rules if isinstance(rules, list) else []


def _write(workspace: Path, rules: list[Any]) -> None:
    lines = [f"  - {one_line(rule)}\n" for rule in rules]
    write_atomic(path_of(workspace), _HEAD + "rules:\n" + "".join(lines))


@contextmanager
def _locked(workspace: Path) -> Iterator[None]:
    """One process at a time; the lock is the kernel's and ends with the process."""
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        handle = os.open(workspace / "policy.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InputError(
            f"The workspace {workspace} cannot be written: {error.strerror}.",
            "Name another with --workspace or NETLOOP_WORKSPACE.",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
