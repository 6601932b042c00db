"""Which rows a person looks at, beside which real ones, and what follows from the verdicts."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.augment.gate.look import Shown, beside_real, recommend_votes, rows_to_look_at
from pipelines.augment.gate.peers import Doubts
from pipelines.datasets.fields import LABEL, field
from pipelines.errors import InputError

# 40 rows without a vote against them, then 12 with one, 12 with two and 12 with three
AGAINST = [0] * 40 + [1] * 12 + [2] * 12 + [3] * 12


def doubts_of(against: list[int], beyond: list[float] | None = None) -> Doubts:
    """Doubts of as many rows; the farther from the bar, the later, if nothing else is said."""
    far = np.arange(1.0, len(against) + 1) if beyond is None else np.array(beyond)
    return Doubts(np.array(against), far)


def by_lot(shown: Shown) -> list[int]:
    return [row for row, lot in zip(shown.rows, shown.by_lot, strict=True) if lot]


def test_half_of_the_rows_lie_nearest_to_the_bar_on_either_side() -> None:
    beyond = [-9.0] * 30 + [0.5, -0.4, 0.3, -0.2, 0.1] + [9.0] * 30 + [-0.6, 0.7, -0.8, 0.9, -1.0]
    shown = rows_to_look_at(doubts_of([0] * 35 + [3] * 35, beyond), seed=0)
    nearest = {*shown.rows} - {*by_lot(shown)}
    assert nearest == {*range(30, 35), *range(65, 70)}
    assert len(by_lot(shown)) == 10


def test_of_those_by_lot_as_many_have_one_two_and_three_votes_against_them() -> None:
    votes = [AGAINST[row] for row in by_lot(rows_to_look_at(doubts_of(AGAINST), seed=0))]
    assert [votes.count(level) for level in range(4)] == [4, 2, 2, 2]


def test_lot_knows_no_distance() -> None:
    """Rows far beyond the bar and far below it are shown too, or nothing is known of them."""
    seen = {
        row for seed in range(60) for row in by_lot(rows_to_look_at(doubts_of(AGAINST), seed=seed))
    }
    assert seen == {*range(10, 76)}


def test_the_order_does_not_tell_which_rows_lot_picked() -> None:
    first = [rows_to_look_at(doubts_of(AGAINST), seed=seed).by_lot[0] for seed in range(40)]
    assert 10 < sum(first) < 30


def test_the_seed_picks_and_no_row_is_shown_twice() -> None:
    shown = rows_to_look_at(doubts_of(AGAINST), seed=1)
    assert shown == rows_to_look_at(doubts_of(AGAINST), seed=1)
    assert shown != rows_to_look_at(doubts_of(AGAINST), seed=2)
    assert len(set(shown.rows)) == 20 == len(shown.by_lot)


@pytest.mark.parametrize(
    ("against", "counts"),
    [
        # the first ten rows are the nearest
        ([0] * 50 + [3] * 2, (8, 2)),
        ([1] * 10 + [0] * 3 + [2] * 50, (3, 7)),
        ([0] * 10 + [0, 0, 1], (2, 1)),
        ([0, 0, 1], (0, 0)),
    ],
)
def test_one_part_of_the_lot_fills_up_the_other(against, counts) -> None:
    votes = [against[row] > 0 for row in by_lot(rows_to_look_at(doubts_of(against), seed=0))]
    assert (votes.count(False), votes.count(True)) == counts


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(-20, 20)), max_size=60),
    st.integers(0, 99),
    st.integers(0, 30),
)
def test_as_many_rows_as_asked_for_or_all(rows, seed: int, count: int) -> None:
    doubts = doubts_of([level for level, _ in rows], [far for _, far in rows])
    shown = rows_to_look_at(doubts, seed, count)
    assert len(shown.rows) == len(set(shown.rows)) == min(count, len(rows))
    assert set(shown.rows) <= {*range(len(rows))}
    far = np.abs(doubts.beyond)
    nearest = [row for row, lot in zip(shown.rows, shown.by_lot, strict=True) if not lot]
    assert len(nearest) == min(count // 2, len(rows))
    assert all(far[near] <= far[row] for near in nearest for row in by_lot(shown))


def lot(*rows: int) -> Shown:
    return Shown([*rows], [True] * len(rows))


def verdicts(wrong: dict[int, float], each: int = 4) -> tuple[Shown, list[bool]]:
    """So many rows of each level, by lot, of which such a share is wrong."""
    looked = lot(*(first + place for first in (0, 40, 52, 64) for place in range(each)))
    right = [place >= each * wrong.get(level, 0) for level in range(4) for place in range(each)]
    return looked, right


def test_precision_weighs_levels_by_their_rows() -> None:
    against = [0] * 40 + [1] * 30 + [3] * 10
    advice = recommend_votes(against, lot(0, 40, 41, 70), [True, True, False, False], 2)
    assert advice.precision[1] == pytest.approx((0.5 * 30 + 1.0 * 10) / 40)
    assert advice.precision[2] == advice.precision[3] == 1.0
    assert advice.missed == 0.0


@pytest.mark.parametrize(
    ("wrong", "votes"),
    [
        ({1: 1.0, 2: 1.0, 3: 1.0}, 1),
        ({1: 0.0, 2: 0.75, 3: 1.0}, 2),
        ({1: 0.0, 2: 0.5, 3: 0.75}, 2),  # by that of the filter so far
        ({1: 0.75, 2: 0.5, 3: 0.75}, 1),
        ({1: 1.0, 2: 0.25, 3: 0.75}, 1),
        ({1: 0.0, 2: 0.25, 3: 0.75}, 3),
        ({1: 0.0, 2: 0.0, 3: 0.75}, 3),
        ({1: 0.5, 2: 0.5, 3: 0.5}, 2),
        ({1: 0.25, 2: 0.25, 3: 0.25}, None),
        ({}, None),
    ],
)
def test_the_votes_that_take_most_wrong_rows_beyond_right_ones(wrong, votes) -> None:
    assert recommend_votes(AGAINST, *verdicts(wrong), 2).votes == votes


@pytest.mark.parametrize(
    ("wrong", "each", "votes"),
    [
        ({1: 1.0}, 1, 2),  # one against one says nothing of rows with one vote or two
        ({1: 1.0, 2: 1.0, 3: 1.0}, 1, 2),
        ({}, 1, 2),
        ({1: 1.0, 2: 1.0, 3: 1.0}, 2, 1),
        ({}, 2, None),
    ],
)
def test_a_single_verdict_of_a_level_does_not_outvote_the_filter_so_far(wrong, each, votes) -> None:
    assert recommend_votes(AGAINST, *verdicts(wrong, each), 2).votes == votes


def test_the_advice_is_one_sentence() -> None:
    assert recommend_votes(AGAINST, *verdicts({}), 2).words == (
        "No filter takes more wrong rows than right ones: do not filter."
    )
    assert recommend_votes(AGAINST, *verdicts({3: 1.0, 2: 1.0}), 2).words == (
        "Filter by 2 of 3 votes: 100% of the rows they take are wrong."
    )
    assert recommend_votes(AGAINST, *verdicts({0: 0.25, 3: 1.0}), 2).words.endswith(
        "; 25% of the rows that no model doubts are wrong too."
    )


@pytest.mark.parametrize("before", [1, 2, 3])
@pytest.mark.parametrize("against", [AGAINST, [0] * 40 + [1] * 12, [0] * 40])
def test_the_filter_stays_where_nothing_was_said_of_what_models_doubt(against, before) -> None:
    advice = recommend_votes(against, lot(0, 1), [True, True], before)
    assert (advice.votes, advice.precision[before]) == (before, None)
    assert advice.words == (
        f"Filter by {before} of 3 votes: too few of the rows they take were judged to say how many "
        "are wrong."
    )
    assert recommend_votes(against, lot(), [], before).votes == before
    assert recommend_votes(against, lot(0, 1), [True, True], None).votes is None


@pytest.mark.parametrize(
    ("wrong", "each", "votes"),
    [
        ({2: 1.0, 3: 1.0}, 1, None),
        ({2: 1.0, 3: 1.0}, 2, 2),
        ({3: 1.0}, 2, 3),
        ({1: 1.0, 2: 1.0, 3: 1.0}, 2, 1),
    ],
)
def test_no_filter_gives_way_to_one_that_more_than_one_verdict_asks_for(
    wrong, each: int, votes
) -> None:
    assert recommend_votes(AGAINST, *verdicts(wrong, each), None).votes == votes


@pytest.mark.parametrize("before", [1, 2, 3])
@pytest.mark.parametrize("against", [AGAINST, [0] * 64 + [3] * 12, [0] * 52 + [2] * 12])
def test_no_filter_stays_that_takes_right_rows_only(against, before) -> None:
    """Not even where fewer votes would take more of them. One that takes no row may stay."""
    rows = [row for level in (1, 2, 3) for row in np.flatnonzero(np.array(against) == level)[:4]]
    votes = recommend_votes(against, lot(*rows), [True] * len(rows), before).votes
    assert votes is None or votes > max(against)


def test_rows_near_the_bar_do_not_stand_for_others() -> None:
    """They are those that models err on most."""
    near = Shown([*range(52, 62)], [False] * 10)
    assert recommend_votes(AGAINST, near, [True] * 10, 2).votes == 2
    assert recommend_votes(AGAINST, lot(*near.rows), [True] * 10, 2).votes == 3


def test_levels_whose_rows_were_all_judged_are_known() -> None:
    """Of few doubted rows each is near the bar, and then the filter so far has no say."""
    against = [0] * 50 + [1, 2, 2, 3]
    near = Shown([50, 51, 52, 53], [False] * 4)
    right = recommend_votes(against, near, [True] * 4, 2)
    assert (right.votes, right.precision) == (None, {1: 0.0, 2: 0.0, 3: 0.0})
    last = recommend_votes(against, near, [True, True, True, False], 2)
    assert (last.votes, last.precision[3]) == (3, 1.0)
    assert recommend_votes(against, near, [False] * 4, 2).votes == 1
    assert recommend_votes(against, Shown([53], [False]), [True], 2).votes == 2, "of two it is not"


def test_what_was_not_looked_at_is_not_known() -> None:
    advice = recommend_votes([0, 0, 3], lot(0), [False], 2)
    assert advice.precision == {1: None, 2: None, 3: None}
    assert advice.missed == 1.0


@pytest.mark.parametrize(("looked", "right"), [((1, 2), [True]), ((), [True])])
def test_verdicts_must_fit_the_rows(looked, right) -> None:
    with pytest.raises(InputError):
        recommend_votes(AGAINST, lot(*looked), right, 2)


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
