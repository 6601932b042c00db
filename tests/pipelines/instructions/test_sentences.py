"""Sentences from grammars: what the signs mean, and that ours are whole."""

import re
from random import Random

import pytest

from pipelines.instructions.sentences import Grammar, grammar_of, sentence
from pipelines.instructions.tasks import NONE, TASKS, Task, task_of

EVERY = pytest.mark.parametrize("task", [*TASKS, NONE], ids=lambda task: task.code)


def drawn(grammar: Grammar, draws: int = 200) -> set[str]:
    random = Random(0)
    return {sentence(grammar, random) for _ in range(draws)}


def test_a_slot_stands_for_each_of_its_alternatives() -> None:
    grammar = {"frame": ["find {what} in {where}"], "what": ["bots", "worms"], "where": ["it"]}
    assert drawn(grammar) == {"Find bots in it", "Find worms in it"}


def test_slots_hold_slots() -> None:
    assert drawn({"frame": ["{a}"], "a": ["one {b}"], "b": ["two {c}"], "c": ["three"]}) == {
        "One two three"
    }


def test_bars_divide_alternatives_and_one_may_be_empty() -> None:
    assert drawn({"frame": ["look <now|> at <it|them>"]}) == {
        "Look now at it",
        "Look now at them",
        "Look at it",
        "Look at them",
    }


def test_alternatives_between_bars_may_hold_slots() -> None:
    assert drawn({"frame": ["<{a}|b>"], "a": ["c"]}) == {"C", "B"}


def test_angle_brackets_without_a_bar_are_text() -> None:
    assert drawn({"frame": ["is <script> bad?"]}) == {"Is <script> bad?"}


def test_a_star_asks_for_several_with_commas() -> None:
    lists = drawn({"frame": ["{x*3}"], "x": ["A", "B", "C", "D"]}, 500)
    assert len(lists) == 24
    assert all(re.fullmatch(r"[A-D], [A-D], [A-D]", text) for text in lists)


def test_it_asks_for_no_more_than_there_are() -> None:
    assert drawn({"frame": ["{x*9}"], "x": ["A", "B"]}) == {"A, B", "B, A"}


def test_nothing_is_said_twice_while_there_is_something_else() -> None:
    assert drawn({"frame": ["{x} or {x}"], "x": ["A", "B"]}) == {"A or B", "B or A"}
    assert drawn({"frame": ["{x}{x}"], "x": ["A"]}) == {"AA"}


def test_sentences_begin_with_capitals_and_have_no_loose_blanks() -> None:
    grammar = {"frame": ["hello , you . is it {a} ? yes ! see: this"], "a": [""]}
    assert drawn(grammar) == {"Hello, you. Is it? Yes! See: this"}


def test_paths_and_versions_keep_their_dots() -> None:
    assert drawn({"frame": ["get ../x over TLS 1.3 ."]}) == {"Get ../x over TLS 1.3."}


def test_the_tasks_own_slots_go_before_those_of_its_kind() -> None:
    assert "Zeus" in grammar_of(task_of("MTD"))["label"]
    assert "normal" in grammar_of(task_of("BND"))["label"]
    assert grammar_of(task_of("MTD"))["role"] == grammar_of(task_of("BTG"))["role"]
    assert grammar_of(NONE)["traffic"] != grammar_of(task_of("MTD"))["traffic"]


@EVERY
def test_alternatives_are_texts(task: Task) -> None:
    for slot, lines in grammar_of(task).items():
        assert lines, slot
        assert all(isinstance(line, str) and line == line.strip() for line in lines), slot


@EVERY
def test_every_slot_that_is_named_is_there(task: Task) -> None:
    grammar = grammar_of(task)
    named = {slot for lines in grammar.values() for line in lines for slot in slots_of(line)}
    assert named <= set(grammar)


def test_every_slot_is_used_by_some_task() -> None:
    grammars = [grammar_of(task) for task in (*TASKS, NONE)]
    used = {
        slot
        for grammar in grammars
        for lines in grammar.values()
        for line in lines
        for slot in slots_of(line)
    }
    assert {slot for grammar in grammars for slot in grammar} - used == {"frame"}


@EVERY
def test_sentences_have_no_signs_of_the_grammar_left(task: Task) -> None:
    for text in drawn(grammar_of(task), 300):
        assert not re.search(r"\{\w+(\*\d)?\}|<[^<>]*\|", text), text
        assert "  " not in text
        assert text == text.strip()
        assert not text[0].islower()


def slots_of(line: str) -> list[str]:
    return re.findall(r"\{(\w+)(?:\*\d+)?\}", line)
