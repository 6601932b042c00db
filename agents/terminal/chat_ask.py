"""One question at the terminal: the same words leave it, whatever it asks."""

from collections.abc import Callable

from rich.console import Console

from agents.terminal.tables import say

Prompt = Callable[[str], str]
# Whoever wrote more than this pasted it: a reason is read by people.
LONGEST = 4000


class Back(Exception):
    """The person would rather not answer this, and goes back to the plan."""


def ask_line(prompt: Prompt, console: Console, question: str, about: str = "") -> str:
    """One line, without blanks around it; bytes that are no text become question marks.

    ``?`` and ``/help`` say what is asked for (``about``). Raises Back for ``/back``, EOFError for
    ``/quit`` (and, as ``prompt`` does, for Ctrl-D; KeyboardInterrupt for Ctrl-C).
    """
    while True:
        line = clean(prompt(question))
        word = line.lower()
        if word in ("/quit", "/exit"):
            raise EOFError
        if word == "/back":
            raise Back
        if not about or word not in ("?", "help", "/help"):
            return line
        say(console, f"{about} /back returns to the plan, /quit leaves.", "dim", indent=2)


def clean(line: str) -> str:
    """What was typed as text that can be kept: one line, of characters that UTF-8 can say."""
    return " ".join(line.encode(errors="replace").decode().split("\n")).strip()
