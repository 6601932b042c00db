"""The line editor: what it keeps, what it forgets, and who may read it."""

import os
import pty
import select
import stat
import sys
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from agents.terminal.chat_prompt import HISTORY, KeptHistory, TerminalPrompt, looks_secret


def kept(workspace: Path) -> list[str]:
    return list(KeptHistory(workspace / HISTORY).load_history_strings())


def test_lines_are_kept_for_their_owner_alone(tmp_path: Path) -> None:
    history = KeptHistory(tmp_path / "new" / HISTORY)
    history.append_string("make it faster")
    history.append_string("why not the forest?")
    assert kept(tmp_path / "new") == ["why not the forest?", "make it faster"]
    assert stat.S_IMODE((tmp_path / "new" / HISTORY).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "line",
    [
        "sk-proj-AbCd1234EfGh5678",
        "my api key is AbCd1234",
        "OPENAI_API_KEY=AbCd1234",
        "password: hunter22",
        "Authorization: Bearer abcdefgh",
        "https://user:hunter2@host/captures",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "use 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    ],
)
def test_what_looks_like_a_secret_is_not_kept(tmp_path: Path, line: str) -> None:
    history = KeptHistory(tmp_path / HISTORY)
    history.append_string(line)
    history.append_string("status")
    assert kept(tmp_path) == ["status"]
    assert history.get_strings() == ["status"], "nor offered again in this sitting"


@pytest.mark.parametrize(
    "line",
    [
        "tokens=5000",
        "why are tokens counted?",
        "captures/2026-11-27-site-a-with-a-long-name.pcap",
        "/home/me/captures/malware_traffic_of_the_second_week",
        "only random_forest and hist_gradient_boosting",
        "train_cnn.epochs=30",
        "the key is the port",
    ],
)
def test_what_people_say_is_kept(line: str) -> None:
    assert not looks_secret(line)


def test_a_history_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = KeptHistory(tmp_path / "file" / HISTORY)
    history.append_string("make it faster")
    assert history.get_strings() == ["make it faster"]


def test_a_damaged_history_is_read_as_far_as_it_is_text(tmp_path: Path) -> None:
    (tmp_path / HISTORY).write_bytes(b"\xff\xfe\x00\n# 2026\n+why?\n\x80\n")
    assert kept(tmp_path) == ["why?"]


def test_arrow_up_brings_back_what_was_said_on_another_day(tmp_path: Path) -> None:
    KeptHistory(tmp_path / HISTORY).append_string("only the forest")
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        prompt = TerminalPrompt(tmp_path)
        keys.send_text("\x1b[A\r")
        assert prompt("> ") == "only the forest"
        keys.send_text("st\tatus\r")  # Tab completes commands only
        assert "status" in prompt("> ")


def test_tab_completes_a_command(tmp_path: Path) -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        prompt = TerminalPrompt(tmp_path)
        keys.send_text("/stat\t\r")
        assert prompt("> ") == "/status"


@pytest.mark.parametrize(("key", "error"), [("\x04", EOFError), ("\x03", KeyboardInterrupt)])
def test_leaving(tmp_path: Path, key: str, error: type[BaseException]) -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        prompt = TerminalPrompt(tmp_path)
        keys.send_text(key)
        with pytest.raises(error):
            prompt("> ")


def test_what_was_typed_too_soon_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Enter hit while a step ran would else approve a plan that nobody has seen."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as terminal, create_pipe_input() as keys:
        monkeypatch.setattr(sys, "stdin", terminal)
        os.write(ours, b"\n\n")
        with create_app_session(input=keys, output=DummyOutput()):
            prompt = TerminalPrompt(tmp_path)
            assert select.select([terminal], [], [], 1)[0]
            keys.send_text("w\r\r")  # the second Enter is read with the first, and kept
            assert prompt("> ") == "w"
            prompt.forget_typed()
            keys.send_text("q\r")
            assert prompt("> ") == "q"
        assert not select.select([terminal], [], [], 0)[0]
    os.close(ours)
