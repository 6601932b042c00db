"""``netloop runs look``: a person looks at synthetic rows and so sets how hard to filter."""

from functools import partial
from typing import TYPE_CHECKING

from agents.terminal.options import DEFAULT_WORKSPACE, Workspace
from agents.terminal.runs_commands import Run, find_run
from pipelines.errors import NetloopError
from pipelines.words import counted

if TYPE_CHECKING:
    from rich.console import Console

    from agents.look import Look, Looked
    from agents.terminal.chat_ask import Prompt
    from pipelines.augment.gate.look import Beside

ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "s": None, "skip": None, "": None}
# By what a plan heeds a look: the rules read it, before a language model has its say.
HEED = "r as I judged"
_QUESTION = "Could it be of this class? [y]es, [n]o, [s]kip, [q]uit: "
_ABOUT = "Whether the made row is plausible traffic of its class; skip it if you cannot tell."


class NeedsPerson(NetloopError):
    """Somebody has to look, and nobody can be asked."""

    exit_code = 3


def look(run: Run, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Look at 20 synthetic rows, and so set how hard to filter.

    Half of them are those that models can tell least, half are picked by lot. Each stands beside
    the nearest real row of its class, in the columns that differ most. The next plan that makes
    rows filters as you judged, leaves out what you called wrong, and takes what you called right
    for real rows when it doubts others.

    Example: netloop runs look last
    """
    from rich.console import Console

    from agents.look import Look
    from agents.terminal.session import at_terminal

    found = Look.at(find_run(run, workspace))
    if not at_terminal():
        raise NeedsPerson(
            "A person has to look at the rows, and here is no terminal.",
            f"At one: netloop runs look {found.run.id}. Without: make them again with another "
            f"filter (netloop runs fork {found.run.id} --at augmentation/{found.version}).",
        )
    from agents.terminal.chat_prompt import TerminalPrompt

    console = Console(stderr=True, markup=False, highlight=False)
    right = ask_all(found.pairs(), console, TerminalPrompt())
    if all(answer is None for answer in right):
        raise NeedsPerson(
            "No row was judged, and nothing is written.", f"Again: netloop runs look {found.run.id}"
        )
    tell(found, found.keep(right), console)


def ask_all(pairs: "list[Beside]", console: "Console", prompt: "Prompt") -> list[bool | None]:
    """What a person says of each row, None for a skipped one, until they quit."""
    from agents.terminal.chat_ask import Back, ask_line
    from agents.terminal.tables import say

    right: list[bool | None] = []
    ask = partial(ask_line, prompt, console, about=_ABOUT)
    try:
        for number, pair in enumerate(pairs, 1):
            _show(pair, f"Row {number} of {len(pairs)}", console)
            while (word := ask(_QUESTION).lower()) not in (*ANSWERS, "q", "quit"):
                say(console, "y, n, s or q.", "yellow")
            if word in ("q", "quit"):
                break
            right.append(ANSWERS[word])
    except (Back, EOFError, KeyboardInterrupt):
        console.print()
    return right


def _show(pair: "Beside", head: str, console: "Console") -> None:
    from agents.terminal.sanitize import visible
    from agents.terminal.tables import Column, print_table, title

    title(console, f"{head}: {visible(pair.label, 60)}")
    heads = (Column("column"), Column("made"), Column("nearest real"))
    print_table(console, heads, [*zip(pair.columns, pair.made, pair.real, strict=True)], elastic=1)
    if not pair.columns:
        console.print("It equals the nearest real row.")


def tell(found: "Look", looked: "Looked", console: "Console") -> None:
    """The advice in one sentence, and how it takes effect."""
    from agents.terminal.tables import say, say_exact

    console.print()
    say(console, looked.words, "bold")
    wrong = looked.right.count(False)
    if looked.votes == found.before and not wrong and looked.votes is None:
        say(console, "The rows were made so: there is nothing to do.")
        return
    if wrong:
        left_out = counted(wrong, "row that you called wrong", "rows that you called wrong")
        say(console, f"Left out with all that equal them: {left_out}.")
    say(console, "The run is past that plan. To make the rows again, in a new run:")
    say_exact(console, f"  netloop runs fork {found.run.id} --at augmentation/{found.version}")
    say(console, f"and say there: {HEED}")
