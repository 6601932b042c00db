"""What a person can say, and how."""

from rich.console import Console

from agents.conversation.intent import KEYS
from agents.conversation.phrases import HELP
from agents.terminal.tables import say

_HEAD = (
    "Say it in your own words: a question is answered, a wish comes back as a changed plan that "
    "needs its own yes. Only Enter, approve and a few plain words like yes or ok approve."
)


def print_help(console: Console) -> None:
    """Every slash command with its key."""
    say(console, _HEAD)
    keys = {kind: key for key, kind in KEYS.items()}
    for name, (kind, about) in HELP.items():
        key = f" or {keys[kind]}" if kind in keys else ""
        say(console, f"/{name}{key}: {about}", indent=2)
    say(console, "parameter=value edits at once, as in test=0.3.", indent=2)
    say(console, "Ctrl-C and Ctrl-D leave; while a step runs Ctrl-C stops after it.", indent=2)
