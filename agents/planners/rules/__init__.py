"""The planner without a language model: it reads the goal and the evidence by rules."""

from types import ModuleType

from agents.checkpoints import Plan, Stage
from agents.planners.base import Evidence, Reading
from agents.planners.rules import augmentation, cleaning, design, operation, requirements
from agents.planners.rules.explain import explain
from agents.state import Feedback, Review

# One module a stage, each with propose(evidence) and revise(evidence, plan, feedback).
STAGE_RULES: dict[Stage, ModuleType] = {
    "requirements": requirements,
    "cleaning": cleaning,
    "augmentation": augmentation,
    "design": design,
    "operation": operation,
}


class RulePlanner:
    """Fills the plan of every stage from the spec, the goal and measured facts, with reasons."""

    name = "rules"

    def propose(self, evidence: Evidence, feedback: Feedback | None, before: Plan | None) -> Plan:
        """The first plan of a stage, or ``before`` changed as the feedback asks."""
        rules = STAGE_RULES[evidence.stage]
        if feedback is None or before is None:
            first: Plan = rules.propose(evidence)
            return first
        revised: Plan = rules.revise(evidence, before, feedback)
        return revised

    def answer(self, evidence: Evidence, plan: Plan, question: str) -> str:
        """The reasons that the plan gives for what the question names."""
        return explain(plan, question)

    def read(self, evidence: Evidence, plan: Plan, found: Review) -> Reading:
        """Nothing beyond what code found."""
        return Reading()
