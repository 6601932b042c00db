"""Design by a language model: candidates, and a network that is compared with the default one."""

from typing import Any

from agents.checkpoints import Plan, Step
from agents.planners.base import Evidence
from agents.planners.llm.proposals import DesignSaid
from agents.planners.rules import design as rules
from agents.planners.rules.plans import param, summarised, with_params
from agents.wall.names import Names
from pipelines.errors import InputError
from pipelines.models.cnn.architecture import Architecture
from pipelines.models.cnn.shipped import SHIPPED
from pipelines.models.registry import BASELINES

schema = DesignSaid
CNN, STUDY = "train_cnn", "study_few_labels"
NETWORKS = ("cnn", "traffic_lm")


def default(plan: Plan, evidence: Evidence, names: Names) -> dict[str, Any]:
    """What the rules would train."""
    return {
        "candidates": rules.models_of(plan),
        "cnn_epochs": param(plan, CNN, "epochs"),
        "network": "default",
        "own": None,
    }


def amended(plan: Plan, said: DesignSaid, evidence: Evidence, names: Names) -> Plan:
    """The plan with other networks and epochs, and the model's network beside the default one."""
    if (said.own is None) == (said.network == "own"):
        raise InputError('own: give a specification with network "own", and only then.')
    now = rules.models_of(plan)
    if strange := [name for name in said.candidates if name not in {*BASELINES, *NETWORKS, *now}]:
        raise InputError(f"candidates: {', '.join(strange)} is no model.")
    if gone := [n for n in now if n in BASELINES and n not in said.candidates]:
        raise InputError(f"candidates: the baselines stay: {', '.join(gone)}.")
    why = f"the model: {said.why}"
    plan = _with_networks(plan, said, evidence, why)
    if said.cnn_epochs is not None and param(plan, CNN, "epochs") not in (None, said.cnn_epochs):
        plan = with_params(plan, CNN, epochs=(_bounded(said.cnn_epochs, evidence), why))
    plan = _with_own(plan, said, evidence, why)
    return summarised(plan, f"{said.curves} {said.why}".strip())


def _with_networks(plan: Plan, said: DesignSaid, evidence: Evidence, why: str) -> Plan:
    """Networks added or left out; a study of few labels chooses among its own quick models."""
    now = rules.models_of(plan)
    wanted = [name for name in said.candidates if name not in BASELINES]
    if sorted(wanted) == sorted(name for name in now if name not in BASELINES):
        return plan
    if param(plan, STUDY, "models") is not None:
        raise InputError("candidates: a study of few labels keeps its models.")
    ladder = [name for name in now if name in BASELINES]
    return rules.with_candidates(evidence, plan, [*ladder, *wanted], why)


def _bounded(epochs: int, evidence: Evidence) -> int:
    given = evidence.spec.design.epochs
    if given is not None and epochs > given:
        raise InputError(f"cnn_epochs: the person allows {given} at most.")
    return epochs


def _with_own(plan: Plan, said: DesignSaid, evidence: Evidence, why: str) -> Plan:
    """The proposed network as a second training: validation compares it with the default."""
    if said.network == "default":
        return plan
    place = next((i for i, step in enumerate(plan.steps) if step.tool == CNN), None)
    if place is None:
        raise InputError('network: without "cnn" among the candidates there is no network.')
    network: Architecture | None = said.own or SHIPPED.get(said.network)
    assert network is not None, "own is given or the name is one of the shipped"
    step = plan.steps[place]
    own = Step(
        tool=CNN,
        params={**step.params, "architecture": network.model_dump(mode="json")},
        reasons={**step.reasons, "architecture": why},
    )
    # a later trial is compared with the ones before it: the default has been trained by then
    beside = [] if CNN in evidence.numbers else [step]
    steps = [*plan.steps[:place], *beside, own, *plan.steps[place + 1 :]]
    return plan.model_copy(update={"steps": steps})
