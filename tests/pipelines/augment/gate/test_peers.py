"""Labels of made rows are doubted by the real rows and by the other made ones together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.gate.peers import _levels, _odds, doubts, least_odds, real_weight

TURN = {"benign": "scan", "scan": "worm", "worm": "benign"}


def flipped(rows: pa.Table, places: Sequence[int]) -> pa.Table:
    labels = rows["label"].to_pylist()
    for place in places:
        labels[place] = TURN[labels[place]]
    return rows.set_column(0, rows.schema.field("label"), pa.array(labels))


@pytest.mark.parametrize(
    ("wrong", "classes", "weight"),
    [
        (0.0, 2, 1.0),
        (0.2, 2, 1 / 0.6**2),  # a flipped label says the opposite: 0.8 - 0.2 is left
        (0.3, 4, 1 / 0.6**2),  # spread over three other classes it says less than nothing
        (0.45, 2, 16.0),  # at most
        (0.5, 2, 16.0),
        (1.0, 3, 16.0),
    ],
)
def test_what_a_real_row_counts_as(wrong: float, classes: int, weight: float) -> None:
    assert real_weight(wrong, classes) == pytest.approx(weight)


def some(share: float, seed: int = 0) -> list[int]:
    """Places of 150, whatever their class."""
    return np.random.default_rng(seed).permutation(150)[: round(150 * share)].tolist()


@pytest.mark.parametrize("share", [0.1, 0.2, 0.33])
def test_flipped_labels_are_doubted(world, pair_of, share: float) -> None:
    """In three worlds together: a label says little of one."""
    against, wrong = [], []
    for seed in range(3):
        made = flipped(world(150, seed + 100), some(share, seed))
        against.append(doubts(pair_of(world(60, seed), made)).against)
        wrong.append(np.isin(np.arange(150), some(share, seed)))
        assert against[-1].shape == (150,)
    doubted, flips = np.concatenate(against) >= 2, np.concatenate(wrong)
    assert doubted[flips].mean() > 0.85
    assert doubted[~flips].mean() < 0.05


def test_a_class_that_is_wrong_throughout_is_told_by_the_real_rows(world, pair_of) -> None:
    """All other rows of the class say the same: half of what is called a scan is none."""
    benign = range(0, 150, 3)
    against = doubts(pair_of(world(60, 0), flipped(world(150, 1), benign))).against
    wrong = np.isin(np.arange(150), benign)
    assert (against[wrong] >= 2).mean() > 0.5
    assert (against[~wrong] >= 2).mean() < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_right_labels_are_hardly_doubted(world, pair_of, seed: int) -> None:
    against = doubts(pair_of(world(60, seed), world(150, seed + 50))).against
    assert (against >= 2).mean() < 0.05


@pytest.mark.parametrize(
    ("guess", "between", "taken"),
    [
        (0.1, (0.0, 1.0), 0.2),  # twenty real rows are often so far off
        (0.4, (0.0, 1.0), 0.2),
        (0.35, (0.3, 0.4), 0.3),  # what the real rows rule out is not taken
        (0.05, (0.0, 0.1), 0.1),
    ],
)
def test_all_rows_correct_what_the_real_ones_say_of_wrong_labels(
    world, pair_of, monkeypatch: pytest.MonkeyPatch, guess: float, between: Any, taken: float
) -> None:
    asked: list[float] = []

    def odds(wrong: float, classes: int) -> float:
        asked.append(wrong)
        return least_odds(wrong, classes)

    votes = "pipelines.augment.gate.label_noise.Ballot"
    monkeypatch.setattr(f"{votes}.wrong_share", lambda *_: guess)
    monkeypatch.setattr(f"{votes}.wrong_between", lambda *_: between)
    monkeypatch.setattr("pipelines.augment.gate.peers.least_odds", odds)
    doubts(pair_of(world(60, 0), flipped(world(150, 1), some(0.2))))
    assert asked[0] == guess
    assert asked[-1] == pytest.approx(taken, abs=0.05)


def test_more_votes_doubt_fewer_rows(world, pair_of) -> None:
    against = doubts(pair_of(world(60, 0), flipped(world(150, 1), some(0.33)))).against
    assert set(against.tolist()) <= {0, 1, 2, 3}
    assert (against >= 1).sum() >= (against >= 2).sum() >= (against >= 3).sum() > 0


def test_a_category_that_no_real_row_has_tells_made_rows_apart(make_records, pair_of) -> None:
    """What few real rows do not know is no reason to doubt, and helps to find what is wrong."""
    rest = {"x": [0.0, 9.0] * 8}
    real = make_records(["a", "b"] * 8, kind=["p", "q"] * 8, **rest)
    labels = (["a"] * 20 + ["b"] * 20) * 2
    kinds = ["p"] * 20 + ["q"] * 20 + ["new a"] * 20 + ["new b"] * 20
    labels[45], labels[75] = "b", "a"  # among nineteen of the other class
    made = make_records(labels, kind=kinds, x=[4.5] * 80)
    against = doubts(pair_of(real, made)).against
    assert np.flatnonzero(against >= 2).tolist() == [45, 75]


def test_all_models_see_a_class_that_lies_around_another(make_records, pair_of) -> None:
    """No straight border tells them apart."""
    random = np.random.default_rng(0)

    def ring(count: int, flips: Sequence[int]) -> pa.Table:
        outer = np.arange(count) % 2
        angle, far = random.uniform(0, 2 * np.pi, count), 0.3 + 1.7 * outer
        outer[list(flips)] ^= 1
        x, y = far * np.cos(angle), far * np.sin(angle)
        return make_records(["ab"[one] for one in outer], x=x.tolist(), y=y.tolist())

    against = doubts(pair_of(ring(40, ()), ring(120, range(24)))).against
    assert (against[:24] == 3).mean() > 0.9
    assert (against[24:] == 0).mean() > 0.9


def test_a_kernel_of_fewer_landmarks_than_rows(
    world, pair_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.augment.gate.models.LANDMARKS", 25)
    against = doubts(pair_of(world(60, 0), flipped(world(150, 1), some(0.2)))).against
    wrong = np.isin(np.arange(150), some(0.2))
    assert (against[wrong] == 3).mean() > 0.5
    assert (against[~wrong] == 3).mean() < 0.05


def test_too_few_real_rows_say_nothing(world, pair_of, plain) -> None:
    assert doubts(pair_of(world(12, 0), world(30, 1))) is None
    one = plain(x=[1.5] * 30)
    assert doubts(pair_of(one, one)) is None


def test_a_class_of_one_made_row(world, pair_of) -> None:
    made = world(31, 1)
    labels = [*["scan"] * 30, "worm"]
    made = made.set_column(0, made.schema.field("label"), pa.array(labels))
    assert len(doubts(pair_of(world(60, 0), made)).against) == 31


def test_every_row_of_many_is_asked(world, pair_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.augment.gate.pair.BATCH_ROWS", 40)
    monkeypatch.setattr("pipelines.augment.gate.peers.MOST_ROWS", 60)
    monkeypatch.setattr("pipelines.augment.gate.pair.MOST_ROWS", 60)
    against = doubts(pair_of(world(60, 0), flipped(world(200, 1), [199]))).against
    assert len(against) == 200 and against[199] == 3


def test_the_same_seed_doubts_the_same(world, pair_of) -> None:
    made = flipped(world(90, 1), range(0, 90, 4))
    one, other = (doubts(pair_of(world(60, 0), made)) for _ in range(2))
    assert one.against.tolist() == other.against.tolist()
    assert one.beyond.tolist() == other.beyond.tolist()


def test_what_they_doubt_together_is_beyond_the_bar(world, pair_of) -> None:
    """And the wronger a label, the farther."""
    found = doubts(pair_of(world(60, 0), flipped(world(150, 1), some(0.2))))
    assert ((found.beyond > 0) == (found.against >= 2)).all()
    wrong = np.isin(np.arange(150), some(0.2))
    assert np.median(found.beyond[wrong]) > 1 > -1 > np.median(found.beyond[~wrong])


class Model:
    """A model of three classes that is asked about one row."""

    classes_ = np.array(["a", "b", "c"], object)

    def __init__(self, *chances: float) -> None:
        self.chances = chances

    def predict_proba(self, points: np.ndarray) -> np.ndarray:
        return np.tile(self.chances, (len(points), 1))


@pytest.mark.parametrize(
    ("chances", "label", "odds"),
    [
        ((0.2, 0.5, 0.3), "a", 0.5 / 0.2),
        ((0.2, 0.5, 0.3), "b", 0.3 / 0.5),
        ((0.2, 0.5, 0.3), "new", 0.5 / 0.001),
        ((0.0, 0.0, 1.0), "a", 0.999 / 0.001),
        ((0.0, 0.0, 1.0), "c", 0.001 / 0.999),
    ],
)
def test_the_odds_of_another_label(chances, label: str, odds: float) -> None:
    found = _odds(Model(*chances), np.zeros((2, 1)), np.array([label] * 2, object))
    assert found.tolist() == pytest.approx([np.log(odds)] * 2)


@pytest.mark.parametrize(
    ("odds", "level"),
    [
        ((0.4, 0.5, 0.5), 0),  # at the bar is not above it
        ((0.2, 0.2, 0.6), 1),
        ((0.1, 0.1, 1.5), 2),  # one that is sure outweighs two that are not
        ((0.1, 0.7, 0.6), 1),  # two of three, but not together
        ((0.4, 0.6, 0.7), 2),
        ((0.6, 0.6, 0.6), 3),
    ],
)
def test_how_far_models_doubt(odds: Sequence[float], level: int) -> None:
    assert _levels(np.array(odds)[:, None], 0.5).tolist() == [level]


@pytest.mark.parametrize(
    ("wrong", "classes", "odds"),
    [
        (0.2, 2, (0.68 / 0.32) ** 0.35),  # a chance of 0.2 is seen as 0.2 * 0.8 + 0.8 * 0.2
        (0.4, 2, (0.52 / 0.48) ** 0.35),
        (0.5, 2, 1.0),
        (0.9, 2, 1.0),  # at least
        (1.0, 2, 1.0),
        # at even odds 1 to 18 for the label, which 0.05 of the rows of each other class bear
        (0.1, 3, ((18 * 0.9 + 0.05) / (0.9 + 18 * 0.05)) ** 0.35),
    ],
)
def test_the_odds_that_doubt_a_label(wrong: float, classes: int, odds: float) -> None:
    assert least_odds(wrong, classes) == pytest.approx(odds)


def test_fewer_wrong_labels_take_higher_odds() -> None:
    found = [least_odds(wrong, 2) for wrong in (0.0, 0.02, 0.1, 0.3, 0.5)]
    assert found == sorted(found, reverse=True)
    assert found[0] == found[1] == pytest.approx((0.9608 / 0.0392) ** 0.35), "nobody never errs"


def test_rows_at_the_border_are_safe_while_few_labels_are_wrong(make_records, pair_of) -> None:
    """They teach most, and look a little more like rows of the other class."""
    random = np.random.default_rng(0)

    def rows(count: int, wrong: float) -> pa.Table:
        truth = random.random(count) < 0.5
        x = np.where(truth, 1.0, -1.0) * random.exponential(1.0, count)
        named = truth ^ (random.random(count) < wrong)
        return make_records(["ba"[one] for one in named.astype(int)], x=x)

    real = rows(200, 0.0)
    few, many = (doubts(pair_of(real, rows(400, wrong))).against for wrong in (0.0, 0.4))
    assert (few >= 2).mean() < 0.02
    assert (many >= 2).mean() > 0.35
