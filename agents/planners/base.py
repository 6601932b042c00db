"""What a planner is: it reads evidence and proposes a plan; it runs nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pydantic import BaseModel, Field

from agents.budget import What
from agents.checkpoints import Plan, Stage
from agents.spec import Sees, Spec
from agents.state import Feedback, Review

if TYPE_CHECKING:
    from pipelines.augment.asking import Author


class Evidence(BaseModel):
    """All that a planner may see: the goal, and schemas and statistics that code computed.

    Of a language model's prompt it is the source, not the content: ``agents.wall`` decides what of
    it leaves the machine.
    """

    stage: Stage
    version: int = Field(default=1, description="Of the plan that is proposed or spoken of")
    spec: Spec
    facts: dict[str, Any] = Field(default_factory=dict, description="This stage's own findings")
    numbers: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Earlier results")
    rows: Path | None = Field(default=None, description="The folder of the rows, once there are")


class Reading(BaseModel):
    """What a planner makes of a stage's results: words for a person, and a wish."""

    words: list[str] = Field(default_factory=list)
    again: bool = Field(default=False, description="Whether it would propose another trial")


class Planner(Protocol):
    """Proposes the plan of a stage. ``name`` is shown beside every plan."""

    name: str

    def propose(self, evidence: Evidence, feedback: Feedback | None, before: Plan | None) -> Plan:
        """A plan; with feedback, a changed version of the plan ``before``."""

    def answer(self, evidence: Evidence, plan: Plan, question: str) -> str:
        """Answer a question about a plan from the evidence, deciding nothing."""

    def read(self, evidence: Evidence, plan: Plan, found: Review) -> Reading:
        """Read a stage's results after code has judged them; it changes no verdict."""


@runtime_checkable
class Writes(Protocol):
    """A planner that can also write synthetic rows."""

    def author(self, sees: Sees) -> "Author | None":
        """Who writes them, if anybody does, with what it may see of the data."""


@runtime_checkable
class Spends(Protocol):
    """A planner whose proposals cost something."""

    def allow(self, what: What, limit: float) -> None:
        """Let it spend more from here on."""
