"""The form of a plan's parameters: by number, by name, or in one line."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.checkpoints import Decision, Plan, Step
from agents.edits import check_decision
from agents.terminal.chat_ask import Back
from agents.terminal.chat_form import EditForm, allowed_words
from tools.registry import TOOLS


@pytest.fixture
def fill(plan: Plan, screen) -> Callable[..., dict[str, Any]]:
    """``fill(*lines)``: what a person changes who types them; ``fill.screen`` is what was shown."""

    def typed(*lines: str, plan: Plan = plan, width: int = 80, first: str = "") -> dict[str, Any]:
        waiting = [*lines]
        fill_screen = screen(width)
        typed.screen, typed.asked = fill_screen, []  # type: ignore[attr-defined]

        def prompt(question: str) -> str:
            typed.asked.append(question)  # type: ignore[attr-defined]
            return waiting.pop(0)

        def check(edits: dict[str, Any]) -> None:
            check_decision(plan, Decision(action="edit", plan=plan.digest(), edits=edits))

        return EditForm(plan, fill_screen.console, prompt, check).fill(first)

    return typed


def test_by_number(fill) -> None:
    assert fill("3", "0.25", "") == {"split_rows.test": 0.25}
    assert fill.asked[1] == "split_rows.test (a number above 0, below 1) [0.5] "
    assert "split_rows.test becomes 0.25" in fill.screen.words


def test_by_name_by_place_and_in_one_line(fill) -> None:
    assert fill("test", "30%", "split_rows.by", "flow", "validation=0.1", "") == {
        "split_rows.test": 0.3,
        "split_rows.by": "flow",
        "split_rows.validation": 0.1,
    }


def test_what_is_typed_first_needs_no_list(fill) -> None:
    assert fill("", first="test=0.3") == {"split_rows.test": 0.3}
    assert "may be" not in fill.screen.text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_list_fits_and_is_complete(fill, width: int) -> None:
    assert fill("", width=width) == {}
    fill.screen.check_width()
    lines = [line.split() for line in fill.screen.text.splitlines() if line.strip()]
    for number, name in enumerate(("filters", "by", "test", "validation", "masks"), start=1):
        assert any(line[0] == str(number) and line[1].split(".")[-1] == name for line in lines)
    if width >= 80:
        assert "Share of each class's groups" in fill.screen.words
        assert "a number above 0, below 1" in fill.screen.words


def test_a_value_of_the_list_is_shown_as_it_is(fill, plan: Plan) -> None:
    hostile = Step(tool="split_rows", params={"by": "[red]\x1b[2J", "test": 0.5})
    fill("", plan=plan.model_copy(update={"steps": [hostile], "questions": []}))
    assert r"[red]\x1b[2J" in fill.screen.text


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("0",), "They go from 1 to 5"),
        (("99",), "They go from 1 to 5"),
        (("nothing",), "No step has 'nothing'"),
        (("a.b",), "names no parameter"),
        (("by", "sideways"), "input should be"),
        (("3", "7"), "less than 1"),
        (("test=7",), "less than 1"),
        (("=3",), "is not parameter=value"),
    ],
)
def test_what_cannot_be_is_said_and_asked_again(fill, lines: tuple[str, ...], said: str) -> None:
    assert fill(*lines, "test=0.4", "") == {"split_rows.test": 0.4}
    assert said in fill.screen.words


def test_enter_keeps_a_value(fill) -> None:
    assert fill("3", "", "") == {}


def test_help_names_what_may_stand_there(fill) -> None:
    assert fill("3", "?", "0.2", "") == {"split_rows.test": 0.2}
    assert "Share of each class's groups: a number above 0, below 1." in fill.screen.words


def test_the_form_can_be_left(fill) -> None:
    with pytest.raises(Back):
        fill("3", "/back")
    with pytest.raises(EOFError):
        fill("/quit")


def test_a_plan_of_an_unknown_tool_has_a_form_too(fill, plan: Plan) -> None:
    strange = Step(tool="no_such_tool", params={"x": 1})
    assert fill("", plan=plan.model_copy(update={"steps": [strange], "questions": []})) == {}
    assert "no_such_tool.x" in fill.screen.text


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "a whole number at least 1, at most 9"),
        ({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}]},
         "a number above 0 or none"),
        ({"enum": ["a", "b"], "type": "string"}, "one of a, b"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "array"}, "a list with commas"),
        ({}, "a value"),
    ],
)  # fmt: skip
def test_what_a_schema_allows(schema: dict[str, Any], words: str) -> None:
    assert allowed_words(schema) == words


def test_every_parameter_of_every_tool_can_be_described() -> None:
    for tool in TOOLS.values():
        for name, schema in tool.params.model_json_schema().get("properties", {}).items():
            assert allowed_words(schema) not in ("", "a value"), f"{tool.name}.{name}"
