"""The approval screen: shows a plan and asks until a person has decided, or leaves it."""

from rich.console import Console

from agents.checkpoints import Decision, Plan
from agents.terminal.chat_aids import Aids
from agents.terminal.chat_ask import Prompt
from agents.terminal.chat_dialogue import Check, Dialogue
from agents.terminal.plan_view import render_plan
from agents.terminal.tables import say


def ask_decision(
    plan: Plan,
    console: Console,
    prompt: Prompt,
    check: Check,
    answer: str = "",
    aids: Aids | None = None,
    shown: bool = False,
) -> Decision | None:
    """Show ``plan`` on ``console`` and ask until there is a decision that ``check`` accepts.

    Where the person asked about the plan, which is thus on the screen already, ``answer`` is shown
    in its place; nothing, if the answer is on the screen too (``shown``).

    ``prompt`` asks for one line and may raise EOFError or KeyboardInterrupt: the plan then stays
    unanswered, as it does with "quit", and None is returned. ``check`` raises InputError for a
    decision that cannot be carried out; the person is told and asked again.
    """
    dialogue = Dialogue(plan, console, prompt, check, aids or Aids())
    if answer:
        _show_answer(answer, console)
    elif not shown:
        render_plan(plan, console)
        dialogue.remind()
    try:
        return dialogue.run()
    except (EOFError, KeyboardInterrupt):
        console.print()
        return None


def _show_answer(answer: str, console: Console) -> None:
    console.print()
    for line in answer.splitlines():
        say(console, line, "cyan", indent=2)
    console.print()
