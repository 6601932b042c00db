"""Rows out of new cells: types, ranges, masks and the order of classes."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.augment.cells import Drawn, Members, alternating, made_by_class
from pipelines.errors import InputError

MASKS = ("addresses",)


def far(members: Members, count: int, random: np.random.Generator) -> Drawn:
    """Amounts far above all real ones, parts of the first row."""
    values = np.full((count, members.values.shape[1]), 1e9)
    return Drawn(values, np.zeros((count, members.parts), dtype=np.int64))


def middle(members: Members, count: int, random: np.random.Generator) -> Drawn:
    values = np.repeat(members.values.mean(axis=0)[None], count, axis=0)
    return Drawn(values, np.full((count, members.parts), len(members.values) - 1))


def test_the_schema_is_that_of_the_real_rows_and_masked_columns_are_empty(make_related) -> None:
    rows = make_related(5, seed=0)
    made = made_by_class(middle, rows, {"a": 3, "b": 2}, MASKS, seed=0)
    assert made.schema.equals(rows.schema, check_metadata=True)
    assert made["label"].to_pylist() == ["a", "b", "a", "b", "a"]
    assert made["address"].null_count == made["flow"].null_count == 5


def test_amounts_stay_in_range_and_whole_ones_whole(make_related) -> None:
    rows = make_related(20, seed=1)
    made = made_by_class(far, rows, {"a": 1}, MASKS, seed=0)
    assert made["size"][0].as_py() == max(rows["size"].to_pylist())
    even = made_by_class(middle, rows, {"a": 1}, MASKS, seed=0)
    assert even["size"][0].as_py() % 1 == 0
    assert even["time"][0].as_py() % 1 != 0


def test_texts_come_whole_from_a_row_of_the_class(make_records) -> None:
    rows = make_records(["a", "a", "b"], x=[1, 2, 3], y=[1, 5, 9], word=["p", "q", "r"])
    made = made_by_class(middle, rows, {"a": 2, "b": 1}, (), seed=0)
    found = dict(zip(made["label"].to_pylist(), made["word"].to_pylist(), strict=True))
    assert found == {"a": "q", "b": "r"}


def test_a_column_of_two_values_is_a_code_and_not_an_amount(make_records) -> None:
    rows = make_records(["a"] * 4, logged_in=[0, 1, 0, 1], x=[1, 2, 3, 4])
    made = made_by_class(middle, rows, {"a": 3}, (), seed=0)
    assert set(made["logged_in"].to_pylist()) == {1.0}, "0.5 is no answer to yes or no"
    assert set(made["x"].to_pylist()) == {2.0}


def test_what_is_missing_may_stay_missing(make_records) -> None:
    rows = make_records(["a"] * 3, x=[1.0, 2.0, 4.0], y=[None, None, None], z=[1.0, None, 3.5])

    def copied(members: Members, count: int, random: np.random.Generator) -> Drawn:
        return Drawn(members.values[:count], np.zeros((count, members.parts), dtype=np.int64))

    made = made_by_class(copied, rows, {"a": 3}, (), seed=0)
    assert made["y"].null_count == 3
    assert made["x"].to_pylist() == [1.0, 2.0, 4.0]


def test_the_spread_is_over_all_classes_and_never_zero(make_records) -> None:
    seen: list[Members] = []

    def look(members: Members, count: int, random: np.random.Generator) -> Drawn:
        seen.append(members)
        return far(members, count, random)

    rows = make_records(["a", "a", "b", "b"], x=[0.0, 1.0, 4.0, 5.0], same=[7.0, 7.0, 7.0, 7.0])
    made_by_class(look, rows, {"a": 1, "b": 1}, (), seed=0)
    assert [one.values.shape for one in seen] == [(2, 1), (2, 1)]
    assert seen[0].spread == pytest.approx([np.std([0, 1, 4, 5])])
    assert seen[0].parts == 1, "a column without two different amounts is taken whole"


def test_what_cannot_be_made(make_related) -> None:
    rows = make_related(2, seed=0)
    with pytest.raises(InputError, match="no real row of class 'c'"):
        made_by_class(far, rows, {"c": 1}, MASKS, seed=0)
    with pytest.raises(InputError, match="masks hide every column"):
        made_by_class(far, rows.select(["label", "address"]), {"a": 1}, MASKS, seed=0)


def test_nothing_is_made_of_nothing_wanted(make_related) -> None:
    rows = make_related(2, seed=0)
    assert made_by_class(far, rows, {"a": 0}, MASKS, seed=0).num_rows == 0
    assert made_by_class(far, rows, {}, MASKS, seed=0).schema == rows.schema


@given(st.lists(st.integers(0, 12), max_size=5))
@example([9, 1, 1, 1, 1])
def test_each_beginning_is_as_balanced_as_the_whole(sizes: list[int]) -> None:
    """Up to any share of the whole each group is half a row off at most, so that a beginning, which
    counts the rows of all groups, is half a row for each of them off."""
    order = alternating(sizes).to_pylist()
    groups = np.count_nonzero(sizes)
    assert sorted(order) == list(range(sum(sizes)))
    group = np.repeat(np.arange(len(sizes)), sizes)
    for end in range(1, len(order)):
        had = np.bincount(group[order[:end]], minlength=len(sizes))
        share = np.array(sizes) / len(order)
        assert np.all(np.abs(had - end * share) <= 0.5 + 0.5 * groups * share + 1e-9)


def test_flows_add_up(make_related) -> None:
    pa_schema = pa.schema(
        [
            ("label", pa.string()),
            ("packet_length", pa.list_(pa.int32(), 2)),
            ("protocol", pa.uint8()),
        ]
        + [
            (f"{way}_{what}", pa.int64())
            for way in ("bidirectional", "src2dst", "dst2src")
            for what in ("packets", "bytes")
        ]
    )
    cells = [["a"] * 3, [[60, -60]] * 3, [6, 6, 17], [3, 5, 9], [300, 500, 900]]
    cells += [[1, 2, 3], [100, 200, 300], [2, 3, 6], [200, 300, 600]]
    rows = pa.table([pa.array(c, f.type) for c, f in zip(cells, pa_schema, strict=True)], pa_schema)

    def odd(members: Members, count: int, random: np.random.Generator) -> Drawn:
        assert members.parts == 1, "protocol and packets belong together"
        return Drawn(np.tile([9, 300, 1.4, 150, 2.2, 260], (count, 1)), np.zeros((count, 1), int))

    made = made_by_class(odd, rows, {"a": 1}, (), seed=0).to_pylist()[0]
    assert (made["src2dst_packets"], made["dst2src_packets"]) == (1, 2)
    assert (made["bidirectional_packets"], made["bidirectional_bytes"]) == (3, 410)
    assert made["packet_length"] == [60, -60]
