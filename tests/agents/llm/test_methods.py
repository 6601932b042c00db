"""The ladder of methods, as the server sees it."""

import json

import pytest
from llm_desk import GOOD, City, OpenDesk

from agents.llm.servers import METHODS
from pipelines.errors import InputError

ALL = ["json_schema", "tools", "json_object", "prompt"]


@pytest.mark.parametrize("number", range(4))
def test_what_a_server_refuses_is_asked_in_the_next_way(desk: OpenDesk, number: int) -> None:
    with desk(refuses=ALL[:number]) as at:
        assert at.ask().city == "Paris"
        assert at.methods == ALL[: number + 1]
        assert [e.method for e in at.exchanges] == list(METHODS[: number + 1])


def test_a_refused_method_is_not_tried_again_in_the_run_not_even_by_a_new_process(
    desk: OpenDesk,
) -> None:
    with desk(refuses=ALL[:3]) as at:
        at.ask("design/1/propose")
        at.ask("design/2/propose")
        assert at.methods == [*ALL, "prompt"]


def test_a_run_begins_with_what_doctor_found(desk: OpenDesk) -> None:
    with desk() as at:
        at.ask(first_method="json_mode")
        assert at.methods == ["json_object"]


@pytest.mark.parametrize(("method", "seen"), list(zip(METHODS, ALL, strict=True)))
def test_a_method_that_was_chosen_is_the_only_one(desk: OpenDesk, method: str, seen: str) -> None:
    with desk(refuses=[seen] if seen != "prompt" else []) as at:
        if seen == "prompt":
            assert at.ask(method=method).city == "Paris"
        else:
            assert at.fails(method=method).fault == "bad_request"
        assert at.methods == [seen]


def test_the_schema_travels_as_the_method_has_it(desk: OpenDesk) -> None:
    form = City.model_json_schema()
    with desk(refuses=ALL[:3]) as at:
        at.ask()
        by_schema, by_tool, by_mode, by_words = (received.json for received in at.server.requests)
    wanted = {"name": "City", "schema": form}
    assert by_schema["response_format"] == {"type": "json_schema", "json_schema": wanted}
    (tool,) = by_tool["tools"]
    assert tool["function"]["parameters"] == form
    assert by_tool["tool_choice"] == {"type": "function", "function": {"name": "City"}}
    assert by_mode["response_format"] == {"type": "json_object"}
    for body in (by_mode, by_words):
        assert body["messages"][-1]["content"].endswith(json.dumps(form))
    for body in (by_schema, by_tool):
        assert body["messages"][-1]["content"] == "The capital of France?"


def test_a_server_that_fails_over_the_grammar_is_asked_in_the_next_way(desk: OpenDesk) -> None:
    with desk("grammar_500") as at:
        assert at.ask().city == "Paris"
        assert at.methods == ["json_schema", "tools"]
        assert at.waits == [0.0]


def test_a_call_with_an_object_for_arguments_is_read(desk: OpenDesk) -> None:
    with desk("arguments_as_object") as at:
        assert at.ask(method="tools").city == "Paris"
        assert len(at.server.requests) == 1


def test_broken_arguments_lead_to_the_next_method(desk: OpenDesk) -> None:
    with desk("broken_arguments") as at:
        assert at.ask(first_method="tools").city == "Paris"
        assert at.methods == ["tools", "json_object"]
        assert at.exchanges[0].fault == "tool_arguments"
    with desk(default="broken_arguments") as at:
        assert at.fails(place="again", method="tools").fault == "tool_arguments"


def test_a_model_that_takes_no_temperature_gets_none(desk: OpenDesk) -> None:
    with desk(refuses=["temperature"]) as at:
        assert at.ask(seed=7).city == "Paris"
        first, second = (received.json for received in at.server.requests)
        assert (first["temperature"], first["seed"]) == (0.0, 7)
        assert not {"temperature", "seed"} & second.keys()
        assert at.methods == ["json_schema"] * 2


def test_what_the_settings_say_is_what_is_sent(desk: OpenDesk) -> None:
    extra = {"chat_template_kwargs": {"enable_thinking": False}}
    with desk() as at:
        at.ask(temperature=None, max_tokens=99, extra_body=extra)
        (received,) = at.server.requests
    assert received.json["max_tokens"] == 99
    assert received.json["chat_template_kwargs"] == {"enable_thinking": False}
    assert not {"temperature", "seed", "max_completion_tokens"} & received.json.keys()


def test_the_requests_for_one_answer_are_bounded_whatever_the_server_does(desk: OpenDesk) -> None:
    """Sampling, three methods, two re-asks, two repeats: the ninth would be answered."""
    modes = ["ok", *["bad_request"] * 3, "prose", "prose", "server_error", "server_error"]
    with desk(*modes, refuses=["temperature"]) as at:
        assert at.fails().fault == "server_error"
        assert len(at.server.requests) == 8


def no_loire(city: City) -> None:
    """A check as planners have them."""
    if "Loire" in city.rivers:
        raise InputError("rivers: the Loire is elsewhere.", "Known: Seine.")


def test_values_out_of_bounds_are_told_and_asked_again(desk: OpenDesk) -> None:
    answers = iter(['{"city": "Paris", "rivers": ["Loire"]}', GOOD])
    with desk(reply=lambda request: next(answers)) as at:
        found = at.llm().ask(City, [("user", "The capital?")], "p", no_loire)
        assert found.rivers == ["Seine"]
        again = at.server.requests[1].json["messages"]
        assert [message["role"] for message in again] == ["user", "assistant", "user"]
        assert again[1]["content"] == '{"city": "Paris", "rivers": ["Loire"]}'
        assert "rivers: the Loire is elsewhere. Known: Seine." in again[2]["content"]
        assert [e.fault for e in at.exchanges] == ["out_of_bounds", None]


def test_a_model_that_insists_is_refused(desk: OpenDesk) -> None:
    with desk(reply=lambda request: '{"city": "Paris", "rivers": ["Loire"]}') as at:
        with pytest.raises(Exception, match="the Loire is elsewhere") as failed:
            at.llm().ask(City, [("user", "The capital?")], "p", no_loire)
        assert failed.value.fault == "out_of_bounds"
        assert at.log.recorded("p") is None
