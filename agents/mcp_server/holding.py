"""Taking a run up for a client, as far as its decisions allow, and leaving it at rest.

The graph is imported when a run is first taken up: a client waits for its server to start.
"""

import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.checkpoints import Decision, Plan
from agents.mcp_server.calls import Answer, Hands
from pipelines.errors import InputError, NetloopError
from pipelines.progress import Progress, silent
from pipelines.store.run import RunFolder

if TYPE_CHECKING:
    from agents.life_cycle import Decide, LifeCycle

# A look at a run holds it for a moment; whoever works on it holds it for long.
SECONDS_OF_LOOKS = 3.0
ENDED = ("done", "target_missed", "refused")
# What comes back from a walk; show_run has the rest.
BRIEF = {
    "notice", "run", "status", "error", "findings", "verdict", "best", "detector", "report",
    "pending",
}  # fmt: skip


def begin(workspace: Path, spec: dict[str, Any] | str, hands: Hands) -> Answer:
    """Make a run and take it to its first plan. Raises InputError for a spec that cannot work."""
    from agents.life_cycle import create_run
    from agents.mcp_server.spec import runnable_spec

    run = create_run(workspace, runnable_spec(spec), "ask")
    return _walk(run, workspace, hands, None)


def decide(workspace: Path, name: str, decision: Decision, hands: Hands) -> Answer:
    """Answer the plan that waits and go on to the next.

    Raises NetloopError where the decision does not fit: the plan then still waits.
    """
    return _walk(RunFolder.open(workspace, name), workspace, hands, decision)


def resume(workspace: Path, name: str, hands: Hands) -> Answer:
    """Go on with what a person has approved. Raises InputError if nothing of it is left."""
    return _walk(RunFolder.open(workspace, name), workspace, hands, None)


@contextmanager
def held(run: RunFolder, workspace: Path, progress: Progress = silent) -> Iterator["LifeCycle"]:
    """Hold a run, giving a look that another takes at it the time to end.

    Raises NetloopError if it is held for longer, and what ``opened`` raises.
    """
    from agents.life_cycle import opened

    deadline = time.monotonic() + SECONDS_OF_LOOKS
    with ExitStack() as stack:
        while True:
            try:
                life_cycle = stack.enter_context(opened(run, workspace, progress))
                break
            except InputError:
                raise
            except NetloopError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield life_cycle


def approve_command(workspace: Path, name: str) -> str:
    """What a person types to approve the plan that waits."""
    return f"netloop runs approve {name} --workspace {shlex.quote(str(workspace))}"


def _walk(run: RunFolder, workspace: Path, hands: Hands, decision: Decision | None) -> Answer:
    from agents.planners.choose import planner_of

    with held(run, workspace, hands.progress) as life_cycle:
        life_cycle.bench.planner = planner_of(run, workspace)
        life_cycle.bench.stop = hands.stop
        _check(life_cycle, decision)
        try:
            life_cycle.advance(_once(decision))
        except NetloopError as error:
            raise NetloopError(
                error.message, f"{error.mend} Run {run.id} is {run.read()['status']} now.".strip()
            ) from error
        return _found(life_cycle, workspace, decision)


def _found(life_cycle: "LifeCycle", workspace: Path, decision: Decision | None) -> Answer:
    """Where the run stands, the planner's reply if it was asked, and how a person goes on."""
    from agents.output import run_output
    from agents.state import versions_of

    run, state, plan = life_cycle.run, life_cycle.state(), life_cycle.pending()
    answer = run_output(run, state, plan).model_dump(mode="json", include=BRIEF)
    if plan is not None:
        answer["in_a_terminal"] = approve_command(workspace, run.id)
        if decision is not None and decision.action == "ask":
            answer["reply"] = versions_of(state, plan.stage)[-1].answer
    return answer


def _check(life_cycle: "LifeCycle", decision: Decision | None) -> None:
    """Refuse what does not fit where the run stands, before anything is written."""
    plan, name = life_cycle.pending(), life_cycle.run.id
    if decision is None:
        _check_resumable(life_cycle.run, plan)
        return
    if plan is None:
        raise InputError(f"Run {name} has no plan that waits.", "See show_run.")
    life_cycle.check(plan, decision)
    if plan.failure and decision.by != "person":
        raise InputError(
            f"Only a person goes on from here: {plan.failure}",
            f"approve_plan asks; in a terminal: netloop runs show {name}",
        )


def _check_resumable(run: RunFolder, plan: Plan | None) -> None:
    if plan is not None:
        raise InputError(
            f"Run {run.id} waits for a decision on its {plan.stage} plan.", "See show_plan."
        )
    if (status := run.read()["status"]) in ENDED:
        raise InputError(f"Run {run.id} has ended: {status}.", "See show_run.")


def _once(decision: Decision | None) -> "Decide":
    """The decision for the plan that waits now; every later one waits in its turn."""
    left = [] if decision is None else [decision]

    def answer(plan: Plan) -> Decision | None:
        return left.pop() if left else None

    return answer
