"""Where the settings come from, and what is refused."""

import stat
from pathlib import Path

import pytest

from agents.llm.servers import Server, known_server, remember_server
from agents.llm.settings import OPENAI, LlmSettings, Price, llm_key, llm_settings
from pipelines.errors import InputError

NAMES = ("OPENAI_BASE_URL", "NETLOOP_MODEL", "NETLOOP_OFFLINE", "OPENAI_API_KEY")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def written(workspace: Path, text: str) -> Path:
    (workspace / "llm.yaml").write_text(text)
    return workspace


def test_without_a_model_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert llm_settings(tmp_path) is None
    assert llm_settings(tmp_path / "not there") is None
    assert llm_settings(written(tmp_path, "")) is None
    assert llm_settings(written(tmp_path, "temperature: 0.5")) is None


def test_a_model_alone_is_openais(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETLOOP_MODEL", "gpt-4o-mini")
    found = llm_settings(tmp_path)
    assert found is not None
    assert found == LlmSettings(model="gpt-4o-mini")
    assert (found.base_url, found.method, found.temperature) == (OPENAI, "auto", 0.0)
    assert found.price is None


def test_all_that_a_file_may_say(tmp_path: Path) -> None:
    text = """
base_url: http://127.0.0.1:11434/v1/
model: qwen3:8b
method: tools
temperature: null
seed: 7
timeout_seconds: 300
max_tokens: 2000
prices: {qwen3:8b: {input: 0.1, output: 0.2}}
extra_body: {options: {num_ctx: 16384}}
offline: false
"""
    found = llm_settings(written(tmp_path, text))
    assert found is not None
    assert found.who == "qwen3:8b at http://127.0.0.1:11434/v1"
    assert (found.method, found.temperature, found.seed) == ("tools", None, 7)
    assert found.price == Price(input=0.1, output=0.2)
    assert found.extra_body == {"options": {"num_ctx": 16384}}


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "base_url: http://127.0.0.1:1/v1\nmodel: a\nmax_tokens: 9\noffline: false\n")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:2/v1")
    monkeypatch.setenv("NETLOOP_MODEL", "b")
    monkeypatch.setenv("NETLOOP_OFFLINE", "1")
    found = llm_settings(tmp_path)
    assert found is not None
    assert (found.who, found.max_tokens, found.offline) == ("b at http://127.0.0.1:2/v1", 9, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: [a", "cannot be read as YAML"),
        ("- model", "keys and values"),
        ("model: 5", "llm.yaml: model: input should be a valid string"),
        ("model: a\nmodle: b", "modle: extra inputs are not permitted"),
        ("model: a\nmethod: magic", "method: input should be 'auto', 'json_schema', 'tools'"),
        ("model: a\ntemperature: 3", "temperature: input should be less than or equal to 2"),
        ("model: a\ntimeout_seconds: 0", "timeout_seconds: input should be greater than 0"),
        ("model: a\nmax_tokens: 0", "max_tokens"),
        ("model: a\nbase_url: localhost:8000", "base_url: should be an address such as"),
        ("model: a\nbase_url: file:///etc/passwd", "base_url: should be an address such as"),
        ("model: a\nbase_url: http://h/v1?x=1", "base_url: should end before the ?"),
        ("model: a\nbase_url: http://h/v1/chat/completions", "should end before /chat"),
        ("model: a\nbase_url: 'http://[::1'", "base_url"),
        ("model: a\nprices: {a: {input: -1, output: 1}}", "prices.a.input"),
        ("model: a\nprices: {a: {input: .nan, output: 1}}", "prices.a.input"),
        ("model: a\nprices: {a: {input: 1}}", "prices.a.output: field required"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        llm_settings(written(tmp_path, text))
    assert words in str(refused.value)
    assert str(tmp_path / "llm.yaml") in str(refused.value)


def test_a_wrong_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETLOOP_MODEL", "a")
    monkeypatch.setenv("OPENAI_BASE_URL", "ann:hunter2-s3cret@host")
    with pytest.raises(InputError, match="OPENAI_BASE_URL: should be an address") as refused:
        llm_settings(tmp_path)
    assert "hunter2" not in str(refused.value) + repr(refused.value.__context__)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("api_key: abc", "api_key"),
        ("OPENAI_API_KEY: abc", "OPENAI_API_KEY"),
        ("extra_body: {headers: {Authorization: abc}}", "extra_body.headers.Authorization"),
        ("extra_body: {user: sk-0123456789abc}", "extra_body.user"),
        ("extra_body: {a: [{b: 'Bearer abc'}]}", "extra_body.a"),
        ("base_url: http://ann:hunter2@host/v1", "base_url"),
        ("model: a\npassword: b", "password"),
        ("login: ann", "login"),
    ],
)
def test_a_file_that_holds_a_secret_is_refused(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(InputError, match="holds a secret") as refused:
        llm_settings(written(tmp_path, text))
    assert f"at {place}:" in str(refused.value)
    for secret in ("hunter2", "abc"):
        assert secret not in str(refused.value).replace(place, "")


def test_max_tokens_is_no_secret(tmp_path: Path) -> None:
    assert llm_settings(written(tmp_path, "model: a\nmax_tokens: 9")) is not None


def test_the_key_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert llm_key().get_secret_value() == ""
    monkeypatch.setenv("OPENAI_API_KEY", " sk-0123456789 \n")
    assert llm_key().get_secret_value() == "sk-0123456789"
    assert "0123" not in repr(llm_key()) + str(llm_key())


@pytest.mark.parametrize("key", ["sk-a b", "sk-\u00e9", "sk-a\nb", "sk-a\x7f"])
def test_what_cannot_be_a_key_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(InputError, match="OPENAI_API_KEY") as refused:
        llm_key()
    assert "sk-" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "price"),
    [
        ("http://127.0.0.1:1/v1", Price(input=0, output=0)),
        ("http://localhost:1/v1", Price(input=0, output=0)),
        ("http://[::1]:1/v1", Price(input=0, output=0)),
        ("http://127.0.0.1.example.org/v1", None),
        ("https://localhost.example.org/v1", None),
        ("http://10.0.0.5/v1", None),
    ],
)
def test_only_a_server_on_this_machine_is_free(address: str, price: Price | None) -> None:
    assert LlmSettings(model="a", base_url=address).price == price


