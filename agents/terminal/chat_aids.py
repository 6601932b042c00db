"""What a dialogue about a plan can show and do beside deciding."""

from collections.abc import Callable
from dataclasses import dataclass

from agents.checkpoints import Stage
from agents.conversation.intent import Understand
from agents.terminal.chat_habits import Habits

Show = Callable[[], None]


@dataclass(frozen=True)
class Aids:
    """None or empty where there is no such thing.

    ``look``, ``status`` and ``cost`` print; ``undo`` leaves the dialogue by an exception of its own
    or raises InputError; ``wish`` keeps what is said of a later stage and ``wishes`` is what was
    said before of this one; ``refused`` says which remembered rule forbids the plan; ``named`` says
    which kind of detection a sentence asks for, if it asks for one.
    """

    look: Show | None = None
    status: Show | None = None
    cost: Show | None = None
    undo: Show | None = None
    understand: Understand | None = None
    habits: Habits | None = None
    wish: Callable[[Stage, str], None] | None = None
    wishes: tuple[str, ...] = ()
    refused: str = ""
    named: Callable[[str], str] | None = None
