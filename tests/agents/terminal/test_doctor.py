"""``netloop doctor`` about the language model."""

from pathlib import Path

import pytest
from command_line import Command, command_runner
from openai_double import openai_double

NAMES = ("OPENAI_BASE_URL", "NETLOOP_MODEL", "NETLOOP_OFFLINE", "OPENAI_API_KEY")


@pytest.fixture
def netloop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return command_runner(monkeypatch, capsys)


def test_without_a_model_it_says_how_to_have_one(
    netloop: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789")
    ended = netloop("doctor", "--workspace", tmp_path / "ws")
    assert ended.code == 0
    assert "ok    planner: rules, no language model (OPENAI_API_KEY is set)" in ended.out
    assert "set NETLOOP_MODEL and OPENAI_BASE_URL" in ended.out
    assert "canary" not in ended.out + ended.err
    assert not (tmp_path / "ws").exists()


def test_a_model_that_works(
    netloop: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETLOOP_MODEL", "m")
    with openai_double(lambda request: '{"city_name": "Paris", "rivers": []}') as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        ended = netloop("doctor", "--workspace", tmp_path / "ws")
        assert ended.code == 0, ended.out
        assert f"ok    planner: m at {server.base_url}\n" in ended.out
        assert (
            "ok    it gives objects by json_schema; it counts its tokens; it streams" in ended.out
        )


def test_a_model_that_fails(
    netloop: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETLOOP_MODEL", "m\x1b[2J")
    with openai_double(default="auth") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        ended = netloop("doctor", "--workspace", tmp_path / "ws")
    assert ended.code == 1
    assert "FAULT The key is not accepted by the language model m\\x1b[2J at" in ended.out
    assert "      Set OPENAI_API_KEY" in ended.out
    assert "\x1b" not in ended.out
