"""Text columns: words, pieces of words, widths, nulls, and rows unlike those of the fit."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.fields import field
from pipelines.errors import InputError
from pipelines.represent.columns import MOST_PARTS, Text, text_parts
from pipelines.represent.features import FeatureEncoder


def rows(*values: str | None, words: bool = False) -> pa.Table:
    schema = pa.schema([field("x", pa.string(), "http", text=not words, words=words)])
    return pa.table([pa.array(values, pa.string())], schema=schema)


def test_parts_of_a_text() -> None:
    assert text_parts("c02f 1301", pieces=False) == ["c02f", "1301"]
    assert text_parts("/a.b x", pieces=True) == ["/a.b", "x", "/a.", "a.b"]
    assert text_parts("", pieces=True) == []


def test_words_are_counted_and_their_order_plays_no_part() -> None:
    encoder = FeatureEncoder.fit(rows("a b b", "c", words=True), ())
    one, other, third = encoder.transform(rows("a b b", "b a b", "a", words=True))
    assert (one == other).all()
    assert (one.sum(), third.sum()) == (3, 1)
    assert ((one > 0) | (third == 0)).all()


def test_a_null_has_no_parts() -> None:
    encoder = FeatureEncoder.fit(rows("a", None), ())
    assert encoder.transform(rows(None, ""))[0].sum() == 0


@pytest.mark.parametrize(
    ("count", "width"), [(0, 1), (1, 1), (2, 2), (3, 4), (16, 16), (17, 32), (5000, MOST_PARTS)]
)
def test_the_width_follows_the_words_there_are(count: int, width: int) -> None:
    text = " ".join(f"w{number}" for number in range(count))
    encoder = Text.fit("x", pa.array([text]), pieces=False)
    assert encoder.width == width
    assert len(encoder.names()) == sum(encoder.widths()) == width
    assert encoder.encode(rows(text, None)).shape == (2, width)


def test_a_text_that_was_never_seen_shares_pieces_with_those_that_were() -> None:
    seen = rows("/shop/cart.php", "/login?user=bob")
    near, far = Text.fit("x", seen["x"].combine_chunks(), pieces=True).encode(
        rows("/shop/card.php", "zzzzzz")
    )
    known = Text.fit("x", seen["x"].combine_chunks(), pieces=True).encode(seen)[0]
    assert np.minimum(near, known).sum() > 5 > np.minimum(far, known).sum()


def test_all_features_of_a_text_are_one_field() -> None:
    table = rows("a b c").append_column("y", pa.array([1]))
    encoder = FeatureEncoder.fit(table, ())
    assert [(part.start, part.stop) for part in encoder.fields()] == [(0, 4), (4, 5)]


def test_the_encoder_is_its_json() -> None:
    encoder = FeatureEncoder.fit(rows("a b c"), ())
    assert FeatureEncoder.model_validate_json(encoder.model_dump_json()) == encoder


def test_a_column_of_another_type_is_refused() -> None:
    encoder = FeatureEncoder.fit(rows("a"), ())
    with pytest.raises(InputError, match="'x'"):
        encoder.transform(pa.table({"x": pa.array([[1]], pa.list_(pa.int8()))}))


@given(st.lists(st.none() | st.text(max_size=20), max_size=8), st.booleans())
def test_any_text(values: list[str | None], words: bool) -> None:
    table = rows(*values, words=words)
    encoded = FeatureEncoder.fit(table, ()).transform(table)
    assert encoded.shape[0] == len(values)
    assert (encoded >= 0).all()
