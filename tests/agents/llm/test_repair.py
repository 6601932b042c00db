"""The object in an answer, byte by byte."""

import pytest
from llm_desk import City

from agents.llm.client import accept
from agents.llm.failures import LlmFailure
from agents.llm.repair import LONGEST, Reading, first_object, without_thoughts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        (' \n{"a": 1}\n', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('```\n{"a": 1}\n``` Good luck!', {"a": 1}),
        ('Here {it} is: {"a": {"b": [1, {"c": 2}]}} and {"d": 3}', {"a": {"b": [1, {"c": 2}]}}),
        ('{"a": "a } in a string, and a \\" too"}', {"a": 'a } in a string, and a " too'}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('Say "hello {" to {"a": 1}', None),
        ('it\'s {"a": "\\u00e9\\ud83d\\ude00"}', {"a": "é😀"}),
    ],
)
def test_the_first_whole_object_is_taken(text: str, found: dict[str, object] | None) -> None:
    if found is None:  # a lone brace in prose: no telling where the object ends
        with pytest.raises(LlmFailure):
            first_object(text)
    else:
        assert first_object(text) == found


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "prose"),
        ("A forest would do.", "prose"),
        ('{"a": 1', "half_json"),
        ('{"steps": [{"a": 1}, {"a": ', "half_json"),  # never the {"a": 1} within
        ('{"a": "never ends}', "half_json"),
        ("{'a': 1}", "half_json"),
        ('{"a": 1,}', "half_json"),
        ('[{"a": 1}, {"a": 2}]', "wrong_schema"),
        ('"{"', "wrong_schema"),
        ("17", "wrong_schema"),
        ("null", "wrong_schema"),
        ('{"a": ' * 20_000, "half_json"),
        ('{"a": ' * 20_000 + "1" + "}" * 20_000, "half_json"),
        ("{" * 50_000, "half_json"),
        ("{}x" * 3 + "{" * 9, None),
        (" " * LONGEST + '{"a": 1}', "prose"),
        ('{"a": ' + "9" * 5000 + "}", "half_json"),
    ],
)
def test_what_is_no_object_is_named(text: str, fault: str | None) -> None:
    if fault is None:
        assert first_object(text) == {}
        return
    with pytest.raises(LlmFailure) as failed:
        first_object(text)
    assert failed.value.fault == fault


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>a</think>b", "b"),
        ("a</think>b", "b"),
        ("<thinking>a</thinking>\n b", "\n b"),
        ("<think>a</think><think>c</think>b", "b"),
        ("<THINK>a</Think>b", "b"),
        ("<think>a", ""),
        ("<|channel|>analysis<|message|>a<|end|><|channel|>final<|message|>b", "b"),
        ('{"a": "<think> is a tag"}', '{"a": "<think> is a tag"}'),
    ],
)
def test_thoughts_are_no_answer(text: str, answer: str) -> None:
    assert without_thoughts(text) == answer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"rivers": []}', "city: Field required"),
        ('{"city": 5}', "city: Input should be a valid string"),
        ('{"city": "x", "rivers": [1, 2]}', "rivers.0: Input should be a valid string"),
        ('{"city": "x", "mayor": "y"}', "mayor: Extra inputs are not permitted"),
        ('{"city": 1e999}', "not JSON compliant"),
    ],
)
def test_what_does_not_fit_the_schema_is_told_by_its_place(text: str, words: str) -> None:
    with pytest.raises(LlmFailure) as failed:
        Reading(City, accept).of(text)
    assert failed.value.fault == "wrong_schema"
    assert words in failed.value.detail
    assert failed.value.answer == text


def test_the_json_that_passed_is_exact_and_canonical() -> None:
    value, exact = Reading(City, accept).of('Well: {"rivers":  ["Seine"], "city": "Paris"}')
    assert exact == '{"city":"Paris","rivers":["Seine"]}'
    assert value == City.model_validate_json(exact)
