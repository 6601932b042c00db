"""Driving one run: start or open it, hand its plans to whoever decides, stop cleanly."""

import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agents import state as _state  # noqa: F401  (sets strict msgpack before langgraph is imported)

# isort: split
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from agents.budget import BudgetSpent, What
from agents.checkpoints import STAGES, Decision, Plan
from agents.decision_log import write_decision, written_decision
from agents.edits import apply_decision, check_decision
from agents.graph import Graph, build_life_cycle, first_state
from agents.planners.base import Planner, Spends
from agents.planners.rules import RulePlanner
from agents.spec import Spec
from agents.spec_file import parse_spec
from agents.stages import rules_of
from agents.state import FLOW_VERSION, State
from agents.workbench import Drained, Workbench
from pipelines.errors import InputError, NetloopError
from pipelines.progress import Progress, silent
from pipelines.store.events import EventLog
from pipelines.store.run import RunFolder
from tools.rates import Rates
from tools.registry import find_tool

Decide = Callable[[Plan], Decision | None]
CONFIG: Any = {"configurable": {"thread_id": "run"}, "recursion_limit": 500}


def create_run(workspace: Path, spec: Spec, approve: str) -> RunFolder:
    """The folder of a new run. Raises InputError if the workspace cannot be written."""
    return RunFolder.create(
        workspace,
        {
            "spec": spec.model_dump(mode="json"),
            "seed": spec.seed,
            "approve": approve,
            "flow_version": FLOW_VERSION,
            "versions": {
                name: version(name) for name in ("netloop", "langgraph", "torch", "scikit-learn")
            },
            "status": "running",
        },
    )


@dataclass
class LifeCycle:
    """One run, held by this process. Make it with ``opened``."""

    run: RunFolder
    bench: Workbench
    graph: Graph

    def state(self) -> State:
        """The checkpointed state; empty before the first step."""
        snapshot = self.graph.get_state(CONFIG, subgraphs=True)
        values: State = dict(snapshot.values)  # type: ignore[assignment]
        for task in snapshot.tasks:
            if task.state is not None:
                values = {**values, **task.state.values}  # type: ignore[typeddict-item]
        return values

    def pending(self) -> Plan | None:
        """The plan that waits for a decision, if one does."""
        waiting = _innermost(self.graph.get_state(CONFIG, subgraphs=True))
        return None if waiting is None else Plan.model_validate(waiting["plan"])

    def advance(self, decide: Decide) -> str:
        """Work until somebody has to decide who will not, or until the run ends.

        Returns the run's status: paused, done, target_missed or refused. Raises what the tools
        raise, and BudgetSpent; the run can then be resumed.
        """
        self.bench.events.append("run.resumed" if self.state() else "run.started")
        self.run.update(status="running", error=None)
        try:
            status = self._advance(decide)
        except BaseException as error:
            self._record_failure(error)
            raise
        self.run.update(status=status)
        if status != "paused":
            self.bench.events.append("run.finished", status=status)
            self.write_report()
        return status

    def _advance(self, decide: Decide) -> str:
        while True:
            snapshot = self.graph.get_state(CONFIG, subgraphs=True)
            step: Any
            if not snapshot.values:
                step = first_state()
            elif not snapshot.next:
                return final_status(self.state())
            elif (plan := self.pending()) is not None:
                decision = written_decision(self.run.events, plan) or self._decided(plan, decide)
                if decision is None:
                    return "paused"
                if decision.action == "abort" and decision.by == "policy":
                    self.run.update(error=decision.note)
                step = Command(resume=decision.model_dump())
            else:
                step = None  # killed inside a node: go on from the last checkpoint
            self.graph.invoke(step, CONFIG, durability="sync")

    def _decided(self, plan: Plan, decide: Decide) -> Decision | None:
        """Somebody's decision on a plan, checked and written down; None if nobody gives one."""
        decision = decide(plan)
        if plan.gate and plan.failure and decision and decision.by != "person":
            raise self._stopped(plan)
        if plan.failure and not plan.gate and not (decision and decision.by == "person"):
            raise InputError(
                plan.failure,
                "Mend it and approve again (netloop runs approve), or edit the plan.",
            )
        if decision is None:
            return None
        self.check(plan, decision)
        write_decision(self.bench.events, plan, decision)
        return decision

    def _stopped(self, plan: Plan) -> NetloopError:
        """The gate, where nobody may go through it."""
        return NetloopError(
            f"Nothing was trained, for the audit found a leak. {plan.gate}",
            f"Mend the plan (netloop runs edit {self.run.id} step.parameter=value), or go on all "
            f'the same: netloop runs approve {self.run.id} --override "why"; in a spec, '
            "data.accept_shortcuts says why.",
        )

    def write_report(self) -> Path:
        """Write the report of the run as it stands; returns its path."""
        write_report = find_tool("write_report")
        write_report.run(write_report.params(), self.bench.context({}))
        return self.run.report

    def check(self, plan: Plan, decision: Decision) -> None:
        """Raises InputError if the decision cannot be carried out."""
        check_decision(plan, decision)
        if decision.edits:
            self.bench.priced(apply_decision(plan, decision), self.state())
        if decision.action in ("approve", "edit"):
            rules_of(plan.stage).check(apply_decision(plan, decision), self.state())
        if decision.action == "skip" and rules_of(plan.stage).required:
            raise InputError(
                f"The {plan.stage} stage cannot be skipped: later stages need what it makes.",
                "Approve, edit or reject its plan, or abort the run.",
            )

    def raise_budget(self, what: What, limit: float) -> None:
        """Allow the run more; ``what`` is a key of the spec's budget. Raises InputError."""
        now = getattr(self.bench.spec.budget, what) or 0
        is_number = isinstance(limit, int | float) and not isinstance(limit, bool)
        if not is_number or not now < limit < math.inf:
            raise InputError(
                f"budget.{what}: a new limit is a number above {now:g}.", "Example: minutes=60"
            )
        wider = {**self.bench.spec.budget.model_dump(), what: limit}
        spec = self.bench.spec.model_dump(mode="json")
        self.bench.spec = parse_spec({**spec, "budget": wider}, f"the budget of run {self.run.id}")
        self.run.update(spec=self.bench.spec.model_dump(mode="json"))
        if isinstance(self.bench.planner, Spends):
            self.bench.planner.allow(what, limit)
        self.bench.events.append("budget.raised", what=what, limit=limit)

    def use_rules(self) -> None:
        """Let the rules propose from here on, for as long as this process holds the run."""
        self.bench.planner = RulePlanner()

    def _record_failure(self, error: BaseException) -> None:
        waiting = self.pending()
        if waiting is not None and not (waiting.failure and isinstance(error, NetloopError)):
            self.run.update(status="paused")  # it was the decision that was refused
            return
        status = "failed"
        if isinstance(error, KeyboardInterrupt | Drained):
            status = "interrupted"
        elif isinstance(error, BudgetSpent):
            status = "budget"
        self.run.update(status=status, error=str(error))
        self.bench.events.append("run.finished", status=status)


