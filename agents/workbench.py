"""What the graph's nodes work with: one run, its planner, its tools, its events."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.budget import BudgetSpent, What
from agents.checkpoints import DEFAULT_REASON, Plan, Stage, Step
from agents.planners.base import Evidence, Planner, Writes
from agents.spec import Spec, least
from agents.state import State, spent_gpu_minutes, spent_minutes
from pipelines.errors import NetloopError
from pipelines.executors import Workers
from pipelines.progress import Progress, silent
from pipelines.store.events import EventLog, EventType
from pipelines.store.run import RunFolder
from tools.calls import call, check_params, estimate, inputs_of
from tools.rates import Rates
from tools.registry import find_tool
from tools.spec import ToolContext, ToolResult

if TYPE_CHECKING:
    from pipelines.augment.asking import Author


class Drained(NetloopError):
    """The person asked to stop: the run rests between two steps and can be taken up again."""

    exit_code = 130


@dataclass
class Workbench:
    """One run's hands: it calls tools and writes events; it decides nothing."""

    run: RunFolder
    spec: Spec
    planner: Planner
    events: EventLog
    rates: Rates = field(default_factory=Rates)
    progress: Progress = silent
    stop: threading.Event = field(default_factory=threading.Event)

    def check_stop(self) -> None:
        """Raise Drained if the person asked to stop."""
        if self.stop.is_set():
            raise Drained(
                f"Run {self.run.id} was interrupted.", f"Go on: netloop runs resume {self.run.id}"
            )

    def context(self, inputs: dict[str, str], author: "Author | None" = None) -> ToolContext:
        """What a tool may touch: this run's store and the given artefacts."""
        return ToolContext(
            store=self.run.store,
            inputs=inputs,
            seed=self.spec.seed,
            progress=self.progress,
            rates=self.rates,
            run=self.run,
            workers=Workers(self.spec.data.executor, self.spec.data.workers),
            author=author,
            shards=self.run.workspace / "shards",
        )

    def call(self, name: str, step: Step, state: State) -> ToolResult:
        """Run one approved step, or take the result of an equal call that finished before.

        ``name`` tells two calls of one tool apart in the events: ``import_rows#2``.
        """
        self.events.append("step.started", step=name, tool=step.tool, params=step.params)
        try:
            tool = find_tool(step.tool)
            inputs = inputs_of(tool, state.get("artifacts", {}))
            context = self.context(inputs, self._author(state))
            result, reused = call(tool, step.params, context, self.run.calls)
        except NetloopError as error:
            self.events.append("step.failed", step=name, tool=step.tool, error=str(error))
            raise
        kind: EventType = "step.reused" if reused else "step.finished"
        found = result.model_dump(exclude={"work"})
        self.events.append(kind, step=name, tool=step.tool, **found)
        return result

    def _author(self, state: State) -> "Author | None":
        """Who writes synthetic rows, if a language model plans, seeing what it may see."""
        if not isinstance(self.planner, Writes):
            return None
        recorded = state.get("numbers", {}).get("record_requirements", {}).get("llm_sees")
        return self.planner.author(least(self.spec.llm_sees, recorded))

    def look(self, tool_name: str, params: dict[str, Any], state: State) -> dict[str, Any]:
        """The numbers of a read-only tool, as evidence for a proposal."""
        return self.looked(tool_name, params, state).numbers

    def looked(self, tool_name: str, params: dict[str, Any], state: State) -> ToolResult:
        """All that a read-only tool found; its artefacts are for a person, never evidence."""
        tool = find_tool(tool_name)
        if tool.risk != "read":
            raise NetloopError(f"{tool_name} changes things: it needs an approved plan.")
        context = self.context(inputs_of(tool, state.get("artifacts", {})))
        return call(tool, params, context, self.run.calls)[0]

    def priced(self, plan: Plan, state: State) -> Plan:
        """The plan with each step's parameters checked and completed, its risk and its price.

        Raises InputError for a tool or a parameter that does not exist.
        """
        everything = self.context(dict(state.get("artifacts", {})))
        steps = []
        for step in plan.steps:
            tool = find_tool(step.tool)
            params = check_params(tool, step.params).model_dump(mode="json")
            price = estimate(tool, params, everything)
            reasons = {name: step.reasons.get(name, DEFAULT_REASON) for name in params}
            found = {"params": params, "reasons": reasons, "risk": tool.risk, "estimate": price}
            steps.append(step.model_copy(update=found))
        return plan.model_copy(update={"steps": steps})

    def evidence(self, stage: Stage, version: int, facts: dict[str, Any], state: State) -> Evidence:
        """The evidence for one version of a stage's plan."""
        return Evidence(
            stage=stage,
            version=version,
            spec=self.spec,
            facts=facts,
            numbers=state.get("numbers", {}),
            rows=self._rows(state),
        )

    def _rows(self, state: State) -> Path | None:
        made = state.get("artifacts", {})
        name = next((name for name in ("clean_rows", "rows") if name in made), None)
        return None if name is None else self.run.store.path(made[name])

    def minutes_left(self, state: State) -> float | None:
        """What is left of the budget, 0 once it is spent; None without a budget."""
        budget = self.spec.budget.minutes
        return None if budget is None else max(0.0, budget - spent_minutes(state))

    def check_minutes(self, state: State) -> None:
        """Raise BudgetSpent if no step may begin: the minutes, or those on a GPU, are used up."""
        budget = self.spec.budget
        limits: tuple[tuple[What, float | None, float], ...] = (
            ("minutes", budget.minutes, spent_minutes(state)),
            ("gpu_minutes", budget.gpu_minutes, spent_gpu_minutes(state)),
        )
        for what, limit, spent in limits:
            if limit is not None and spent >= limit:
                raise BudgetSpent(what, limit, self.run.id)
