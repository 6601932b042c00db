"""Every way in which a server or its model fails: through ChatOpenAI, over real HTTP."""

import pytest
from llm_desk import GOOD, OpenDesk
from openai_double import MODES

GIVES_UP_AT_ONCE = {
    "auth": ("auth", "wrong, expired or missing"),
    "forbidden": ("forbidden", "may not use"),
    "no_credit": ("quota", "no credit left"),
    "payment": ("quota", "no credit left"),
    "unknown_model": ("unknown_model", "does not know the language model m"),
    "unknown_model_400": ("unknown_model", "NETLOOP_MODEL"),
    "not_found": ("not_found", "most end in /v1"),
    "context": ("context_too_long", "2048 tokens"),
    "context_words": ("context_too_long", "llm_sees: schema"),
    "context_500": ("context_too_long", "available context size"),
    "redirect": ("redirected", "does not follow"),
    "refusal": ("refusal", "I cannot help with that."),
    "content_filter": ("refusal", "refuses to answer"),
    "html": ("html", "A web page answered"),
    "not_json": ("unreadable", "It begins: OK"),
    "nothing": ("unreadable", "no answer of a chat model"),
    "choices_null": ("no_choices", "without a message"),
    "choices_empty": ("no_choices", "without a message"),
    "no_choices": ("no_choices", "The engine is asleep."),
    "message_null": ("no_choices", "without a message"),
    "error_in_200": ("no_choices", "The upstream is gone."),
    "packed": ("unreadable", "compressed"),
    "huge": ("too_large", "over 8 MB"),
    "huge_stream": ("too_large", "over 8 MB"),
    "stream_cut": ("unreadable", "no answer of a chat model"),
    "rate_limited_long": ("rate_limited", "Slow down."),
    "echo_key": ("auth", "OPENAI_API_KEY"),
    "echo_key_200": ("unreadable", "It begins: Bad header"),
}
TRIES_AGAIN = {
    "server_error": ("server_error", [1.0, 2.0]),
    "echo_key_500": ("server_error", [1.0, 2.0]),
    "unavailable": ("server_error", [1.0, 2.0]),
    "rate_limited": ("rate_limited", [3.0, 3.0]),
    "rate_limited_silent": ("rate_limited", [1.0, 2.0]),
    "hang_up": ("server_down", [1.0, 2.0]),
    "half_body": ("server_down", [1.0, 2.0]),
    "gateway_timeout": ("timeout", [1.0]),
    "hang": ("timeout", [1.0]),
    "trickle": ("timeout", [1.0]),
}
REASKS = {
    "empty": ("empty", "answered nothing"),
    "null_content": ("empty", "answered nothing"),
    "thoughts_only": ("empty", "thoughts only"),
    "thinks_forever": ("empty", "thoughts only"),
    "prose": ("prose", "words where an object was asked for"),
    "echo_key_said": ("prose", "words where an object was asked for"),
    "half_json": ("half_json", "does not end"),
    "broken_json": ("half_json", "broken"),
    "a_list": ("wrong_schema", "no object"),
    "wrong_schema": ("wrong_schema", "city: Field required"),
    "not_a_number": ("wrong_schema", "not JSON compliant"),
    "truncated": ("truncated", "max_tokens"),
    "wrong_tool": ("wrong_tool", "open_the_door, not City"),
}
STEPS_DOWN = {"bad_request": "bad_request", "refused_plainly": "bad_request"}
USABLE = (
    "ok",
    "no_usage",
    "null_usage_counts",
    "fenced",
    "think",
    "think_unopened",
    "harmony",
    "prose_around",
    "parts",
    "no_role",
    "text_instead_of_call",
    "no_content_type",
)
OF_TOOLS = ("arguments_as_object", "broken_arguments")
OF_METHODS = ("grammar_500",)


def test_no_mode_of_the_double_is_left_out() -> None:
    tried = {*USABLE, *GIVES_UP_AT_ONCE, *TRIES_AGAIN, *REASKS, *STEPS_DOWN, *OF_TOOLS, *OF_METHODS}
    assert tried == set(MODES)


