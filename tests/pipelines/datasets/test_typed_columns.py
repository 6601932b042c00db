"""Columns gathered block by block: the types of the whole, whatever the first block holds."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.csv_files import typed
from pipelines.datasets.typed_columns import TypedColumns

CELLS = st.sampled_from(["1", "2.5", "", "-", "tcp", " 7 ", "NaN", "inf", "01", "0x1"])


def block(*cells: str, name: str = "x") -> pa.Table:
    return pa.table({name: pa.array(cells, pa.string())})


def gather(parts: list[list[str]]) -> TypedColumns:
    held = TypedColumns()
    for part in parts:
        held.add(block(*part))
    if held.turned:
        again = TypedColumns(held.turned)
        for part in parts:
            again.add(block(*part))
        held.replace(again)
    return held


@given(st.lists(st.lists(CELLS, max_size=4), min_size=1, max_size=4))
def test_blocks_give_what_the_whole_column_gives(parts: list[list[str]]) -> None:
    whole = typed(pa.chunked_array([pa.array([c for part in parts for c in part], pa.string())]))
    assert gather(parts).table()["x"].to_pylist() == whole.to_pylist()


def test_a_late_word_asks_for_another_reading() -> None:
    held = TypedColumns()
    held.add(block("01", "-"))
    assert held.turned == []
    held.add(block("http"))
    assert held.turned == ["x"]


def test_a_word_in_the_first_block_does_not() -> None:
    held = TypedColumns()
    held.add(block("http"))
    held.add(block("1"))
    assert held.turned == [] and held.table()["x"].to_pylist() == ["http", "1"]


def test_blocks_that_lack_a_column_have_nulls() -> None:
    held = TypedColumns()
    held.add(block("1"))
    held.add(block("a", "b", name="y"))
    assert held.table().to_pydict() == {"x": [1, None, None], "y": [None, "a", "b"]}
