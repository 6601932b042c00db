"""Augmentation by a language model: which derived columns, and which made rows; trials decide."""

from typing import Any

from agents.checkpoints import Plan
from agents.planners.base import Evidence
from agents.planners.llm import features
from agents.planners.llm.proposals import AugmentationSaid
from agents.planners.rules import augmentation as rules
from agents.planners.rules.features import carried
from agents.planners.rules.plans import param, summarised
from agents.wall.names import Names
from pipelines.errors import InputError

schema = AugmentationSaid
EXPLORE, MAKE = "explore_arms", "augment_rows"


def default(plan: Plan, evidence: Evidence, names: Names) -> dict[str, Any]:
    """What the rules would do: nothing, a study of several generators, or rows by one."""
    return {
        "features": features.default(plan, names),
        "generators": _generators(plan),
        "rows_per_real_row": param(plan, MAKE, "amount") or 0,
        "label_more": [],
    }


def amended(plan: Plan, said: AugmentationSaid, evidence: Evidence, names: Names) -> Plan:
    """The plan with the model's judgement, and the classes that it would have labelled.

    A generator that was not compared yet is compared first, whatever the model thinks of it.
    """
    rows = evidence.facts["train"]
    wanted = [names.real(name) for name in said.label_more]
    if any(name not in rows for name in wanted):
        raise InputError("label_more: name classes of the evidence only.")
    if said.rows_per_real_row and not said.generators:
        raise InputError("rows_per_real_row: it is 0 where no generator is named.")
    changed = carried(plan, _with_generators(plan, said, evidence))
    more = ", ".join(f"{name} ({rows[name]:,})" for name in wanted)
    advice = f" Label more rows of {more}." if more else ""
    first = "" if changed.steps else "None. "
    changed = summarised(changed, f"{first}{said.judgement}{advice}")
    return features.amended(changed, said.features, evidence, names)


def _generators(plan: Plan) -> list[str]:
    made = param(plan, MAKE, "arm")
    return [made] if made else param(plan, EXPLORE, "arms") or []


def _with_generators(plan: Plan, said: AugmentationSaid, evidence: Evidence) -> Plan:
    if not said.generators:
        return plan.model_copy(update={"steps": []})
    amount = said.rows_per_real_row
    if sorted(said.generators) == sorted(_generators(plan)) and amount in (
        0, param(plan, MAKE, "amount")
    ):  # fmt: skip
        return plan
    why = "the model's choice"
    if EXPLORE in evidence.numbers:
        return rules.make(evidence, said.generators[0], why, amount or None)
    settings = rules.with_arms(evidence, said.generators)
    if amount:
        amounts = sorted({*settings.amounts, amount})
        settings = settings.model_copy(update={"amounts": amounts})
    return rules.study(evidence, settings, why)
