"""Talking on when a run is over: questions, scores, costs, and the way back."""

from functools import partial

from agents.checkpoints import Plan
from agents.conversation.intent import understood
from agents.stages import rules_of
from agents.terminal.chat_aids import Show
from agents.terminal.chat_ask import clean
from agents.terminal.chat_help import print_help
from agents.terminal.chat_person import Person, Undone, understand_of
from agents.terminal.chat_status import show_cost, show_status
from agents.terminal.plan_view import print_changes, render_plan
from agents.terminal.tables import say
from agents.trail import Trail
from pipelines.errors import NetloopError

_MENU = "The run is over. Ask about it, /status, /cost, /plan, /undo; [Enter] leaves."


def talk_on(person: Person) -> None:
    """Answer until the person leaves. Raises Undone if they go back to the last plan."""
    turns = [*Trail(person.life_cycle.run).turns.values()]
    if not turns:
        return
    with person.progress.pause():
        try:
            _talk(person, turns[-1].plan)
        except (EOFError, KeyboardInterrupt):
            person.console.print()


def _talk(person: Person, plan: Plan) -> None:
    life_cycle, console = person.life_cycle, person.console
    shows: dict[str, Show] = {
        "status": partial(show_status, life_cycle, console),
        "cost": partial(show_cost, life_cycle, console),
        "plan": partial(render_plan, plan, console),
        "diff": partial(print_changes, plan, console),
        "help": partial(print_help, console),
    }
    while True:
        say(console, _MENU, "bold")
        line = clean(person.prompt("> "))
        try:
            said = understood(line, plan, understand_of(life_cycle.bench.planner))
            if not line or said.kind == "quit":
                return
            if said.kind == "undo":
                raise Undone(plan.stage, plan.version)
            if said.kind in shows:
                shows[said.kind]()
            elif said.kind == "ask" and said.words:
                _answer(person, plan, said.words)
            else:
                words = "There is nothing left to decide. /undo goes back, in a new run."
                say(console, words, "yellow")
        except NetloopError as error:
            say(console, str(error), "yellow")


def _answer(person: Person, plan: Plan, question: str) -> None:
    """The planner's reply, from what the last stage knows; it is on record like any other."""
    bench, state = person.life_cycle.bench, person.life_cycle.state()
    facts = rules_of(plan.stage).facts(bench, state)
    evidence = bench.evidence(plan.stage, plan.version, facts, state)
    reply = bench.planner.answer(evidence, plan, question)
    bench.events.append("question.answered", question=question, answer=reply)
    if not person.spoken.end():
        for line in reply.splitlines():
            say(person.console, line, "cyan", indent=2)
