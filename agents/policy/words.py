"""Rules as people read them: a sentence, or one line of YAML."""

import math
from typing import Any

import yaml

from agents.checkpoints import Plan, Step
from agents.policy.rules import COSTS, NOTHING, Bounds, Rule, Verdict, risk_of
from pipelines.store.files import canonical_json
from tools.registry import TOOLS

_VERBS: dict[Verdict, str] = {"approve": "approve", "ask": "ask about", "refuse": "refuse"}
_UNITS = {
    "minutes": "min",
    "memory_mb": "MB",
    "rows": "rows",
    "llm_calls": "LLM calls",
    "tokens": "tokens",
    "money": "US dollars",
}


def in_words(rule: Rule) -> str:
    """What the rule means: ``approve train_cnn of the design stage if epochs is at most 30``."""
    conditions = [f"{name} is {_bounds(bounds)}" for name, bounds in rule.params.items()]
    if rule.risk:
        conditions.insert(0, f"its risk is {' or '.join(rule.risk)}")
    if limits := _limits(rule):
        conditions.append(f"it costs at most {', '.join(limits)}")
    words = f"{_VERBS[rule.decide]} {_steps(rule.tool)} of {_stages(rule.stage)}"
    if conditions:
        words += f" if {' and '.join(conditions)}"
    if rule.decide == "approve" and rule.tool not in (*TOOLS, NOTHING) and not rule.risk:
        words += ", but nothing that acts outside the run's folder"
    return words


def as_yaml(rule: Rule) -> str:
    """The rule as one line of a policy file."""
    return one_line(as_content(rule))


def as_content(rule: Rule) -> dict[str, Any]:
    """The keys of the rule that say something, as YAML and JSON can hold them."""
    return rule.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def rule_for(plan: Plan, step: Step) -> str:
    """A line of YAML that would approve the step."""
    content: dict[str, Any] = {"stage": plan.stage, "tool": step.tool}
    if risk_of(step) == "deploy":
        content["risk"] = ["deploy"]
    if step.estimate.minutes:
        content["max_minutes"] = whole_minutes(step)
    return one_line({**content, "decide": "approve"})


def whole_minutes(step: Step) -> int:
    """The estimate rounded up, for the rates that it rests on change from run to run."""
    return max(1, math.ceil(step.estimate.minutes))


def about(minutes: float) -> str:
    """An estimate for a person who chooses a limit in whole minutes."""
    return "under a minute" if minutes < 1 else f"about {minutes:,.0f} min"


def one_line(content: Any) -> str:
    """YAML in one line."""
    text = yaml.safe_dump(content, default_flow_style=True, sort_keys=False, width=math.inf)
    return str(text).strip()


def _steps(tool: str) -> str:
    if tool == NOTHING:
        return "a plan without steps"
    return "every step" if tool == "*" else tool


def _stages(stage: str) -> str:
    if stage == "*":
        return "any stage"
    return f"stages called {stage}" if set("*?[") & set(stage) else f"the {stage} stage"


def _bounds(bounds: Bounds) -> str:
    parts = []
    if bounds.among is not None:
        parts.append(" or ".join(map(canonical_json, bounds.among)))
    if bounds.min is not None and bounds.min == bounds.max:
        return " and ".join([*parts, f"{bounds.min:g}"])
    if bounds.min is not None:
        parts.append(f"at least {bounds.min:g}")
    if bounds.max is not None:
        parts.append(f"at most {bounds.max:g}")
    return " and ".join(parts)


def _limits(rule: Rule) -> list[str]:
    limits = {cost: getattr(rule, f"max_{cost}") for cost in COSTS}
    return [f"{limit:,.12g} {_UNITS[cost]}" for cost, limit in limits.items() if limit is not None]
