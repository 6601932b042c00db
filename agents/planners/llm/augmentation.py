"""Augmentation by a language model: whether made-up rows would help, and what would help more."""

from typing import Any

from agents.checkpoints import Plan
from agents.planners.base import Evidence
from agents.planners.llm.proposals import AugmentationSaid
from agents.planners.rules.plans import summarised
from agents.wall.names import Names
from pipelines.errors import InputError

schema = AugmentationSaid


def default(plan: Plan, evidence: Evidence, names: Names) -> dict[str, Any]:
    """No rows are made up."""
    return {"generator": "none", "rows_per_real_row": 0, "label_more": []}


def amended(plan: Plan, said: AugmentationSaid, evidence: Evidence, names: Names) -> Plan:
    """The plan with the model's judgement, and the classes that it would have labelled."""
    if said.rows_per_real_row:
        raise InputError("rows_per_real_row: it is 0 where the generator is none.")
    rows = evidence.facts["train"]
    wanted = [names.real(name) for name in said.label_more]
    if any(name not in rows for name in wanted):
        raise InputError("label_more: name classes of the evidence only.")
    more = ", ".join(f"{name} ({rows[name]:,})" for name in wanted)
    advice = f" Label more rows of {more}." if more else ""
    return summarised(plan, f"None. {said.judgement}{advice}")
