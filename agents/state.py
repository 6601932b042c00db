"""What is checkpointed: plans, decisions, hashes and small numbers; never data."""

import operator
import os
from typing import Annotated, Any, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from agents.checkpoints import Plan, PlanRecord, Stage
from tools.spec import ToolResult

# langgraph reads it once, when it is imported: only annotated types are then ever deserialised.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
# A tracer would send the graph's state past egress.jsonl, which tells all that left the machine.
for _name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2"):
    os.environ[_name] = "false"

FLOW_VERSION = 2


class Feedback(BaseModel):
    """Why a stage is proposed again."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(description="person, review or failure")
    note: str


class Review(BaseModel):
    """What code found after a stage: whether its success criteria hold, and where to go if not."""

    model_config = ConfigDict(extra="forbid")

    passed: bool
    findings: list[str] = Field(default_factory=list)
    reading: list[str] = Field(default_factory=list, description="What the planner makes of it")
    back_to: Stage | None = None
    gate: str = Field(default="", description="A leak: nothing is trained on it unless overridden")
    person_only: bool = Field(
        default=False, description="Whether mending it would go against what a person asked for"
    )
    override: str = Field(default="", description="Why it was accepted all the same")
    by: str = Field(default="", description="Who accepted it: person, or spec")


class State(TypedDict, total=False):
    """The graph's state. Reducers merge by key, so that a subgraph may hand all of it back."""

    flow_version: int
    plan: Plan | None
    done: int
    """How many steps of the plan have been executed."""
    feedback: Feedback | None
    question: str
    history: Annotated[dict[str, PlanRecord], operator.or_]
    """'design/2' -> the second version of the design plan and its decision."""
    artifacts: Annotated[dict[str, str], operator.or_]
    numbers: Annotated[dict[str, dict[str, Any]], operator.or_]
    """Step name (the tool; ``tool#2`` for its second call in a plan) -> numbers of its last run."""
    results: Annotated[dict[str, ToolResult], operator.or_]
    """'design/2/0 train_baselines' -> what that step left."""
    reviews: Annotated[dict[str, Review], operator.or_]
    back_to: Stage | None
    outcome: str
    """Why the run ended before its last stage: refused."""


def plan_in(state: State) -> Plan:
    """The plan that a stage's nodes work on: they run only after it was proposed."""
    plan = state.get("plan")
    assert plan is not None, "a stage's nodes run only after its propose"
    return plan


def versions_of(state: State, stage: Stage) -> list[PlanRecord]:
    """All versions of a stage's plan so far, oldest first."""
    records = [r for r in state.get("history", {}).values() if r.plan.stage == stage]
    return sorted(records, key=lambda record: record.plan.version)


def last_review(state: State, stage: Stage) -> tuple[str, Review] | None:
    """The review of the newest version of a stage's plan that ran, and its name; None before it."""
    found = {n: r for n, r in state.get("reviews", {}).items() if n.startswith(f"{stage}/")}
    name = max(found, key=lambda name: int(name.split("/")[1]), default=None)
    return None if name is None else (name, found[name])


def standing_gate(state: State, stage: Stage) -> Review | None:
    """The leak that stops a stage and that nobody has overridden."""
    found = last_review(state, stage)
    return found[1] if found and found[1].gate and not found[1].override else None


def spent_minutes(state: State) -> float:
    """Wall clock of all steps executed so far; a result that was taken again counts once."""
    once = {result.model_dump_json(): result for result in state.get("results", {}).values()}
    return sum(result.seconds for result in once.values()) / 60


def spent_gpu_minutes(state: State) -> float:
    """The part of ``spent_minutes`` whose steps worked on a GPU."""
    results = state.get("results", {})
    return spent_minutes({"results": {n: r for n, r in results.items() if _on_gpu(r)}})


def _on_gpu(result: ToolResult) -> bool:
    """Whether any model of a step was on a GPU: the whole step then counts."""
    devices = result.numbers.get("device", {})
    return any(str(device).startswith("cuda") for device in devices.values())