def test_what_doctor_found_is_where_auto_begins(tmp_path: Path) -> None:
    written(tmp_path, "model: a\nbase_url: http://127.0.0.1:1/v1")
    found = llm_settings(tmp_path)
    assert found is not None
    assert found.first_method is None
    server = Server(method="tools", usage=True, streaming=False, seen="2026-01-01")
    remember_server(tmp_path, found.who, server)
    remember_server(tmp_path, "b at http://127.0.0.1:1/v1", server)
    again = llm_settings(tmp_path)
    assert again is not None
    assert again.first_method == "tools"
    assert known_server(tmp_path, "c at http://127.0.0.1:1/v1") is None
    assert stat.S_IMODE((tmp_path / "llm_servers.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 1}', b"\xff"])
def test_a_damaged_memory_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "llm_servers.json").write_bytes(content)
    assert known_server(tmp_path, "a") is None


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        ({"max_tokens": 99_999}, "max_tokens"),
        ({"model": "dearer"}, "model"),
        ({"n": 5, "messages": []}, "messages, n"),
        ({"top_k": float("nan")}, "json"),
    ],
)
def test_what_is_reckoned_with_is_not_in_the_extra_body(extra: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"(?i){complaint}"):
        LlmSettings(model="m", extra_body=extra)


@pytest.mark.parametrize("text", ["seed: 2024-13-45", "[" * 5000])
def test_yaml_that_python_cannot_hold_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "llm.yaml").write_text(text)
    with pytest.raises(InputError, match="cannot be read as YAML"):
        llm_settings(tmp_path)
