"""The command line inside the test's own process: imports are paid for once."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from agents.terminal.app import main


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote to both streams."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> str:
        """What it said on stderr, on one line."""
        return " ".join(self.err.split())


Command = Callable[..., Ended]


def command_runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``run("tune", "task", ...)`` as ``netloop tune task ...`` would."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["netloop", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0, out, err)

    return run
