"""Walking a run from the terminal: who is asked, what is shown, which exit code."""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from agents.budget import BudgetSpent
from agents.checkpoints import Decision, Plan
from agents.life_cycle import EXIT_CODES, LifeCycle, opened
from agents.output import RunOutput, run_output
from agents.planners.choose import planner_of
from agents.policy import approve_all, load_policy, remembered
from agents.terminal.progress import RichProgress
from agents.terminal.render import render_output, render_paused
from agents.terminal.tables import say
from agents.workbench import Drained
from pipelines.errors import NetloopError
from pipelines.store.run import RunFolder

if TYPE_CHECKING:
    from agents.terminal.chat_person import Person

Decide = Callable[[Plan], Decision | None]


def walk(
    run: RunFolder,
    workspace: Path,
    approve: str,
    as_json: bool,
    first: Decide | None = None,
    talk: bool = False,
) -> int:
    """Take a run as far as decisions allow; print what it found; return the exit code.

    ``approve`` is ask, auto or the path of a policy; ``first`` answers the plan that waits now,
    and then ``approve`` holds. ``talk`` goes on talking when the run is over. Where the person goes
    back to an earlier plan, that is a new run, which is walked in this one's place.
    """
    console = Console(stderr=True, markup=False, highlight=False)
    if not at_terminal() or approve in ("auto", "nobody"):
        return _walk(run, workspace, approve, as_json, first, console)
    from agents.terminal.chat_person import Undone

    while True:
        try:
            return _walk(run, workspace, approve, as_json, first, console, talk)
        except Undone as undone:
            run, first = _forked(run, workspace, undone, console), None


def _walk(
    run: RunFolder,
    workspace: Path,
    approve: str,
    as_json: bool,
    first: Decide | None,
    console: Console,
    talk: bool = False,
) -> int:
    with RichProgress(console) as progress, opened(run, workspace, progress) as life_cycle:
        # under the lock: what a model has answered and cost is read once, and written by us alone
        life_cycle.bench.planner = planner_of(run, workspace)
        person = _person(life_cycle, approve, console, progress)
        decide = chooser(approve, life_cycle, person, console)
        if first is not None:
            waiting = life_cycle.pending()
            if waiting is None:
                raise NetloopError(
                    f"Run {run.id} has no plan that waits.",
                    f"See: netloop runs show {run.id}. Go on: netloop runs resume {run.id}",
                )
            decide = _once(first, decide, waiting)
        error = _advanced(life_cycle, decide, person, console)
        output = run_output(run, life_cycle.state(), life_cycle.pending())
        if error is not None and not as_json:
            output = output.model_copy(update={"error": None})  # said once, where every error is
        with progress.pause():  # whoever quits has the plan on the screen
            show(output, workspace, console, as_json, with_plan=person is None or approve != "ask")
        if error is not None:
            raise error
        if talk and person is not None and output.pending is None:
            from agents.terminal.chat_after import talk_on

            talk_on(person)
    return EXIT_CODES[output.status]


def _advanced(
    life_cycle: LifeCycle, decide: Decide, person: "Person | None", console: Console
) -> NetloopError | None:
    """Let the run go on as far as it can; what stopped it, if that is no plan and no end."""
    while True:
        try:
            with _draining(life_cycle.bench.stop, console):
                life_cycle.advance(decide)
        except BudgetSpent as spent:
            if person is None or not person.more(spent):
                return spent
        except NetloopError as problem:
            return problem
        except KeyboardInterrupt:
            return Drained(
                f"Run {life_cycle.run.id} was interrupted in the middle of a step.",
                f"Go on: netloop runs resume {life_cycle.run.id}",
            )
        else:
            return None


def chooser(
    approve: str, life_cycle: LifeCycle, person: "Person | None", console: Console
) -> Decide:
    """Who answers plans: everything is approved, a policy, a person at this terminal, or nobody.

    Rules that the workspace remembers answer before the person does, and before the run pauses.
    """
    if approve == "auto":
        return approve_all
    if approve == "nobody":
        return _nobody
    asked = _nobody if person is None else person.decide
    if approve == "ask":
        return _by_habit(life_cycle.run.workspace, asked, person is not None, console)
    policy = load_policy(Path(approve))
    return lambda plan: policy.decide(plan) or asked(plan)


def _by_habit(workspace: Path, asked: Decide, at_screen: bool, console: Console) -> Decide:
    """Remembered rules first. Where a person sits, a refusal is shown to them and ends nothing."""

    def decide(plan: Plan) -> Decision | None:
        policy = remembered(workspace)
        decision = policy.decide(plan) if policy else None
        if decision is None or (at_screen and decision.action != "approve"):
            return asked(plan)
        say(console, f"{plan.stage}, version {plan.version}: {decision.action}. {decision.note}")
        return decision

    return decide


def at_terminal() -> bool:
    """Whether a person can be asked: both stdin and stderr are a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _nobody(plan: Plan) -> None:
    return None


def _person(
    life_cycle: LifeCycle, approve: str, console: Console, progress: RichProgress
) -> "Person | None":
    if approve in ("auto", "nobody") or not at_terminal():
        return None
    from agents.terminal.chat_person import Person
    from agents.terminal.chat_prompt import TerminalPrompt

    return Person(life_cycle, console, progress, TerminalPrompt(life_cycle.run.workspace))


def _forked(run: RunFolder, workspace: Path, undone: Any, console: Console) -> RunFolder:
    """A new run that waits at an earlier plan of this one."""
    from agents.retrace import fork

    with RichProgress(console) as progress:
        new = fork(run, workspace, undone.stage, undone.version, progress, planner_of=planner_of)
    if wishes := run.read().get("wishes"):
        new.update(wishes=wishes)
    words = f"Back at {undone.stage}, version {undone.version}, in the new run {new.id}; "
    say(console, f"{words}{run.id} stays as it is.", "cyan")
    return new


def _once(first: Decide, then: Decide, waiting: Plan) -> Decide:
    """``first`` answers the plan that waits now; ``then`` any later one, which nobody has seen."""
    return lambda plan: (first if plan.digest() == waiting.digest() else then)(plan)


@contextmanager
def _draining(stop: threading.Event, console: Console) -> Iterator[None]:
    """The first Ctrl-C ends the run at the next step boundary, the second at once."""

    def handle(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        console.print("Stopping after this step; press Ctrl-C again to stop now.")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def show(
    output: RunOutput, workspace: Path, console: Console, as_json: bool, with_plan: bool = True
) -> None:
    """The result on stdout, JSON or for people; how to go on, if the run waits, on stderr."""
    if as_json:
        sys.stdout.write(json.dumps(output.model_dump(mode="json")) + "\n")
    else:
        render_output(output, Console(markup=False, highlight=False))
    if output.pending is not None:
        render_paused(output, workspace, console, with_plan)
