"""Trying a server once, and what is remembered."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from llm_desk import CANARY
from openai_double import Request, openai_double

from agents.llm.findings import findings
from agents.llm.servers import known_server
from agents.llm.settings import llm_settings

ALL = ["json_schema", "tools", "json_object", "prompt"]


def capital(request: Request) -> str:
    """A model that gives the form it is told of, by the server or in words."""
    told = "response_format" in request or "tools" in request or "JSON schema" in str(request)
    return '{"city_name": "Paris", "rivers": ["Seine"]}' if told else "Paris, on the Seine."


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What doctor says of a server, in one text, and whether all was well."""
    workspace = tmp_path / "ws"

    def looked(base_url: str, model: str = "m", key: str = CANARY) -> tuple[bool, str]:
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        monkeypatch.setenv("NETLOOP_MODEL", model)
        monkeypatch.setenv("OPENAI_API_KEY", key)
        found = list(findings(workspace))
        return all(fine for fine, _, _ in found), "\n".join(f"{what} {m}" for _, what, m in found)

    return looked


@pytest.mark.parametrize("number", range(4))
def test_the_first_method_that_works_is_found_and_remembered(
    look: Any, tmp_path: Path, number: int
) -> None:
    with openai_double(capital, refuses=ALL[:number]) as server:
        fine, told = look(server.base_url)
        assert fine, told
        method = ["json_schema", "tools", "json_mode", "prompt"][number]
        assert f"planner: m at {server.base_url}" in told
        assert f"it gives objects by {method}; it counts its tokens; it streams" in told
        found = llm_settings(tmp_path / "ws")
        assert found is not None
        assert found.first_method == method
        memory = (tmp_path / "ws" / "llm_servers.json").read_text()
        assert json.loads(memory).keys() == {found.who}
        assert CANARY not in memory


def test_a_server_that_takes_a_schema_and_ignores_it_is_found_out(look: Any) -> None:
    def prose(request: Request) -> str:
        in_words = "JSON schema" in str(request["messages"])
        return capital({"JSON schema": 1}) if in_words else "Paris, on the Seine."

    with openai_double(prose) as server:
        fine, told = look(server.base_url)
        assert fine
        assert "it gives objects by json_mode" in told


def test_a_server_that_neither_counts_nor_streams(look: Any) -> None:
    with openai_double(capital, default="no_usage", refuses=["stream"]) as server:
        fine, told = look(server.base_url)
        assert fine
        assert "tokens are estimated, for it counts none; it does not stream" in told


def test_doctor_asks_anew_each_time(look: Any) -> None:
    with openai_double(capital) as server:
        look(server.base_url)
        look(server.base_url)
        assert len(server.requests) == 4


def test_a_model_that_is_not_there_is_told_with_those_that_are(look: Any) -> None:
    with openai_double(capital, models=["qwen3:8b", "llama3.1:8b"]) as server:
        fine, told = look(server.base_url, model="lama")
        assert not fine
        assert "does not know the language model lama" in told
        assert "It has: llama3.1:8b, qwen3:8b" in told


@pytest.mark.parametrize(
    ("mode", "words", "requests"),
    [
        ("auth", "The key is not accepted", 1),
        ("unknown_model", "Name one that it has", 1),
        ("html", "A web page answered", 1),
        ("not_found", "most end in /v1", 4),
        ("bad_request", "frequency_penalty", 4),
        ("prose", "words where an object was asked for", 4),
    ],
)
def test_a_server_that_cannot_be_used_is_a_fault(
    look: Any, tmp_path: Path, mode: str, words: str, requests: int
) -> None:
    with openai_double(capital, default=mode) as server:
        fine, told = look(server.base_url)
        assert not fine
        assert words in told
        assert len(server.requests) == requests
        assert known_server(tmp_path / "ws", f"m at {server.base_url}") is None
    assert CANARY not in told
    for path in (tmp_path / "ws").rglob("*.json*"):
        assert CANARY not in path.read_text()


def test_a_server_that_is_down_is_a_fault(look: Any) -> None:
    fine, told = look("http://127.0.0.1:1/v1")
    assert not fine
    assert "cannot be reached" in told


@pytest.mark.parametrize("problem", ["address", "key", "workspace"])
def test_settings_that_cannot_be_used_are_a_fault(look: Any, tmp_path: Path, problem: str) -> None:
    if problem == "workspace":
        (tmp_path / "ws").write_text("a file")
    words: Sequence[str] = {
        "address": ("nonsense", CANARY),
        "key": ("http://127.0.0.1:1/v1", "sk a"),
        "workspace": ("http://127.0.0.1:1/v1", CANARY),
    }[problem]
    fine, told = look(words[0], key=words[1])
    assert not fine
    assert told.strip()
