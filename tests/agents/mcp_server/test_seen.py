"""The one door to a client's model: JSON in, JSON out, every text visible and short."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.mcp_server.seen import LONGEST_NAME, LONGEST_TEXT, MOST_ITEMS, seen
from pipelines.visible import visible

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(text for each in value.values() for text in texts(each))]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


@given(JSON)
def test_every_text_is_visible_and_the_shape_stays(value: Any) -> None:
    shown = seen(value)
    json.dumps(shown)
    assert type(shown) is type(value)
    for text in texts(shown):
        assert text == visible(text, LONGEST_TEXT)


def test_plain_values_are_left_as_they_are() -> None:
    value = {"split": {"sizes": {"train": 3, "test": 0.5}}, "leaks": [True, None, "none"]}
    assert seen(value) == value


def test_what_is_long_is_cut_and_counted() -> None:
    shown = seen({"x" * 500: "y" * 5000, "list": list(range(250))})
    name, text = next(iter(shown.items()))
    assert (len(name), len(text)) == (LONGEST_NAME, LONGEST_TEXT)
    assert shown["list"][:MOST_ITEMS] == list(range(MOST_ITEMS))
    assert shown["list"][MOST_ITEMS:] == ["(left out) 150"]
    many = seen({str(number): number for number in range(130)})
    assert many["(left out)"] == 30
    assert len(many) == MOST_ITEMS + 1


def test_names_that_are_cut_to_the_same_are_counted_as_left_out() -> None:
    assert seen({"x" * 500 + "a": 1, "x" * 500 + "b": 2})["(left out)"] == 1


def test_what_is_no_json_is_an_error_of_ours() -> None:
    with pytest.raises(TypeError, match="PosixPath"):
        seen({"path": [Path("/")]})
