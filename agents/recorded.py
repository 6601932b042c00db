"""A planner and a person out of a run's record: what was proposed, answered, read and decided."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from agents.checkpoints import Decision, Plan
from agents.planners.base import Evidence, Planner, Reading, Writes
from agents.spec import Sees
from agents.state import Feedback, Review
from agents.trail import Trail, Turn

if TYPE_CHECKING:
    from pipelines.augment.asking import Author


class RecordedPlans:
    """Proposes, answers and reads what the planner of a run did; else another planner does."""

    name = "recorded"

    def __init__(self, trail: Trail, planner: Planner) -> None:
        self.trail = trail
        self.planner = planner

    def propose(self, evidence: Evidence, feedback: Feedback | None, before: Plan | None) -> Plan:
        """The plan of that stage and version.

        Of a proposal that could not be, only its failure is on record: it is made again.
        """
        turn = self.trail.turns.get(f"{evidence.stage}/{evidence.version}")
        if turn is None or (turn.plan.failure and not turn.plan.gate):
            return self.planner.propose(evidence, feedback, before)
        return turn.plan

    def answer(self, evidence: Evidence, plan: Plan, question: str) -> str:
        """What was answered."""
        known = self.trail.answers.get((plan.place, question))
        return self.planner.answer(evidence, plan, question) if known is None else known

    def read(self, evidence: Evidence, plan: Plan, found: Review) -> Reading:
        """What was read in the results."""
        known = self.trail.readings.get(plan.place)
        return self.planner.read(evidence, plan, found) if known is None else known

    def author(self, sees: Sees) -> "Author | None":
        """Whoever writes for the planner behind it."""
        return self.planner.author(sees) if isinstance(self.planner, Writes) else None


def recorded_decisions(turns: list[Turn]) -> Callable[[Plan], Decision | None]:
    """Answers plans with what was decided on them, in order; on any other one nobody decides."""
    waiting = deque((turn.plan.digest(), d) for turn in turns for d in turn.decisions)

    def decide(plan: Plan) -> Decision | None:
        known = waiting and waiting[0][0] == plan.digest()
        return waiting.popleft()[1] if known else None

    return decide
