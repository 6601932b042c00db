"""Rules for the traffic language model: its settings, and as many epochs as the budget allows.

It is tried on a few rows before it is trained, with the same parameters.
"""

from typing import Any

from agents.checkpoints import Plan, Step
from agents.planners.base import Evidence
from agents.planners.rules.notes import Wishes
from agents.planners.rules.plans import param, step, summarised, with_params, without_tool
from agents.spec import TrafficLmSpec

TRY, TRAIN = "try_traffic_lm", "train_traffic_lm"
CONTROLS = ("traffic_lm_frozen", "traffic_lm_random")
DEFAULT_EPOCHS = 8
# Fewer only by a rate that was measured: the first guess is one of two cores.
FEWEST_GUESSED = 3
# Of what is left of the budget: planned for, and the most that the try may foretell.
PLANNED, MOST = 0.6, 0.75
WHY = {
    "base": "the one that netloop brings: small enough for two cores",
    "method": "all weights of a small base, low-rank changes of a larger one",
    "labels": "a token of its own stands for each class",
}


def language_model(evidence: Evidence, masks: list[str], models: list[str]) -> list[Step]:
    """The try and the training; ``models`` may name controls."""
    given, usual = evidence.spec.design.traffic_lm or TrafficLmSpec(), TrafficLmSpec()
    shared: dict[str, tuple[Any, str]] = {"masks": (masks, "as audited")}
    for name, why in WHY.items():
        value = getattr(given, name)
        shared[name] = (value, why if value == getattr(usual, name) else "set in the spec")
    shared["controls"] = _controls(given, models)
    shared["epochs"] = _epochs(evidence, given.epochs)
    return [step(TRY, **shared, most_minutes=_most(evidence)), step(TRAIN, **shared)]


def has_model(plan: Plan) -> bool:
    """Whether the plan trains the language model."""
    return any(step.tool == TRAIN for step in plan.steps)


def with_both(plan: Plan, **params: tuple[Any, str]) -> Plan:
    """The plan with some parameters of the try and of the training set."""
    return with_params(with_params(plan, TRY, **params), TRAIN, **params)


def without_model(plan: Plan) -> Plan:
    """The plan without the try and without the training."""
    return without_tool(without_tool(plan, TRY), TRAIN)


def tuned(plan: Plan, wishes: Wishes, why: str) -> Plan:
    """The plan with the method and the controls that the wishes name."""
    if not has_model(plan):
        return plan
    if wishes.method:
        plan = with_both(plan, method=(wishes.method, why))
    now = param(plan, TRAIN, "controls")
    added = {*CONTROLS} if wishes.controls else wishes.add
    dropped = {*CONTROLS} if wishes.controls is False else wishes.drop
    wanted = [name for name in CONTROLS if name in {*now, *added} - dropped]
    return plan if wanted == now else with_both(plan, controls=(wanted, why))


def with_fewer_epochs(evidence: Evidence, plan: Plan, why: str) -> Plan:
    """The plan with as many epochs as are known to fit, else with half of them.

    Where not one fits, and there are other models, it is left out.
    """
    now, fitting = param(plan, TRAIN, "epochs"), _fitting(evidence)
    if fitting is None or not _is_measured(evidence) or fitting >= now:
        if now == 1:
            return plan
        half = now // 2
        changed = with_both(plan, epochs=(half, why))
        return summarised(changed, f"Half the epochs of traffic_lm: {half}.")
    rest = without_model(plan)
    if fitting < 1 and rest.steps:
        return summarised(rest, "Without traffic_lm: not one of its epochs fits into the budget.")
    fitting = max(1, fitting)
    changed = with_both(plan, epochs=(fitting, _room(evidence)))
    return summarised(changed, f"As many epochs of traffic_lm as fit into the budget: {fitting}.")


def _controls(given: TrafficLmSpec, models: list[str]) -> tuple[list[str], str]:
    named = [name for name in CONTROLS if given.controls or name in models]
    if not named:
        return [], "not asked for: they take as long again"
    return named, "set in the spec: what tuning and pre-training add"


def _epochs(evidence: Evidence, given: int | None) -> tuple[int, str]:
    fitting = _fitting(evidence)
    if given is not None:
        return given, "set in the spec"
    if fitting is None or fitting >= DEFAULT_EPOCHS:
        return DEFAULT_EPOCHS, "an upper bound: early stopping ends it sooner"
    fewest = 1 if _is_measured(evidence) else FEWEST_GUESSED
    if fitting >= fewest:
        return fitting, _room(evidence)
    return fewest, "by a guess fewer fit into the budget: the try says it before the training"


def _most(evidence: Evidence) -> tuple[float | None, str]:
    left = evidence.facts["minutes_left"]
    if left is None:
        return None, "the run has no budget"
    return round(MOST * left, 3), f"of the {left:.1f} minutes that are left of the budget"


def _fitting(evidence: Evidence) -> int | None:
    """How many epochs fit into their share of the budget; None without a budget or a price."""
    left, price = evidence.facts["minutes_left"], evidence.facts["traffic_lm"]
    if left is None or price is None:
        return None
    return max(0, int((PLANNED * left - price["besides"]) / price["each_epoch"]))


def _is_measured(evidence: Evidence) -> bool:
    return bool(evidence.facts["traffic_lm"]["measured"])


def _room(evidence: Evidence) -> str:
    left = evidence.facts["minutes_left"]
    return f"fit into {PLANNED * left:.1f} of the {left:.1f} minutes that are left of the budget"
