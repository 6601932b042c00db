"""An answer that arrives in pieces, shown as it comes."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Protocol, runtime_checkable

from rich.console import Console

from agents.planners.base import Planner
from agents.terminal.sanitize import safe_text

_INDENT = "  "


@runtime_checkable
class Streams(Protocol):
    """A planner that can say an answer piece by piece."""

    on_piece: Callable[[str], None] | None


class Spoken:
    """What was said piece by piece since the last plan or answer; words wrap to the terminal.

    ``pause`` takes away whatever else moves on the terminal, for as long as words come.
    """

    def __init__(self, console: Console, pause: Callable[[], AbstractContextManager[None]]) -> None:
        self._console = console
        self._pause = pause
        self._alone = ExitStack()
        self._column = 0
        self._word = ""
        self._said: list[str] = []

    def piece(self, text: str) -> None:
        """Show the words that ``text`` completes."""
        if not self._said:
            self._alone.enter_context(self._pause())
            self._console.print()
        self._said.append(text)
        for character in text:
            if not character.isspace():
                self._word += character
                continue
            self._write_word()
            if character == "\n":
                self._end_line()

    def end(self) -> str:
        """Show what is left; all that was said, and nothing of it afterwards."""
        said = "".join(self._said)
        if said:
            self._write_word()
            self._end_line()
            self._console.print()
        self._said = []
        self._alone.close()
        return said

    def _write_word(self) -> None:
        if not self._word:
            return
        word = safe_text(self._word, "cyan", limit=4000)
        self._word = ""
        room = self._console.width - self._column - 1
        if self._column and word.cell_len > room:
            self._end_line()
        before = " " if self._column else _INDENT
        self._console.print(before, end="")
        self._console.print(word, end="", soft_wrap=True)
        self._column += len(before) + word.cell_len

    def _end_line(self) -> None:
        self._console.print()
        self._column = 0


def listen(planner: Planner, spoken: Spoken) -> None:
    """Hear a planner's answers as they come, if it can say them so."""
    if isinstance(planner, Streams):
        planner.on_piece = spoken.piece
