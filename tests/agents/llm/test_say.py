"""Words, piece by piece."""

import pytest
from llm_desk import OpenDesk

from agents.llm.failures import LlmFailure
from agents.llm.meter import Limits, Meter
from agents.llm.prose import Thoughts

MESSAGES = [("user", "Why not the forest?")]
WORDS = "Because it leans on ports, and ports are masked."


def test_pieces_come_as_they_are_said(desk: OpenDesk) -> None:
    pieces: list[str] = []
    with desk(reply=lambda request: WORDS) as at:
        assert at.llm().say(MESSAGES, "a", pieces.append) == WORDS
        assert len(pieces) > 5
        assert "".join(pieces) == WORDS
        (exchange,) = at.exchanges
        assert (exchange.method, exchange.answer) == ("stream", WORDS)
        assert (exchange.tokens_in, exchange.tokens_out, exchange.estimated) == (11, 7, False)


def test_nobody_need_listen(desk: OpenDesk) -> None:
    with desk(reply=lambda request: WORDS) as at:
        assert at.llm().say(MESSAGES, "a") == WORDS


@pytest.mark.parametrize("mode", ["no_content_type", "parts"])
def test_a_server_that_answers_whole_is_asked_again_without_a_stream(
    desk: OpenDesk, mode: str
) -> None:
    pieces: list[str] = []
    with desk(mode, reply=lambda request: WORDS, refuses=[]) as at:
        at.server.modes.append(mode)
        assert at.llm().say(MESSAGES, "a", pieces.append) == WORDS
        assert pieces == [WORDS]
        assert [e.method for e in at.exchanges] == ["stream", "whole"]


def test_a_server_that_refuses_streams(desk: OpenDesk) -> None:
    with desk(reply=lambda request: WORDS, refuses=["stream"]) as at:
        assert at.llm().say(MESSAGES, "a") == WORDS
        assert [e.fault for e in at.exchanges] == ["bad_request", None]


def test_a_model_that_takes_no_temperature(desk: OpenDesk) -> None:
    with desk(reply=lambda request: WORDS, refuses=["temperature"]) as at:
        assert at.llm().say(MESSAGES, "a") == WORDS
        assert [e.method for e in at.exchanges] == ["stream", "stream"]


def test_thoughts_are_neither_shown_nor_kept(desk: OpenDesk) -> None:
    pieces: list[str] = []
    with desk(reply=lambda request: f"<think>Ports? Hmm.</think>\n\n{WORDS}") as at:
        assert at.llm().say(MESSAGES, "a", pieces.append) == WORDS
        assert "".join(pieces) == WORDS


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["<", "think", ">a</th", "ink>", "b", "c"], ["", "", "", "", "b", "c"]),
        (["<", "b>"], ["", "<b>"]),
        ([" ", "a", " b"], ["", "a", " b"]),
        (["<think>a"], [""]),
        (["<think>a</think> b"], ["b"]),
        (["a <think> b"], ["a <think> b"]),
    ],
)
def test_thoughts_are_left_out_wherever_a_piece_ends(pieces: list[str], shown: list[str]) -> None:
    thoughts = Thoughts()
    assert [thoughts.left_out(piece) for piece in pieces] == shown


def test_an_answer_that_was_cut_off_says_so(desk: OpenDesk) -> None:
    with desk("truncated", reply=lambda request: WORDS) as at:
        assert at.llm().say(MESSAGES, "a") == f"{WORDS[:-3]}…"


def test_a_stream_that_breaks_off_is_not_begun_anew(desk: OpenDesk) -> None:
    pieces: list[str] = []
    with desk(default="stream_cut") as at:
        with pytest.raises(LlmFailure, match="the worker died") as failed:
            at.llm().say(MESSAGES, "a", pieces.append)
        assert failed.value.fault == "server_error"
        assert "".join(pieces) == "Because it "
        assert len(at.server.requests) == 1
        assert at.exchanges[0].estimated
        assert Meter(Limits(), at.log).spent.tokens > 0


@pytest.mark.parametrize(
    ("mode", "fault", "requests"),
    [
        ("auth", "auth", 1),
        ("server_error", "server_error", 3),
        ("rate_limited", "rate_limited", 3),
        ("html", "html", 2),
        ("empty", "empty", 2),
        ("refusal", "refusal", 2),
        ("thinks_forever", "empty", 2),
        ("bad_request", "bad_request", 2),
        ("hang_up", "server_down", 3),
        ("huge", "too_large", 1),
    ],
)
def test_failures_are_named(desk: OpenDesk, mode: str, fault: str, requests: int) -> None:
    with desk(default=mode) as at:
        with pytest.raises(LlmFailure) as failed:
            at.llm().say(MESSAGES, "a")
        assert failed.value.fault == fault
        assert len(at.server.requests) == requests
        assert "m at http://127.0.0.1" in str(failed.value)


@pytest.mark.parametrize("mode", ["hang", "trickle"])
def test_a_slow_server_times_out(desk: OpenDesk, mode: str) -> None:
    with desk(default=mode) as at:
        with pytest.raises(LlmFailure) as failed:
            at.llm(timeout_seconds=0.2).say(MESSAGES, "a")
        assert failed.value.fault == "timeout"
        assert at.waits == [1.0]


def test_a_failure_of_the_listener_is_the_listeners(desk: OpenDesk) -> None:
    def listen(piece: str) -> None:
        raise ValueError("the terminal is gone")

    with desk(reply=lambda request: WORDS) as at, pytest.raises(ValueError, match="terminal"):
        at.llm().say(MESSAGES, "a", listen)