@pytest.mark.parametrize("mode", USABLE)
def test_an_answer_is_found_whatever_stands_around_it(desk: OpenDesk, mode: str) -> None:
    with desk(default=mode) as at:
        found = at.ask()
        assert (found.city, found.rivers) == ("Paris", ["Seine"])
        assert len(at.server.requests) == 1
        (exchange,) = at.exchanges
        assert (exchange.fault, exchange.answer) == (
            None,
            GOOD.replace(": ", ":").replace(", ", ","),
        )


@pytest.mark.parametrize("mode", GIVES_UP_AT_ONCE)
def test_what_cannot_get_better_is_asked_once(desk: OpenDesk, mode: str) -> None:
    fault, words = GIVES_UP_AT_ONCE[mode]
    with desk(default=mode) as at:
        failure = at.fails()
        assert failure.fault == fault
        assert words in str(failure)
        assert len(at.server.requests) == 1
        assert at.waits == []
        (exchange,) = at.exchanges
        assert (exchange.fault, exchange.place) == (fault, "design/1/propose")


@pytest.mark.parametrize("mode", TRIES_AGAIN)
def test_what_may_get_better_is_asked_again_after_a_while(desk: OpenDesk, mode: str) -> None:
    fault, waits = TRIES_AGAIN[mode]
    with desk(default=mode) as at:
        failure = at.fails(timeout_seconds=0.2 if fault == "timeout" else 5)
        assert failure.fault == fault
        assert at.waits == waits
        assert len(at.server.requests) == len(waits) + 1
        assert [exchange.fault for exchange in at.exchanges] == [fault] * (len(waits) + 1)


@pytest.mark.parametrize("mode", [m for m, (fault, _) in TRIES_AGAIN.items() if fault != "timeout"])
def test_what_got_better_is_no_failure(desk: OpenDesk, mode: str) -> None:
    with desk(mode, mode) as at:
        assert at.ask().city == "Paris"
        assert [exchange.fault is None for exchange in at.exchanges] == [False, False, True]


@pytest.mark.parametrize("mode", REASKS)
def test_what_the_model_did_wrong_is_told_to_it_twice(desk: OpenDesk, mode: str) -> None:
    fault, words = REASKS[mode]
    with desk(default=mode) as at:
        failure = at.fails(method="tools" if mode == "wrong_tool" else "auto")
        assert failure.fault == fault
        assert words in str(failure)
        assert len(at.server.requests) == 3
        first, *again = at.server.requests
        assert "cannot be used" not in first.words
        for received in again:
            assert "Your last answer cannot be used." in received.words
            assert '"rivers"' in received.words  # the schema, which the server may hide


@pytest.mark.parametrize("mode", REASKS)
def test_a_model_that_does_better_when_told_is_no_failure(desk: OpenDesk, mode: str) -> None:
    with desk(mode, mode) as at:
        assert at.ask(method="tools" if mode == "wrong_tool" else "auto").city == "Paris"
        assert len(at.server.requests) == 3


@pytest.mark.parametrize("mode", STEPS_DOWN)
def test_a_request_that_no_method_mends_is_named(desk: OpenDesk, mode: str) -> None:
    with desk(default=mode) as at:
        assert at.fails().fault == STEPS_DOWN[mode]
        assert at.methods == ["json_schema", "tools", "json_object", "prompt"]


def test_a_server_that_is_not_there(desk: OpenDesk) -> None:
    with desk() as at:
        failure = at.fails(base_url="http://127.0.0.1:1/v1")
    assert failure.fault == "server_down"
    assert "http://127.0.0.1:1/v1 cannot be reached, or hung up. " in str(failure)
    assert "refused" in str(failure).lower()
    assert at.waits == [1.0, 2.0]
    assert [exchange.tokens_in for exchange in at.exchanges] == [0, 0, 0]
