"""What a run remembers of its model."""

import json
import os
import stat
from pathlib import Path

import pytest
from llm_desk import GOOD, City, OpenDesk
from pydantic import BaseModel

from agents.llm.client import RecordedLlm
from agents.llm.failures import LlmFailure
from agents.llm.record import AnswerLog, append_line

MESSAGES = [("user", "The capital of France?")]


def test_a_place_that_was_answered_is_not_asked_again(desk: OpenDesk) -> None:
    with desk() as at:
        first = at.ask("design/1/propose")
        again = at.ask("design/1/propose")  # as a new process would
        assert first == again
        assert len(at.server.requests) == 1
        at.ask("design/2/propose")
        assert len(at.server.requests) == 2


def test_words_that_were_said_are_said_again_from_the_log(desk: OpenDesk) -> None:
    pieces: list[str] = []
    with desk(reply=lambda request: "Because it generalises.") as at:
        said = at.llm().say(MESSAGES, "design/1/answer/ab", pieces.append)
        again = at.llm().say(MESSAGES, "design/1/answer/ab", pieces.append)
        assert said == again == "Because it generalises."
        assert "".join(pieces) == 2 * said
        assert len(at.server.requests) == 1


def test_only_what_could_be_used_is_a_record(desk: OpenDesk) -> None:
    with desk("prose", "prose", "prose") as at:
        at.fails()
        assert at.log.recorded("design/1/propose") is None
        assert [e.answer for e in at.exchanges] == ["I would suggest a random forest."] * 3
        assert at.ask().city == "Paris"
        assert at.log.recorded("design/1/propose") == GOOD.replace(" ", "")


def test_a_record_that_fits_no_more_is_asked_again(desk: OpenDesk) -> None:
    def no_seine(city: City) -> None:
        if city.rivers and len(at.server.requests) == 1:
            raise ValueError("no rivers")

    with desk() as at:
        at.ask("a")
        assert at.llm().ask(City, MESSAGES, "a", no_seine).city == "Paris"
        assert len(at.server.requests) == 2


def test_a_replay_answers_from_the_log_alone(desk: OpenDesk) -> None:
    with desk() as at:
        at.ask("a")
        at.llm().say(MESSAGES, "b")
        log = at.log
    replayed, pieces = RecordedLlm(log), list[str]()
    assert replayed.ask(City, MESSAGES, "a").rivers == ["Seine"]
    assert replayed.say([], "b", pieces.append) == GOOD
    assert pieces == [GOOD]
    for ask in (lambda: replayed.ask(City, [], "c"), lambda: replayed.say([], "c")):
        with pytest.raises(LlmFailure, match="It is the one of c") as failed:
            ask()
        assert failed.value.fault == "not_recorded"


def test_a_replay_with_another_schema_says_so(desk: OpenDesk) -> None:
    class Other(BaseModel):
        colour: str

    with desk() as at:
        at.ask("a")
        with pytest.raises(LlmFailure, match="colour: Field required"):
            RecordedLlm(at.log).ask(Other, [], "a")


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_line_that_a_kill_tore_is_left_out_and_the_next_stands_alone(
    desk: OpenDesk, cut: int
) -> None:
    with desk() as at:
        at.ask("a")
        path = at.run / "llm.jsonl"
        whole = path.read_bytes()
        path.write_bytes(whole[:-cut])
        (exchange,) = at.exchanges
        # the line end alone is no loss; without the answer, the request still counts
        assert exchange.fault == (None if cut == 1 else "unanswered")
        at.ask("b")
        assert [(e.number, e.place, e.fault) for e in at.exchanges][1:] == [(1, "b", None)]
        assert path.read_bytes().count(b"\n") == 4


def test_a_damaged_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "llm.jsonl"
    path.write_bytes(b'\xff\xfe\n{"number": 0}\n[]\nnull\n\n')
    assert AnswerLog(path).exchanges == []
    assert AnswerLog(path).next_number == 0


def test_files_with_prompts_are_private_whatever_the_umask(desk: OpenDesk) -> None:
    before = os.umask(0)
    try:
        with desk() as at:
            at.ask()
            for name in ("llm.jsonl", "egress.jsonl"):
                assert stat.S_IMODE((at.run / name).stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_line_is_ascii_whatever_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    append_line(path, {"text": "é\u2028\ud800"})
    append_line(path, {"text": "next"})
    assert path.read_bytes() == b'{"text": "\\u00e9\\u2028\\ud800"}\n{"text": "next"}\n'


def test_half_a_surrogate_pair_breaks_neither_the_log_nor_the_answer(desk: OpenDesk) -> None:
    with desk(reply=lambda request: '{"city": "P\\ud83d", "rivers": []}') as at:
        at.server.reply = lambda request: '{"city": "P\ud83d", "rivers": []}'
        assert at.ask("a").city == "P?"
        assert at.ask("a").city == "P?"
        assert len(at.server.requests) == 1


def test_a_prompt_with_half_a_surrogate_pair_is_sent(desk: OpenDesk) -> None:
    with desk() as at:
        at.llm().ask(City, [("user", "caf\udce9")], "a")
        assert at.server.requests[0].words == "caf?"


def test_what_a_line_says(desk: OpenDesk) -> None:
    with desk() as at:
        at.ask()
        line = json.loads((at.run / "llm.jsonl").read_text().splitlines()[-1])
        assert line.pop("at").endswith("+00:00")
        assert line.pop("seconds") >= 0
        assert len(line.pop("request_sha256")) == 64
        assert line == {
            "number": 0,
            "place": "design/1/propose",
            "attempt": 1,
            "model": "m",
            "method": "json_schema",
            "answer": '{"city":"Paris","rivers":["Seine"]}',
            "fault": None,
            "tokens_in": 11,
            "tokens_out": 7,
            "estimated": False,
            "money": 0.0,
        }
