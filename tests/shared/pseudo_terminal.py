"""A netloop process on a pseudo-terminal, and a person who waits for words and types."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from pathlib import Path

NETLOOP = Path(sys.executable).with_name("netloop")
# Where a prompt listens it asks for pastes to be marked; what is typed sooner is dropped.
LISTENS = "\x1b[?2004h"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


class PseudoTerminal:
    """``netloop`` with some words, in a folder, on a screen of ``columns``."""

    def __init__(self, folder: Path, *words: object, columns: int = 80) -> None:
        self.screen = self._unread = ""
        pid, self.handle = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.environ.pop("PYTHONUNBUFFERED", None)  # a person's shell does not set it
            os.environ.update(TERM="xterm", COLUMNS=str(columns), LINES="50")
            os.execv(NETLOOP, [str(NETLOOP), *map(str, words)])
        fcntl.ioctl(self.handle, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.pid = pid

    @property
    def words(self) -> str:
        """Everything that was shown, on one line and without its colours."""
        return " ".join(_CONTROL.sub("", self.screen).split())

    def until(self, text: str) -> None:
        """Read until ``text`` appears after what the last call found."""
        deadline = time.monotonic() + 180
        while text not in self._unread:
            assert time.monotonic() < deadline, f"{text!r} never came:\n{self._unread}"
            if select.select([self.handle], [], [], 0.2)[0]:
                self._read()
        self._unread = self._unread.partition(text)[2]

    def menu(self) -> None:
        """Read until the keys are shown and the prompt below them listens."""
        self.until("[q]uit")
        self.until(LISTENS)

    def say(self, line: str) -> None:
        """Type a line and Enter."""
        self.send(f"{line}\r".encode())

    def ask(self, line: str) -> None:
        """Say something that decides nothing, and wait until the plan is asked about again."""
        self.say(line)
        self.menu()

    def send(self, keys: bytes) -> None:
        """Hit keys."""
        os.write(self.handle, keys)

    def end(self) -> int:
        """Read on until the process ends; its exit code."""
        while self._read():
            pass
        os.close(self.handle)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        """One piece of output, if the process has not ended."""
        try:
            piece = os.read(self.handle, 65536).decode(errors="replace")
        except OSError:
            return False
        self.screen += piece
        self._unread += piece
        return bool(piece)
