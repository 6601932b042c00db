"""The object in a model's answer, whatever stands around it."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from agents.llm.failures import LlmFailure
from pipelines.errors import InputError
from pipelines.store.files import canonical_json

LONGEST = 1 << 20  # characters of an answer that are looked through
_ERRORS_TOLD = 5
_THOUGHT = "(?:think|thinking|thought|reasoning)"
_THOUGHTS_ENDED = re.compile(rf"(?is)^.*(?:</{_THOUGHT}>|<\|message\|>)")
_THOUGHTS_BEGUN = re.compile(rf"(?is)^\s*<{_THOUGHT}>.*")
_BRACE_OR_STRING = re.compile(r'(?s)[{}]|"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)')

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Reading(Generic[T]):
    """What an answer must be: an object of a schema that passes a check.

    ``check`` raises InputError or ValueError for values that are of the right type and still wrong.
    """

    schema: type[T]
    check: Callable[[T], None]

    def of(self, text: str) -> tuple[T, str]:
        """The object in a text, and its JSON.

        Raises LlmFailure: empty, prose, half_json, wrong_schema or out_of_bounds.
        """
        said = without_thoughts(text)
        if not said.strip():
            raise LlmFailure("empty", "It wrote thoughts only.", answer=text)
        found = first_object(said)
        try:
            exact = canonical_json(found)
            value = self.schema.model_validate_json(exact)
        except ValidationError as error:
            raise LlmFailure("wrong_schema", _first_errors(error), answer=text) from None
        except (ValueError, RecursionError) as error:
            raise LlmFailure("wrong_schema", str(error), answer=text) from None
        try:
            self.check(value)
        except (InputError, ValueError) as error:
            raise LlmFailure("out_of_bounds", str(error), answer=text) from None
        return value, exact


def without_thoughts(text: str) -> str:
    """The answer without the thinking that some models write before it, ended or not."""
    return _THOUGHTS_BEGUN.sub("", _THOUGHTS_ENDED.sub("", text))


def first_object(text: str) -> dict[str, object]:
    """The first JSON object in a text: in a fence, after words, before words.

    Raises LlmFailure: prose if there is none, half_json if one begins and does not end or is broken
    (what stands inside it is not taken for it), wrong_schema if all of the text is other JSON.
    """
    text = text[:LONGEST]
    decoder = json.JSONDecoder(strict=False)
    start, broken = _start(text), False
    while start >= 0:
        end = _end_of_object(text, start)
        if end is None:
            raise LlmFailure("half_json", "Its object does not end.", answer=text)
        try:
            found: dict[str, object] = decoder.decode(text[start:end])
            return found
        except (ValueError, RecursionError):
            start, broken = text.find("{", end), True
    raise LlmFailure("half_json" if broken else "prose", answer=text)


def _start(text: str) -> int:
    """Where an object may begin. Raises LlmFailure if the text is JSON and no object."""
    try:
        other = not isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return text.find("{")
    if other:
        raise LlmFailure("wrong_schema", "It is no object.", answer=text)
    return text.find("{")


def _end_of_object(text: str, start: int) -> int | None:
    """Behind the brace that closes the one at ``start``; braces in strings do not count."""
    depth = 0
    for found in _BRACE_OR_STRING.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(found.group(), 0)
        if depth == 0:
            return found.end()
    return None


def _first_errors(error: ValidationError) -> str:
    """The first errors of a validation, without what was given."""
    found = error.errors(include_input=False, include_url=False)[:_ERRORS_TOLD]
    places = [".".join(str(part) for part in one["loc"]) or "the object" for one in found]
    return "; ".join(f"{place}: {one['msg']}" for place, one in zip(places, found, strict=True))
