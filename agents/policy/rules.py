"""One rule of a policy: which steps it speaks of, and what keeps it from deciding one."""

import datetime
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agents.checkpoints import Plan, Step
from pipelines.store.files import canonical_json
from tools.registry import TOOLS
from tools.spec import Estimate, Risk

Verdict = Literal["approve", "ask", "refuse"]

# What a rule calls the tool of a plan that has no steps.
NOTHING = "none"
# What a step may cost: the fields of its estimate. A rule's limit on one is called ``max_<cost>``.
COSTS = ("minutes", "memory_mb", "rows", "llm_calls", "tokens", "money")
# Of risk "write", and yet traffic leaves the workspace through them.
_SENDS_DATA_OUT = frozenset({"export_flows"})


class Bounds(BaseModel):
    """What a rule demands of one parameter; all that is given must hold.

    ``in`` lists the values that are allowed. Of a list each value must be one of them, and there
    must be at least one; or the list as a whole is listed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    min: int | float | None = None
    max: int | float | None = None
    among: list[JsonValue] | None = Field(default=None, alias="in", min_length=1)

    def objection(self, value: JsonValue) -> str:
        """What is wrong with ``value``, in words; empty if nothing is."""
        shown = canonical_json(value)
        if self.among is not None and not _is_among(value, self.among):
            return f"is {shown}, not one of {canonical_json(self.among)}"
        if self.min is None and self.max is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"is {shown}, which is no number"
        if self.min is not None and value < self.min:
            return f"is {shown}, less than {self.min:g}"
        if self.max is not None and value > self.max:
            return f"is {shown}, more than {self.max:g}"
        return ""


class Rule(BaseModel):
    """One line of a policy: what it matches and what follows."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    stage: str = "*"
    tool: str = "*"
    params: dict[str, Bounds] = Field(default_factory=dict)
    risk: list[Risk] | None = Field(default=None, min_length=1)
    max_minutes: int | float | None = Field(default=None, ge=0)
    max_memory_mb: int | float | None = Field(default=None, ge=0)
    max_rows: int | None = Field(default=None, ge=0)
    max_llm_calls: int | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=0)
    max_money: int | float | None = Field(default=None, ge=0)
    decide: Verdict
    added: datetime.date | None = Field(default=None, description="When it was remembered")
    why: str = Field(default="", max_length=400)

    def speaks_of(self, plan: Plan, step: Step) -> bool:
        """Whether its stage and its tool are those of the step."""
        return fnmatchcase(plan.stage, self.stage) and fnmatchcase(step.tool, self.tool)

    def objection(self, step: Step) -> str:
        """Why the rule does not decide a step that it speaks of; empty if it does."""
        risk = risk_of(step)
        if self.decide == "approve" and risk == "deploy" and not self.dares():
            return "it acts outside the run's folder: that takes its exact name and risk: [deploy]"
        if self.risk and risk not in self.risk:
            return f"its risk is {risk}"
        for name, bounds in self.params.items():
            if name not in step.params:
                return f"it has no {name}"
            if wrong := bounds.objection(step.params[name]):
                return f"its {name} {wrong}"
        return self._too_dear(step.estimate)

    def dares(self) -> bool:
        """Whether it says in so many words that it is about one tool that acts outside."""
        return self.tool in TOOLS and "deploy" in (self.risk or ())

    def matches(self, plan: Plan, step: Step) -> bool:
        """Whether the rule decides this step."""
        return self.speaks_of(plan, step) and not self.objection(step)

    def _too_dear(self, estimate: Estimate) -> str:
        for cost in COSTS:
            limit, price = getattr(self, f"max_{cost}"), getattr(estimate, cost)
            if limit is not None and price is None:
                return f"nobody knows its {cost}"
            if limit is not None and price > limit:
                return f"its {cost} would be {price:g}, more than {limit:g}"
        return ""


def steps_of(plan: Plan) -> list[Step]:
    """The steps that rules are asked about; of an empty plan one that does nothing."""
    return plan.steps or [Step(tool=NOTHING, estimate=Estimate(rows=0))]


def tool_risk(tool: str) -> Risk:
    """A tool's risk; what sends data out counts as ``deploy``."""
    if tool in _SENDS_DATA_OUT:
        return "deploy"
    return TOOLS[tool].risk if tool in TOOLS else "read"


def risk_of(step: Step) -> Risk:
    """A step's risk; ``deploy`` also where only its tool says so and the plan does not."""
    return "deploy" if tool_risk(step.tool) == "deploy" else step.risk


def acts_outside(plan: Plan) -> bool:
    """Whether a step deploys or sends data out: no blanket yes covers such a plan."""
    return any(risk_of(step) == "deploy" for step in plan.steps)


def _is_among(value: JsonValue, allowed: list[JsonValue]) -> bool:
    if any(_same(value, one) for one in allowed):
        return True
    if not isinstance(value, list) or not value:
        return False
    return all(any(_same(each, one) for one in allowed) for each in value)


def _same(one: JsonValue, other: JsonValue) -> bool:
    """Equal, and not because True is 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
