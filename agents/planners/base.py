"""What a planner is: it reads evidence and proposes a plan; it runs nothing."""

from typing import Any, Protocol

from pydantic import BaseModel, Field

from agents.checkpoints import Plan, Stage
from agents.spec import Spec
from agents.state import Feedback


class Evidence(BaseModel):
    """All that a planner may see: the goal, and schemas and statistics that code computed."""

    stage: Stage
    spec: Spec
    facts: dict[str, Any] = Field(default_factory=dict, description="This stage's own findings")
    numbers: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Earlier results")


class Planner(Protocol):
    """Proposes the plan of a stage. ``name`` is shown beside every plan."""

    name: str

    def propose(self, evidence: Evidence, feedback: Feedback | None, before: Plan | None) -> Plan:
        """A plan; with feedback, a changed version of the plan ``before``."""

    def answer(self, evidence: Evidence, plan: Plan, question: str) -> str:
        """Answer a question about a plan from the evidence, deciding nothing."""
