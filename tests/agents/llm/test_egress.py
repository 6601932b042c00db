"""What leaves the machine, and what may come back."""

import hashlib
import tracemalloc

import pytest
from llm_desk import City, OpenDesk

from agents.llm.failures import LlmFailure

MESSAGES = [("user", "The capital of France?")]


def test_the_file_holds_byte_for_byte_what_the_server_received(desk: OpenDesk) -> None:
    with desk("prose", "server_error", refuses=["tools"]) as at:
        at.llm().ask(City, [("user", "Zoë's 首都? \u2028 \x1b[31m")], "a")
        at.llm().say(MESSAGES, "b")
        sent = [line["body"].encode() for line in at.egress]
        assert sent == [received.body for received in at.server.requests]
        assert [line["bytes"] for line in at.egress] == [len(body) for body in sent]
        assert [line["place"] for line in at.egress] == ["a", "a", "a", "b"]
        assert {line["url"] for line in at.egress} == {f"{at.server.base_url}/chat/completions"}
        assert {line["method"] for line in at.egress} == {"POST"}
        hashes = [hashlib.sha256(body).hexdigest() for body in sent]
        assert [exchange.request_sha256 for exchange in at.exchanges] == hashes


def test_the_line_is_on_disk_before_the_server_has_the_request(desk: OpenDesk) -> None:
    lines: list[int] = []

    def reply(request: dict[str, object]) -> str:
        lines.append(len(at.egress))
        return '{"city": "Paris"}'

    with desk(reply=reply) as at:
        at.ask("a")
        at.ask("b")
    assert lines == [1, 2]


def test_headers_are_not_written(desk: OpenDesk) -> None:
    with desk() as at:
        at.ask()
        (line,) = at.egress
        assert line.keys() == {"at", "method", "url", "place", "bytes", "body"}


def test_offline_nothing_leaves(desk: OpenDesk) -> None:
    with desk() as at:
        assert at.fails(offline=True).fault == "offline"
        with pytest.raises(LlmFailure, match=r"Nothing was sent to .*: netloop is offline"):
            at.llm(offline=True).say(MESSAGES, "b")
        assert at.server.requests == []
        assert list(at.run.iterdir()) == []  # neither counted nor listed as sent


def test_an_answer_of_ten_megabytes_is_cut_off_in_bounded_memory(desk: OpenDesk) -> None:
    with desk("ok", "huge") as at:
        at.ask("a")  # imports are paid for
        tracemalloc.start()
        try:
            assert at.fails(place="b").fault == "too_large"
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 70 << 20  # the server builds its ten megabytes here too, several times


def test_a_stream_that_does_not_end_is_cut_off(desk: OpenDesk) -> None:
    said: list[str] = []
    with desk(default="huge_stream") as at:
        with pytest.raises(LlmFailure) as failed:
            at.llm().say(MESSAGES, "a", said.append)
        assert failed.value.fault == "too_large"
        assert 0 < len("".join(said)) < 8 << 20
        assert len(at.server.requests) == 1


def test_a_redirect_is_not_followed(desk: OpenDesk) -> None:
    """The prompt would go to whoever the server names."""
    with desk("redirect") as at:
        assert at.fails().fault == "redirected"
        assert len(at.egress) == 1


def test_compressed_answers_are_not_asked_for(desk: OpenDesk) -> None:
    with desk() as at:
        at.ask()
        assert at.server.requests[0].headers["accept-encoding"] == "identity"


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(
    desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "OPENAI_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with desk() as at:
        assert at.ask().city == "Paris"


def test_a_proxy_of_the_environment_is_used_for_others(
    desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk() as at:
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("http_proxy", at.server.base_url.removesuffix("/v1"))
        failure = at.fails(base_url="http://model.invalid/v1")
        # the proxy (our server) was asked for http://model.invalid/..., a path that it has not
        assert failure.fault == "not_found"


def test_nothing_is_traced(desk: OpenDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """LangSmith would send every prompt to its own server, past the egress file."""
    from langsmith.utils import get_env_var, tracing_is_enabled

    get_env_var.cache_clear()
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LANGSMITH_TRACING_V2"):
        monkeypatch.setenv(name, "true")
    with desk() as traces, desk() as at:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", traces.server.base_url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "x")
        monkeypatch.setenv("LANGSMITH_GATEWAY", traces.server.base_url)
        at.ask()
        at.llm().say(MESSAGES, "b")
        assert not tracing_is_enabled()
        assert traces.server.requests == []
        assert len(at.server.requests) == 2
    get_env_var.cache_clear()


def test_callbacks_of_a_graph_around_it_see_nothing(desk: OpenDesk) -> None:
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.runnables import RunnableLambda

    class Listener(BaseCallbackHandler):
        heard = 0

        def on_chat_model_start(self, *args: object, **kwargs: object) -> None:
            self.heard += 1

    listener = Listener()
    with desk() as at:
        around = RunnableLambda(lambda place: (at.ask(place), at.llm().say(MESSAGES, "b")))
        around.invoke("a", {"callbacks": [listener]})
        assert len(at.server.requests) == 2
    assert listener.heard == 0
