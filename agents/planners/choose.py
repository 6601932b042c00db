"""Which planner a run has: a language model if one is wanted and configured, else the rules."""

from pathlib import Path
from typing import TYPE_CHECKING

from agents.planners.base import Planner
from agents.planners.rules import RulePlanner
from agents.spec import Spec
from pipelines.errors import InputError
from pipelines.store.run import RunFolder

if TYPE_CHECKING:
    from agents.llm.meter import Meter
    from agents.llm.record import AnswerLog
    from agents.llm.settings import LlmSettings


def planner_of(run: RunFolder, workspace: Path, recorded_only: bool = False) -> Planner:
    """The planner of a run as its spec and the workspace's settings say.

    ``recorded_only``: answers come from the run's record alone, as a replay needs them. Raises
    InputError if the spec wants a language model and none is configured, or its settings are wrong.
    """
    spec = Spec.model_validate(run.read()["spec"])
    if spec.planner == "rules":
        return RulePlanner()
    if recorded_only:
        return _recorded(run, workspace)
    from agents.llm.settings import llm_settings

    settings = llm_settings(workspace)
    if settings is not None:
        return _asking(run, spec, settings, workspace)
    if spec.planner == "llm":
        raise InputError(
            "The spec wants a language model to plan, and none is configured.",
            "Name one: export NETLOOP_MODEL=... OPENAI_BASE_URL=...; or say planner: rules.",
        )
    return RulePlanner()


def meter_of(log: "AnswerLog", spec: Spec, settings: "LlmSettings") -> "Meter":
    """What the run's language model may cost and has cost."""
    from agents.llm.meter import Limits, Meter

    budget = spec.budget
    limits = Limits(llm_calls=budget.llm_calls, tokens=budget.tokens, money=budget.money)
    return Meter(limits, log, settings.price)


def _asking(run: RunFolder, spec: Spec, settings: "LlmSettings", workspace: Path) -> Planner:
    from agents.llm.client import Llm
    from agents.llm.record import AnswerLog
    from agents.llm.settings import llm_key
    from agents.planners.llm import LLMPlanner

    log = AnswerLog(run.answers)
    meter = meter_of(log, spec, settings)
    model = Llm(settings, llm_key(), log, run.egress, meter)
    return LLMPlanner(model, settings.model, workspace)


def _recorded(run: RunFolder, workspace: Path) -> Planner:
    from agents.llm.client import RecordedLlm
    from agents.llm.record import AnswerLog
    from agents.planners.llm import LLMPlanner

    log = AnswerLog(run.answers)
    if not log.exchanges:
        return RulePlanner()
    return LLMPlanner(RecordedLlm(log), log.exchanges[0].model, workspace)
