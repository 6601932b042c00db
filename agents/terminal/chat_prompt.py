"""The line that a person types: kept across days, without secrets, with Tab for slash commands."""

import os
import re
import sys
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.output import create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle

from agents.conversation.phrases import HELP

HISTORY = "chat_history"
# A key, a password in words or in an address, and what is as long and as mixed as a token.
_SECRET = re.compile(
    r"\b(?:sk|pk|ghp|gho|xox[a-z])[-_][\w-]{8,}"
    r"|(?:\b|_)(?:api[_ -]?key|token|passw(?:or)?d|secret|authorization|bearer)\b"
    r"\W{0,3}(?:is\b)?\W*\S{4,}"
    r"|://[^/\s:@]+:[^/\s@]+@"
    r"|(?<![\w/.])(?=\w*\d)(?=\w*[A-Za-z])[\w+=-]{32,}(?![\w/.])",
    re.IGNORECASE,
)


class TerminalPrompt:
    """Asks for one line; Ctrl-D raises EOFError, Ctrl-C KeyboardInterrupt."""

    def __init__(self, workspace: Path | None = None) -> None:
        # the real stderr: while a bar is alive rich puts a proxy in its place that does not flush
        output = create_output(stdout=sys.__stderr__)
        if isinstance(output, Vt100_Output):
            # One line needs no cursor position, and a slow terminal's answer would be in the reply.
            output.enable_cpr = False
        self._session: PromptSession[str] = PromptSession(
            output=output,
            history=InMemoryHistory() if workspace is None else KeptHistory(workspace / HISTORY),
            completer=WordCompleter([f"/{name}" for name in HELP], sentence=True),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,  # needs no empty lines below
        )

    def __call__(self, question: str) -> str:
        return self._session.prompt(question)

    def forget_typed(self) -> None:
        """Drop what was typed so far: an Enter that was hit too soon approves no plan unseen."""
        import termios  # there is none on Windows, where nobody is asked

        clear_typeahead(self._session.input)
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


class KeptHistory(FileHistory):
    """Lines in a file that only its owner reads (0600); what looks like a secret is not kept."""

    def append_string(self, string: str) -> None:
        if not looks_secret(string):
            super().append_string(string)

    def store_string(self, string: str) -> None:
        """A line on disk; where that cannot be, it is still in this process's history."""
        path = Path(os.fsdecode(self.filename))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
            super().store_string(string)
        except OSError:
            return


def looks_secret(text: str) -> bool:
    """Whether a line seems to hold a key, a password or a token."""
    return bool(_SECRET.search(text))
