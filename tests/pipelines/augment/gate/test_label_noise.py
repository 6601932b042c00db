import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.gate.chance import share_bar, unseen_share
from pipelines.augment.gate.label_noise import Ballot, ballot, label_noise

ONE = np.ones(4)


def counted(against: list[int], right: list[int], wrong: list[int]) -> Ballot:
    return Ballot(np.array(against), np.array(right), np.array(wrong), ONE, ONE)


def test_the_estimate_on_paper() -> None:
    """1/4 of right and 3/4 of wrong labels are contradicted; so are 1/2: half are wrong."""
    found = counted([0, 0, 2, 3], right=[0, 0, 0, 2], wrong=[0, 2, 3, 3])
    assert found.usual(2) == 0.25
    assert found.wrong_share(2) == pytest.approx((0.5 - 0.25) / (0.75 - 0.25))


def test_where_the_share_lies_on_paper() -> None:
    """400 rows, of which 3 in 10 are contradicted, and 100 real ones: 1 in 10 of right labels, 9 in
    10 of wrong ones. A quarter is wrong, give or take two standard errors."""
    votes = Ballot(
        np.repeat([3, 0], [120, 280]),
        np.repeat([3, 0], [10, 90]),
        np.repeat([3, 0], [90, 10]),
        np.ones(100),
        np.ones(100),
    )
    error = np.sqrt(0.3 * 0.7 / 400 + (0.75**2 + 0.25**2) * 0.1 * 0.9 / 100) / 0.8
    assert votes.wrong_between(2) == pytest.approx((0.25 - 2 * error, 0.25 + 2 * error))


def test_few_real_rows_leave_much_open_even_if_all_agree() -> None:
    """None of ten is contradicted: one of the next ten may be."""

    def between(real: int) -> tuple[float, float]:
        ones = np.ones(real)
        return Ballot(
            np.repeat([3, 0], [40, 160]), np.repeat(0, real), np.repeat(3, real), ones, ones
        ).wrong_between(2)

    low, high = between(10)
    assert low < 0.1 < 0.3 < high
    assert low < between(200)[0] < 0.2 < between(200)[1] < high


def test_rows_that_hardly_count_narrow_nothing() -> None:
    """A thousand real rows of another class than all that was made say nothing of it."""
    few = Ballot(
        np.repeat([3, 0], [10, 30]), np.zeros(5), np.full(5, 3), np.ones(5), np.ones(5)
    ).wrong_between(2)
    many = Ballot(
        np.repeat([3, 0], [10, 30]),
        np.zeros(1005),
        np.full(1005, 3),
        np.repeat([1.0, 0.0], [5, 1000]),
        np.repeat([1.0, 0.0], [5, 1000]),
    ).wrong_between(2)
    assert many == pytest.approx(few)


def test_the_share_lies_between_none_and_all() -> None:
    assert counted([0] * 4, right=[0] * 4, wrong=[3] * 4).wrong_between(2)[0] == 0
    assert counted([3] * 4, right=[0] * 4, wrong=[3] * 4).wrong_between(2)[1] == 1


def test_weights_are_those_of_the_synthetic_mix() -> None:
    right = Ballot(np.zeros(4), np.array([0, 3]), np.array([3]), np.array([3.0, 1.0]), np.ones(1))
    assert right.usual(2) == 0.25


def test_models_that_cannot_tell_estimate_nothing() -> None:
    assert counted([3, 3, 3, 3], right=[0, 3, 3, 3], wrong=[0, 3, 3, 3]).wrong_share(2) == 0
    assert counted([3, 3, 3, 3], right=[0] * 4, wrong=[0] * 4).wrong_between(2) == (0, 1)


def flipped(rows: pa.Table, places: list[int]) -> pa.Table:
    turn = {"benign": "scan", "scan": "worm", "worm": "benign"}
    labels = rows["label"].to_pylist()
    for place in places:
        labels[place] = turn[labels[place]]
    return rows.set_column(0, rows.schema.field("label"), pa.array(labels))


def test_flipped_labels_are_found_and_their_share_estimated(world, pair_of) -> None:
    places = list(range(0, 150, 5))
    pair = pair_of(world(150, 0), flipped(world(150, 1), places))
    votes = ballot(pair)
    found = label_noise(pair, votes, 2)
    assert found.passed is False
    assert len(set(places) & set(found.rows)) >= 25, "of 30"
    assert len(set(found.rows) - set(places)) <= 8, "of 120"
    assert votes.wrong_share(2) == pytest.approx(0.2, abs=0.05)
    assert found.value == pytest.approx(len(found.rows) / 150)
    assert found.bar == share_bar(votes.usual(2) + unseen_share(150), 150, 150)


@pytest.mark.parametrize("seed", range(4))
def test_fresh_rows_pass_with_any_votes(world, pair_of, seed) -> None:
    pair = pair_of(world(90, seed), world(150, seed + 50))
    assert all(label_noise(pair, ballot(pair), votes).passed for votes in (1, 2, 3))


def test_fewer_votes_filter_harder(world, pair_of) -> None:
    pair = pair_of(world(90, 0), flipped(world(150, 1), list(range(30))))
    rows = [set(label_noise(pair, ballot(pair), votes).rows) for votes in (1, 2, 3)]
    assert rows[0] > rows[1] >= rows[2]


def test_a_class_that_no_real_row_has_is_contradicted_by_all(world, pair_of) -> None:
    made = world(30, 1)
    other = made.set_column(0, made.schema.field("label"), pa.array(["new"] * 30))
    assert ballot(pair_of(world(90, 0), other)).against.tolist() == [3] * 30


def test_a_missing_label_is_contradicted_too(world, pair_of) -> None:
    made = world(30, 1)
    other = made.set_column(0, made.schema.field("label"), pa.array([None] * 30, pa.string()))
    assert ballot(pair_of(world(90, 0), other)).against.tolist() == [3] * 30


def test_one_class_or_too_few_rows_of_two_cannot_vote(plain, pair_of, world) -> None:
    one = plain(x=[1.5] * 30)
    pair = pair_of(one, one)
    assert ballot(pair) is None
    assert label_noise(pair, None, 2).passed is None
    assert ballot(pair_of(world(12, 0), world(30, 1))) is None


def test_synthetic_rows_of_one_class_are_judged(world, pair_of) -> None:
    made = world(90, 1)
    worms = made.filter(pa.array(np.array(made["label"].to_pylist()) == "worm"))
    pair = pair_of(world(90, 0), worms)
    assert label_noise(pair, ballot(pair), 2).passed
    lies = worms.set_column(0, worms.schema.field("label"), pa.array(["scan"] * 30))
    pair = pair_of(world(90, 0), lies)
    assert label_noise(pair, ballot(pair), 2).passed is False


def test_every_row_of_many_is_asked(world, pair_of, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.augment.gate.pair.BATCH_ROWS", 40)
    monkeypatch.setattr("pipelines.augment.gate.pair.MOST_ROWS", 60)
    made = flipped(world(100, 1), [99])
    votes = ballot(pair_of(world(60, 0), made))
    assert len(votes.against) == 100 and votes.against[99] == 3
