"""A budget that is used up, with a person there: allow more, go on by rules, or stop."""

import math
from functools import partial

from rich.console import Console

from agents.budget import WORDS, BudgetSpent
from agents.life_cycle import LifeCycle
from agents.terminal.chat_ask import Back, Prompt, ask_line
from agents.terminal.chat_status import show_cost
from agents.terminal.tables import say
from pipelines.errors import InputError

OF_THE_MODEL = ("llm_calls", "tokens", "money")


def ask_for_more(
    life_cycle: LifeCycle, spent: BudgetSpent, console: Console, prompt: Prompt
) -> bool:
    """Whether the run may go on, and then with what; False leaves it as it is."""
    console.print()
    say(console, spent.message, "bold yellow")
    show_cost(life_cycle, console)
    rules = ", r to let the rules propose from here on" if spent.what in OF_THE_MODEL else ""
    question = f"A new limit of {WORDS[spent.what]}{rules}, or Enter to stop here: "
    ask = partial(ask_line, prompt, console, question, "A number above what was spent.")
    try:
        while line := ask():
            if rules and line.lower() in ("r", "rules"):
                life_cycle.use_rules()
                return True
            if _raised(life_cycle, spent, line, console):
                return True
    except (Back, EOFError, KeyboardInterrupt):
        console.print()
    return False


def _raised(life_cycle: LifeCycle, spent: BudgetSpent, line: str, console: Console) -> bool:
    try:
        limit = float(line)
    except ValueError:
        say(console, f"{line!r} is not a number.", "yellow")
        return False
    if not spent.limit < limit < math.inf:
        say(console, f"A limit is a number above {spent.limit:g}.", "yellow")
        return False
    try:
        life_cycle.raise_budget(spent.what, limit)
    except InputError as error:
        say(console, str(error), "yellow")
        return False
    return True
