"""Operation by a language model: which model becomes the detector, by validation."""

from typing import Any

from agents.checkpoints import Plan
from agents.planners.base import Evidence
from agents.planners.llm.proposals import OperationSaid
from agents.planners.rules import operation as rules
from agents.planners.rules.plans import param, summarised
from agents.wall.names import Names
from pipelines.errors import InputError

schema = OperationSaid


def default(plan: Plan, evidence: Evidence, names: Names) -> dict[str, Any]:
    """The best on validation."""
    return {"model": param(plan, "package_detector", "model")}


def amended(plan: Plan, said: OperationSaid, evidence: Evidence, names: Names) -> Plan:
    """The plan with the model's choice packed."""
    scores = evidence.facts["validation"]
    if said.model not in scores:
        raise InputError(f"model: choose one of {', '.join(scores)}.")
    if said.model == param(plan, "package_detector", "model"):
        return summarised(plan, f"{plan.summary} {said.why}")
    return summarised(rules.packing(plan, said.model, f"the model: {said.why}"), said.why)
