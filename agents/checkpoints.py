"""What a person is asked and answers: plans, decisions and the difference between two plans."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.store.files import canonical_json, hash_text
from tools.spec import Estimate, Risk

Stage = Literal["requirements", "cleaning", "augmentation", "design", "operation"]
STAGES: tuple[Stage, ...] = ("requirements", "cleaning", "augmentation", "design", "operation")

# Why a parameter has its value when nobody set it.
DEFAULT_REASON = "the default"

Action = Literal["approve", "edit", "reject", "ask", "skip", "abort"]


class Question(BaseModel):
    """Something that only a person can know, with the answer that holds if nobody gives one."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="The parameter it sets: 'tool.parameter'")
    text: str
    kind: Literal["share", "quantity", "names", "word"]
    default: str
    reason: str = Field(default="", description="Why it is asked and what the default would mean")


class Step(BaseModel):
    """One tool call as proposed: nothing else may be run in its place."""

    model_config = ConfigDict(extra="forbid")

    tool: str
    params: dict[str, Any] = Field(default_factory=dict)
    reasons: dict[str, str] = Field(default_factory=dict, description="Parameter -> why this value")
    risk: Risk = "read"
    estimate: Estimate = Field(default_factory=Estimate)


class Plan(BaseModel):
    """What a planner proposes for one stage. No steps is a proposal too: do nothing, and why."""

    model_config = ConfigDict(extra="forbid")

    stage: Stage
    version: int = 1
    planner: str
    summary: str = Field(description="One or two sentences: what, and why")
    steps: list[Step] = Field(default_factory=list)
    questions: list[Question] = Field(default_factory=list)
    failure: str = Field(
        default="", description="Why the version before could not be run; only a person goes on"
    )
    gate: str = Field(
        default="", description="The leak that stopped the version before; a person may override it"
    )
    changes: list[str] = Field(
        default_factory=list, description="Difference against the version before, a line each"
    )
    against_default: list[str] = Field(
        default_factory=list, description="Difference against what the rules propose, a line each"
    )
    notes: list[str] = Field(
        default_factory=list, description="What a person must know of how it came about"
    )

    def digest(self) -> str:
        """The hash of what would run. Reasons, estimates and wording are not part of it."""
        calls = [[step.tool, step.params] for step in self.steps]
        asked = [[question.id, question.default] for question in self.questions]
        return hash_text(canonical_json([self.stage, self.version, calls, asked]))

    @property
    def place(self) -> str:
        """``design/2``: its stage and its version, the name of it in a run."""
        return f"{self.stage}/{self.version}"

    def minutes(self) -> float:
        """Estimated minutes of all steps."""
        return sum(step.estimate.minutes for step in self.steps)


class Decision(BaseModel):
    """The answer to one plan. ``plan`` is the digest of the plan that was looked at."""

    model_config = ConfigDict(extra="forbid")

    action: Action
    plan: str = Field(description="Digest of the plan that this decision answers")
    note: str = Field(
        default="", max_length=4000, description="The reason, or the question of an ask"
    )
    edits: dict[str, Any] = Field(
        default_factory=dict, description="'tool.parameter' (or 'tool#2.parameter') -> new value"
    )
    answers: dict[str, str] = Field(default_factory=dict, description="Question id -> answer")
    override: str = Field(
        default="",
        max_length=4000,
        description="Why a person goes on with what the gate stopped, instead of this plan",
    )
    by: str = Field(
        default="person", description="person, policy, auto, or client (an agent's model)"
    )


class PlanRecord(BaseModel):
    """One version of a plan and what became of it: the history that reports print."""

    model_config = ConfigDict(extra="forbid")

    plan: Plan
    decision: Decision | None = None
    answer: str = Field(default="", description="What was replied to an ask")


def step_names(steps: list[Step]) -> list[str]:
    """The name of each step in edits and differences: the tool, and ``#2`` for its second call."""
    seen: dict[str, int] = {}
    names = []
    for step in steps:
        seen[step.tool] = seen.get(step.tool, 0) + 1
        names.append(step.tool if seen[step.tool] == 1 else f"{step.tool}#{seen[step.tool]}")
    return names


def plan_changes(old: Plan, new: Plan) -> list[str]:
    """What differs between two versions of a plan, a line each; empty if the same would run."""
    before = dict(zip(step_names(old.steps), old.steps, strict=True))
    after = dict(zip(step_names(new.steps), new.steps, strict=True))
    lines = [f"- {name}: no longer runs" for name in before if name not in after]
    lines += [f"+ {name}: new" for name in after if name not in before]
    for name in (name for name in after if name in before):
        lines += _parameter_changes(name, before[name].params, after[name].params)
    return lines


def _parameter_changes(name: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    keys = list(dict.fromkeys([*old, *new]))
    missing = object()
    return [
        f"~ {name}.{key}: {_shown(before, missing)} -> {_shown(after, missing)}"
        for key in keys
        if (before := old.get(key, missing)) != (after := new.get(key, missing))
    ]


def _shown(value: Any, missing: object) -> str:
    return "(not set)" if value is missing else canonical_json(value)
