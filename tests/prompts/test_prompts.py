"""The prompts: each has its schema, a right example, and a golden text that shows what is sent.

A changed wording needs a new version. To write the golden texts anew:
``NETLOOP_WRITE_GOLDEN=1 pytest tests/prompts``
"""

import os
from pathlib import Path

import pytest
from pydantic import BaseModel

from agents.conversation.intent import Intent
from agents.explain import ExplainSaid
from agents.planners.llm.memorised import RestSaid
from agents.planners.llm.planner import STAGES_SAID
from agents.planners.llm.proposals import ReadingSaid
from agents.planners.llm.rows import RowsSaid
from prompts import load_prompt, prompt_names

GOLDEN = Path(__file__).parent / "golden"
SCHEMAS: dict[str, type[BaseModel] | None] = {
    **{name: stage.schema for name, stage in STAGES_SAID.items()},
    "reading": ReadingSaid,
    "explain": ExplainSaid,
    "rows": RowsSaid,
    "memorised": RestSaid,
    "intent": Intent,
    "answer": None,  # prose
}


def test_every_prompt_has_a_schema_and_every_schema_a_prompt() -> None:
    assert prompt_names() == sorted(SCHEMAS)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_example_is_a_right_answer(name: str) -> None:
    answer, schema = load_prompt(name).example["answer"], SCHEMAS[name]
    if schema is None:
        assert isinstance(answer, str)
    else:
        schema.model_validate(answer)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_what_is_sent(name: str) -> None:
    prompt = load_prompt(name)
    text = "\n\n".join(f"[{role}]\n{words}" for role, words in _messages(name)) + "\n"
    path = GOLDEN / f"{name}.v{prompt.version}.txt"
    if os.environ.get("NETLOOP_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_no_place_is_left_open_and_none_is_filled_twice(name: str) -> None:
    assert all("{{" not in words for _, words in _messages(name))
    with pytest.raises(KeyError):
        load_prompt(name).messages()


def test_what_is_filled_in_is_not_read_for_places() -> None:
    prompt = load_prompt("answer")
    given = {"evidence": "{{question}}", "plan": {"a": "{{evidence}}"}, "question": "{{plan}}"}
    user = prompt.messages(**given)[1][1]
    assert "Evidence: {{question}}" in user
    assert '{"a": "{{evidence}}"}' in user


def test_a_prompt_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError, match="poem"):
        load_prompt("poem")


def _messages(name: str) -> list[tuple[str, str]]:
    prompt = load_prompt(name)
    return prompt.messages(**prompt.example["given"])
