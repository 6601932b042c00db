"""The command at a person's terminal: a pseudo-terminal of 80 columns, keys typed, screens read."""

import os
import pty
import select
import time
from pathlib import Path

from command_line import NETLOOP, Command


class Terminal:
    """A netloop process on a pseudo-terminal of 80 columns."""

    def __init__(self, folder: Path, *words: object) -> None:
        self.screen = self.unread = ""
        pid, self.handle = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.environ.pop("PYTHONUNBUFFERED", None)  # a person's shell does not set it
            os.environ.update(TERM="xterm", COLUMNS="80", LINES="50")
            os.execv(NETLOOP, [str(NETLOOP), *map(str, words)])
        self.pid = pid

    def until(self, text: str) -> None:
        """Read until ``text`` appears after what the last call found."""
        deadline = time.monotonic() + 120
        while text not in self.unread:
            assert time.monotonic() < deadline, f"{text!r} never came:\n{self.unread}"
            if select.select([self.handle], [], [], 0.2)[0]:
                self._read()
        self.unread = self.unread.partition(text)[2]

    def menu(self) -> None:
        """Read until the keys are shown and the prompt below them listens: it asks for pastes to
        be marked when it has the terminal, and what is typed sooner may be lost."""
        self.until("resume later")
        self.until("\x1b[?2004h")

    def _read(self) -> bool:
        """One piece of output, if the process has not ended."""
        try:
            piece = os.read(self.handle, 65536).decode(errors="replace")
        except OSError:
            return False
        self.screen += piece
        self.unread += piece
        return bool(piece)

    def type(self, text: str) -> None:
        os.write(self.handle, f"{text}\r".encode())

    def end(self) -> int:
        """Read on until the process ends; its exit code."""
        while self._read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_person_approves_at_the_terminal(tmp_path: Path, spec_file: Path) -> None:
    at = Terminal(tmp_path, "run", spec_file)
    at.menu()
    at.type("w why is the metric macro f1?")
    at.until("every class counts the same")
    at.menu()
    at.type("")  # approve; three questions follow
    for question in ("score must", "false alarms", "nothing to report"):
        at.until(question)
        at.type("")
    at.menu()
    at.type("r only 30% for the test")
    at.until("0.5 -> 0.3")
    at.menu()
    at.type("l")  # rows that the filters would move; decides nothing
    at.until("would move")
    at.menu()
    for _ in range(3):
        at.type("")
        at.menu()
    at.type("")
    assert at.end() == 0
    assert "logistic_regression" in at.screen
    assert at.screen.count("Stage 1/5") == 1  # the answer to "why" pushes no plan off the screen
    assert "\x1b[6n" not in at.screen  # nobody waits for where the cursor is


def test_a_person_may_leave_and_come_back(
    netloop: Command, tmp_path: Path, spec_file: Path
) -> None:
    at = Terminal(tmp_path, "run", spec_file)
    at.menu()
    at.type("q")
    assert at.end() == 3
    assert at.screen.count("Stage 1/5") == 1
    assert netloop("runs", "resume", "last", "--approve", "auto").code == 0


def test_chat_asks_for_the_goal_and_the_data(tmp_path: Path, table: Path) -> None:
    at = Terminal(tmp_path, "chat")
    at.until("What do you want to detect?")
    at.type("tell attacks from normal records, only the forest")
    at.until("Where are the labelled captures")
    at.type("nowhere/at/all")
    at.until("Where are the labelled captures")
    (tmp_path / "empty").mkdir()
    at.type(str(tmp_path / "empty"))
    at.until("empty folder")
    at.until("Where are the labelled captures")
    at.type(str(table))
    at.until("Where does the class come from")
    at.type("kind")
    at.menu()
    at.type("q")
    assert at.end() == 3
