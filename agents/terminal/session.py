"""Walking a run from the terminal: who is asked, what is shown, which exit code."""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from agents.checkpoints import Decision, Plan
from agents.life_cycle import EXIT_CODES, LifeCycle, opened
from agents.output import RunOutput, run_output
from agents.policy import approve_all, load_policy
from agents.state import versions_of
from agents.terminal.approve import ask_decision
from agents.terminal.progress import RichProgress
from agents.terminal.render import render_output, render_paused
from agents.workbench import Drained
from pipelines.errors import NetloopError
from pipelines.store.run import RunFolder

Prompt = Callable[[str], str]
Decide = Callable[[Plan], Decision | None]


def walk(
    run: RunFolder, workspace: Path, approve: str, as_json: bool, first: Decide | None = None
) -> int:
    """Take a run as far as decisions allow; print what it found; return the exit code.

    ``approve`` is ask, auto or the path of a policy; ``first`` answers the plan that waits now,
    and then ``approve`` holds.
    """
    console = Console(stderr=True, markup=False, highlight=False)
    with RichProgress(console) as progress, opened(run, workspace, progress) as life_cycle:
        decide = chooser(approve, life_cycle, console, progress)
        if first is not None:
            if life_cycle.pending() is None:  # it would answer a later plan, which nobody has seen
                raise NetloopError(
                    f"Run {run.id} has no plan that waits.",
                    f"See: netloop runs show {run.id}. Go on: netloop runs resume {run.id}",
                )
            decide = _once(first, decide)
        error: NetloopError | None = None
        try:
            with _draining(life_cycle.bench.stop, console):
                life_cycle.advance(decide)
        except NetloopError as problem:
            error = problem
        except KeyboardInterrupt:
            error = Drained(
                f"Run {run.id} was interrupted in the middle of a step.",
                f"Go on: netloop runs resume {run.id}",
            )
        output = run_output(run, life_cycle.state(), life_cycle.pending())
    if error is not None and not as_json:
        output = output.model_copy(update={"error": None})  # said once, where every error is
    seen = approve == "ask" and at_terminal()  # whoever quits has the plan on the screen
    show(output, workspace, console, as_json, with_plan=not seen)
    if error is not None:
        raise error
    return EXIT_CODES[output.status]


def chooser(
    approve: str, life_cycle: LifeCycle, console: Console, progress: RichProgress
) -> Decide:
    """Who answers plans: everything is approved, a policy, a person at this terminal, or nobody."""
    if approve == "auto":
        return approve_all
    if approve == "nobody":
        return _nobody
    person = _person(life_cycle, console, progress) if at_terminal() else _nobody
    if approve == "ask":
        return person
    policy = load_policy(Path(approve))
    return lambda plan: policy.decide(plan) or person(plan)


def at_terminal() -> bool:
    """Whether a person can be asked: both stdin and stderr are a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def terminal_prompt() -> Prompt:
    """A line editor with history; Ctrl-D raises EOFError, Ctrl-C KeyboardInterrupt."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.output import create_output
    from prompt_toolkit.output.vt100 import Vt100_Output

    # the real stderr: while a bar is alive rich puts a proxy in its place that does not flush
    output = create_output(stdout=sys.__stderr__)
    if isinstance(output, Vt100_Output):
        # One line needs no cursor position, and a slow terminal's answer would land in the reply.
        output.enable_cpr = False
    session: PromptSession[str] = PromptSession(output=output)
    return session.prompt


def _nobody(plan: Plan) -> None:
    return None


def _person(life_cycle: LifeCycle, console: Console, progress: RichProgress) -> Decide:
    prompt = terminal_prompt()
    on_screen = ""

    def decide(plan: Plan) -> Decision | None:
        nonlocal on_screen
        asked_again = on_screen == plan.digest()
        on_screen = plan.digest()
        answer = versions_of(life_cycle.state(), plan.stage)[-1].answer if asked_again else ""
        look = partial(_show_rows, life_cycle, console) if plan.stage == "cleaning" else None
        with progress.pause():
            return ask_decision(
                plan, console, prompt, partial(life_cycle.check, plan), answer, look
            )

    return decide


def _show_rows(life_cycle: LifeCycle, console: Console) -> None:
    """Rows that each filter would move: for a person's eyes, never a planner's evidence."""
    from agents.stages.cleaning import filters_with_examples
    from agents.terminal.data_clean import render_proposals

    render_proposals(filters_with_examples(life_cycle.bench, life_cycle.state()), console)


def _once(first: Decide, then: Decide) -> Decide:
    waiting = [first]
    return lambda plan: waiting.pop()(plan) if waiting else then(plan)


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
