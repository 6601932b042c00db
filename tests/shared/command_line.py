"""The command line inside the test's own process: imports are paid for once. Or in another."""

import io
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.terminal.app import main

NETLOOP = Path(sys.executable).with_name("netloop")
SETTINGS = ("NETLOOP_", "OPENAI_")


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


def run_here(*words: object, folder: Path, env: Mapping[str, str] | None = None) -> Ended:
    """``netloop WORDS`` in ``folder``, in this process; no key and no setting but ``env``."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("NETLOOP_WORKSPACE", "")  # what the command makes of it is forgotten
        for name in [name for name in os.environ if name.startswith(SETTINGS)]:
            patch.delenv(name)
        for name, value in {"COLUMNS": "80", **(env or {})}.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["netloop", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    return Ended(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def run_line(line: str, folder: Path, env: Mapping[str, str] | None = None) -> Ended:
    """A line of a page as it stands, in this process; by a shell if it holds a shell's signs."""
    words = shlex.split(line)
    if words[0] == "netloop" and not {">", "<", "|", "&&"}.intersection(words):
        return run_here(*words[1:], folder=folder, env=env)
    path = f"{NETLOOP.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        line,
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": path, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def run_process(*words: object, folder: Path, env: Mapping[str, str] | None = None) -> Ended:
    """The same in a process of its own, without a terminal: where the process is the point."""
    others = {name: text for name, text in os.environ.items() if not name.startswith(SETTINGS)}
    done = subprocess.run(
        [NETLOOP, *map(str, words)],
        cwd=folder,
        env={**others, "COLUMNS": "80", **(env or {})},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    return Ended(done.returncode, done.stdout, done.stderr)
