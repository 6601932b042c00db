"""Which rows a person looks at, beside which real ones, and what follows from the verdicts."""

import pyarrow as pa
import pytest

from pipelines.augment.gate.look import beside_real, recommend_votes, rows_to_look_at
from pipelines.datasets.fields import LABEL, field
from pipelines.errors import InputError

# 40 rows without a vote against them, then 12 with one, 12 with two and 12 with three
AGAINST = [0] * 40 + [1] * 12 + [2] * 12 + [3] * 12


def test_half_of_the_rows_are_contradicted_by_some_and_half_by_none() -> None:
    votes = [AGAINST[row] for row in rows_to_look_at(AGAINST, seed=0)]
    assert [votes.count(level) for level in range(4)] == [10, 3, 3, 4]


def test_the_seed_picks_and_no_row_is_shown_twice() -> None:
    rows = rows_to_look_at(AGAINST, seed=1)
    assert rows == rows_to_look_at(AGAINST, seed=1) != rows_to_look_at(AGAINST, seed=2)
    assert len(set(rows)) == 20


@pytest.mark.parametrize(
    ("against", "counts"),
    [([0] * 50 + [3] * 2, (18, 2)), ([0] * 3 + [2] * 50, (3, 17)), ([0, 0, 1], (2, 1))],
)
def test_one_half_fills_up_the_other(against, counts) -> None:
    votes = [against[row] > 0 for row in rows_to_look_at(against, seed=0)]
    assert (votes.count(False), votes.count(True)) == counts


def verdicts(wrong: dict[int, float]) -> tuple[list[int], list[bool]]:
    """Four rows of each level, of which such a share is wrong."""
    looked = [first + place for first in (0, 40, 52, 64) for place in range(4)]
    right = [place >= 4 * wrong.get(level, 0) for level in range(4) for place in range(4)]
    return looked, right


def test_precision_weighs_levels_by_their_rows() -> None:
    against = [0] * 40 + [1] * 30 + [3] * 10
    looked, right = [0, 40, 41, 70], [True, True, False, False]
    advice = recommend_votes(against, looked, right)
    assert advice.precision[1] == pytest.approx((0.5 * 30 + 1.0 * 10) / 40)
    assert advice.precision[2] == advice.precision[3] == 1.0
    assert advice.missed == 0.0


@pytest.mark.parametrize(
    ("wrong", "votes"),
    [
        ({1: 1.0, 2: 1.0, 3: 1.0}, 1),
        ({1: 0.0, 2: 0.75, 3: 1.0}, 2),
        ({1: 0.0, 2: 0.5, 3: 0.75}, 3),  # a harder one takes as many right ones more
        ({1: 0.75, 2: 0.5, 3: 0.75}, 1),
        ({1: 1.0, 2: 0.25, 3: 0.75}, 1),
        ({1: 0.0, 2: 0.0, 3: 0.75}, 3),
        ({1: 0.5, 2: 0.5, 3: 0.5}, None),
        ({}, None),
    ],
)
def test_the_votes_that_take_most_wrong_rows_beyond_right_ones(wrong, votes) -> None:
    assert recommend_votes(AGAINST, *verdicts(wrong)).votes == votes


def test_the_advice_is_one_sentence() -> None:
    assert recommend_votes(AGAINST, *verdicts({})).words == (
        "No filter takes more wrong rows than right ones: do not filter."
    )
    assert recommend_votes(AGAINST, *verdicts({3: 1.0, 2: 1.0})).words == (
        "Filter by 2 of 3 votes: 100% of the rows they take are wrong."
    )
    assert recommend_votes(AGAINST, *verdicts({0: 0.25, 3: 1.0})).words.endswith(
        "; 25% of the rows that no model doubts are wrong too."
    )


