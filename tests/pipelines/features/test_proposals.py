"""A language model's answer: what can be tried, and what is refused with its reason."""

from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipelines.datasets.fields import field
from pipelines.features.proposals import MOST_PROPOSALS, FeatureProposals, read_proposals

SCHEMA = pa.schema(
    [field("size", pa.float64(), "sizes"), field("port", pa.uint16(), "ports")],
)


def answer(*texts: str) -> FeatureProposals:
    features = [{"expression": text, "why": "a guess"} for text in texts]
    return FeatureProposals.model_validate({"features": features})


def test_good_ones_are_read_in_their_order() -> None:
    read = read_proposals(answer("log(size)", "gt(size, 5)"), SCHEMA)
    assert [str(expression) for expression in read.expressions] == ["log(size)", "gt(size, 5)"]
    assert read.refusals == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("log(sizes)", "Did you mean size"),
        ("log(port)", "masked with the group 'ports'"),
        ("__import__('os')", "no function '__import__'"),
        ("", "not the end"),
        ("x" * 100_000, "100,000 characters"),
        ("log(\ud800)", "U+D800"),
    ],
)
def test_a_bad_one_is_refused_and_the_rest_is_read(text: str, reason: str) -> None:
    read = read_proposals(answer("log(size)", text, "abs(size)"), SCHEMA)
    assert [str(expression) for expression in read.expressions] == ["log(size)", "abs(size)"]
    (refusal,) = read.refusals
    assert refusal.expression == text
    assert reason in refusal.reason


def test_the_same_feature_counts_once() -> None:
    read = read_proposals(answer("log(size)", " log( size ) "), SCHEMA)
    assert len(read.expressions) == 1
    assert read.refusals[0].reason == "An earlier proposal is the same."


def test_masks_decide() -> None:
    assert read_proposals(answer("log(port)"), SCHEMA, masks=()).refusals == []
    assert len(read_proposals(answer("log(size)"), SCHEMA, masks=("sizes",)).refusals) == 1


@pytest.mark.parametrize(
    "reply",
    [
        {"features": [{"expression": "log(size)"}]},
        {"features": [{"expression": 5, "why": "w"}]},
        {"features": [{"expression": "log(size)", "why": "w", "code": "import os"}]},
        {"features": [{"expression": "log(size)", "why": "w"}] * (MOST_PROPOSALS + 1)},
        {"features": [], "more": 1},
        [],
    ],
)
def test_an_answer_of_another_shape_is_no_answer(reply: Any) -> None:
    with pytest.raises(ValidationError):
        FeatureProposals.model_validate(reply)


def test_the_schema_tells_a_model_what_to_answer() -> None:
    schema = FeatureProposals.model_json_schema()
    assert schema["properties"]["features"]["maxItems"] == MOST_PROPOSALS
    assert set(schema["$defs"]["FeatureProposal"]["properties"]) == {"expression", "why"}