@contextmanager
def opened(
    run: RunFolder,
    workspace: Path,
    progress: Progress = silent,
    planner: Planner | None = None,
) -> Iterator[LifeCycle]:
    """Hold a run: its lock, its checkpoints, its events.

    Raises NetloopError if another process holds it or if it was made by another version's graph.
    """
    record = run.read()
    if record.get("flow_version") != FLOW_VERSION:
        raise NetloopError(
            f"Run {run.id} was made by another version of netloop's graph.",
            "Start it again from its spec.",
        )
    with run.locked(), _checkpoints(run.checkpoints) as saver:
        if run.read()["status"] == "running":
            run.update(status="interrupted")  # whoever ran it was killed: the lock was free
        bench = Workbench(
            run=run,
            spec=Spec.model_validate(record["spec"]),
            planner=planner or RulePlanner(),
            events=EventLog(run.events, run.id),
            rates=Rates.of(workspace),
            progress=progress,
        )
        yield LifeCycle(run, bench, build_life_cycle(bench, saver))


@contextmanager
def _checkpoints(path: Path) -> Iterator[SqliteSaver]:
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        yield SqliteSaver(connection)
    finally:
        connection.close()


def _innermost(snapshot: Any) -> Any:
    """What the interrupt that really waits holds; after a kill the parent shows an answered one."""
    for task in snapshot.tasks:
        if task.state is not None:
            return _innermost(task.state)
        if task.interrupts:
            return task.interrupts[0].value
    return None


def final_status(state: State) -> str:
    """How a run that reached its end ended."""
    if outcome := state.get("outcome"):
        return outcome
    last = [r for name, r in state.get("reviews", {}).items() if name.startswith(STAGES[-1])]
    return "done" if last and last[-1].passed else "target_missed"


EXIT_CODES = {
    "done": 0,
    "target_missed": 1,
    "failed": 1,
    "paused": 3,
    "refused": 4,
    "budget": 5,
    "interrupted": 130,
}