def test_the_filter_so_far_stays_only_where_nothing_was_said_of_what_it_takes() -> None:
    against = [0] * 40 + [1] * 12 + [3] * 12
    looked = [0, 1, 40, 41]
    stays = recommend_votes(against, looked, [True] * 4, before=2)
    assert (stays.votes, stays.precision[2]) == (2, None)
    assert stays.words == (
        "Nothing was said of the rows that 2 of 3 votes take: they stay the filter."
    )
    assert recommend_votes(against, looked, [True, True, False, False], before=2).votes == 1
    softer = recommend_votes(against, [0, 40, 52, 53], [True, True, False, False], before=1)
    assert (softer.votes, softer.precision[1]) == (3, 0.5)
    assert recommend_votes(against, [0, 52, 53], [True] * 3, before=2).votes is None


def test_what_was_not_looked_at_is_not_known() -> None:
    advice = recommend_votes([0, 0, 3], [0], [False])
    assert advice.precision == {1: None, 2: None, 3: None}
    assert advice.missed == 1.0


@pytest.mark.parametrize(("looked", "right"), [([1, 2], [True]), ([], [])])
def test_verdicts_must_fit_the_rows(looked, right) -> None:
    with pytest.raises(InputError):
        recommend_votes(AGAINST, looked, right)


# --- beside the nearest real row -----------------------------------------------------------------


def rows_of(label: list[str], **columns: object) -> pa.Table:
    """Rows whose label is known as one."""
    rows = pa.table({"label": label, **columns})
    return rows.cast(rows.schema.set(0, field("label", pa.string(), LABEL)))


REAL = rows_of(list("aabb"), size=[1.0, 2.0, 1.0, 400.0], kind=["x", "y", "x", "y"])


def test_the_nearest_row_of_the_claimed_class_stands_beside() -> None:
    made = rows_of(["b", "a"], size=[300.0, 1.0], kind=["y", "x"])
    first, second = beside_real(REAL, made, [0, 1], (), 0)
    assert (first.label, first.columns) == ("b", ["size"])
    assert (first.made, first.real) == (["300"], ["400"])
    assert (second.label, second.columns, second.made) == ("a", [], [])


def test_the_columns_that_differ_most_come_first() -> None:
    made = rows_of(["a"], size=[1.1], kind=["z"])
    (pair,) = beside_real(REAL, made, [0], (), 0)
    assert pair.columns == ["kind", "size"]
    assert (pair.made, pair.real) == (["z", "1.1"], ["x", "1"])


def test_a_class_without_real_rows_is_compared_with_all() -> None:
    made = rows_of(["c"], size=[390.0], kind=["y"])
    (pair,) = beside_real(REAL, made, [0], (), 0)
    assert pair.real == ["400"]


def test_masked_columns_are_not_shown(world) -> None:
    real = world(60, 0)
    pairs = beside_real(real, world(60, 1), [5, 7], ("addresses",), 0)
    assert [pair.label for pair in pairs] == ["worm", "scan"]
    for pair in pairs:
        assert 0 < len(pair.columns) <= 6
        assert "src_ip" not in pair.columns
        assert all(one != other for one, other in zip(pair.made, pair.real, strict=True))


def test_batches_find_what_all_at_once_would(world, monkeypatch: pytest.MonkeyPatch) -> None:
    real, made, places = world(300, 0), world(60, 1), list(range(0, 60, 5))
    whole = beside_real(real, made, places, ("addresses",), 0)
    monkeypatch.setattr("pipelines.augment.gate.look.BATCH_ROWS", 7)
    assert beside_real(real, made, places, ("addresses",), 0) == whole


def test_lists_bytes_and_nothing_are_told_in_short() -> None:
    kinds = {"gaps": pa.list_(pa.int64(), 2), "load": pa.binary(2), "rate": pa.float64()}
    cells = {"gaps": [[1, 2], [9, 2]], "load": [b"\x01\x02", b"\xff\x02"], "rate": [None, 2.0]}
    columns = {name: pa.array(cells[name], kind) for name, kind in kinds.items()}
    rows = rows_of(["a", "a"], **columns)
    (pair,) = beside_real(rows.slice(0, 1), rows.slice(1), [0], (), 0)
    assert dict(zip(pair.columns, zip(pair.made, pair.real, strict=True), strict=True)) == {
        "gaps": ("9 2", "1 2"),
        "load": ("ff02", "0102"),
        "rate": ("2", "-"),
    }
