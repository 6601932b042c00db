import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.gate.pair import MOST_ROWS, Pair, Space, label_array, matched, sampled
from pipelines.errors import InputError


def test_only_columns_that_the_masks_leave_are_compared(world) -> None:
    pair = Pair.of(world(30, 0), world(30, 1), ("addresses",), 0)
    assert "src_ip" not in pair.real_rows.column_names
    assert pair.real.points.shape == (30, 6 + 4 + 4), "three values and 'other' a category"


def test_masks_that_hide_all_are_refused(world) -> None:
    with pytest.raises(InputError):
        Pair.of(world(9, 0), world(9, 1), ("addresses", "column"), 0)


def test_the_real_rows_alone_set_the_space(world, pair_of) -> None:
    pair = pair_of(world(300, 0), world(300, 1))
    assert pair.real.points.mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert pair.real.points.std(axis=0)[:6] == pytest.approx(1, abs=1e-3)
    other = pair_of(world(300, 0), world(30, 2))
    assert (other.real.points == pair.real.points).all()


def test_cells_are_numbers_one_by_one_and_categories_whole(plain) -> None:
    pairs = pa.array([[1, 2], [3, 4]], pa.list_(pa.int32(), 2))
    space = Space.fit(plain(x=[1.0, 2.0], c=["u", "v"], both=pairs), ())
    assert space.cells() == [
        ("x", slice(0, 1), False),
        ("c", slice(1, 4), True),
        ("both[0]", slice(4, 5), False),
        ("both[1]", slice(5, 6), False),
    ]
    assert space.columns() == [("x", slice(0, 1)), ("c", slice(1, 4)), ("both", slice(4, 6))]


def test_samples_are_bounded_and_repeatable(plain) -> None:
    rows = plain(x=list(range(5000)))
    kept = sampled(rows, MOST_ROWS, 3)
    assert kept.num_rows == MOST_ROWS and kept == sampled(rows, MOST_ROWS, 3)
    assert kept != sampled(rows, MOST_ROWS, 4)
    assert sampled(rows, 5000, 3) is rows


def test_both_sides_get_as_many_rows_of_every_shared_class() -> None:
    one = np.array(["a"] * 10 + ["b"] * 4 + ["c"], object)
    other = np.array(["b"] * 8 + ["a"] * 6 + ["d"], object)
    first, second = matched(one, other, 100, np.random.default_rng(0))
    assert sorted(one[first]) == sorted(other[second]) == ["a"] * 6 + ["b"] * 4
    assert len(set(first.tolist())) == len(first), "no row twice"
    first, second = matched(one, other, 5, np.random.default_rng(0))
    assert sorted(one[first]) == sorted(other[second]) == ["a"] * 3 + ["b"] * 2


def test_nothing_is_shared_by_other_classes() -> None:
    first, second = matched(np.array(["a"]), np.array(["b"]), 9, np.random.default_rng(0))
    assert len(first) == len(second) == 0


def test_a_missing_label_is_the_empty_text(plain) -> None:
    assert label_array(plain(labels=["a", None], x=[1, 2])).tolist() == ["a", ""]


def test_classes_are_those_with_rows_enough_on_both_sides(plain, pair_of) -> None:
    one = plain(labels=list("aaab"), x=[1, 2, 3, 4])
    other = plain(labels=list("aabb"), x=[1, 2, 3, 4])
    assert pair_of(one, other).classes(1) == ["a", "b"]
    assert pair_of(one, other).classes(2) == ["a"]
    assert pair_of(one, other).classes(3) == []


def test_all_synthetic_rows_become_points(plain, pair_of, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.augment.gate.pair.BATCH_ROWS", 2)
    pair = pair_of(plain(x=[1.0, 2.0]), plain(x=[1.0, 2.0, 5.0, 1.0, 2.0]))
    parts = list(pair.space.batches(pair.synthetic_rows))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert (np.vstack(parts) == pair.synthetic.points).all()
