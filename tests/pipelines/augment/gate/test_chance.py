import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from pipelines.augment.gate.chance import (
    DRAWS,
    PERMUTATIONS,
    ROOM,
    Excess,
    auc_bar,
    excess,
    from_halves,
    halves,
    share_bar,
    unseen_share,
)


def test_the_bar_of_a_share_on_paper() -> None:
    assert share_bar(0.2, 100) == pytest.approx(0.2 + 3 * 0.04)
    assert share_bar(0.5, 100, 25) == pytest.approx(0.5 + 3 * np.sqrt(0.25 * (0.01 + 0.04)))


def test_what_none_of_some_rows_had_may_have_a_share_that_they_seldom_miss() -> None:
    assert (1 - unseen_share(500)) ** 500 == pytest.approx(0.01, rel=0.05)


def test_one_row_in_a_hundred_is_never_held_against_a_generator() -> None:
    assert share_bar(0.0, 10**9) == pytest.approx(0.01, abs=1e-4)
    assert share_bar(1.5, 10) == 1.0


def test_weights_of_halves_give_the_difference_of_two_means() -> None:
    values = np.arange(7.0)
    weights = halves(7, np.random.default_rng(0))
    assert weights.shape == (DRAWS, 7)
    one, other = values[weights[0] > 0], values[weights[0] < 0]
    assert (len(one), len(other)) == (3, 4)
    assert weights[0] @ values == pytest.approx(one.mean() - other.mean())
    assert len({tuple(row) for row in weights.tolist()}) > 20, "halves differ"


def test_a_difference_of_halves_becomes_one_between_these_sizes() -> None:
    assert from_halves(100, 10**9) == pytest.approx(0.5), "1 / 100 against 1 / 50 + 1 / 50"
    assert from_halves(100, 100) == pytest.approx(np.sqrt(0.5))


def test_scaled_halves_are_as_far_apart_as_two_samples() -> None:
    random = np.random.default_rng(1)
    two = [random.normal(size=60).mean() - random.normal(size=200).mean() for _ in range(4000)]
    real = random.normal(size=(300, 60))
    split = np.concatenate([halves(60, random)[:10] @ row for row in real]) * from_halves(60, 200)
    assert np.std(split) == pytest.approx(np.std(two), rel=0.1)


LUCK = np.random.default_rng(2).normal(1, [0.1, 0.2, 0.3], (2000, 3))
NONE = np.zeros(3)


def passed(found: Excess) -> bool:
    return found.value <= found.bar


def test_the_worst_cell_is_worst_for_its_own_bar() -> None:
    found = excess(np.array([1.9, 1.95, 1.96]), LUCK, NONE, 0.0)
    assert found.worst == 0 and not passed(found)
    assert found.value == pytest.approx(1.9)
    # the greatest of three normal values is below this in 99 of 100 draws
    times = norm.ppf(0.99 ** (1 / 3))
    assert found.bar == pytest.approx(ROOM * (1 + 0.1 * times), abs=0.03)


def test_cells_below_their_bars_pass() -> None:
    assert passed(excess(np.array([1.0, 1.1, 1.2]), LUCK, NONE, 0.0))


def test_a_little_too_much_everywhere_is_seen_by_the_mean() -> None:
    many = np.random.default_rng(3).normal(1, 0.1, (500, 40))
    found = excess(np.full(40, 1.3), many, np.zeros(40), 0.0)
    assert not passed(found) and found.value == pytest.approx(1.3)
    assert found.bar == pytest.approx(ROOM * (1 + 0.1 / np.sqrt(40) * norm.ppf(0.99)), abs=0.01)


def test_what_never_varies_needs_more_than_the_least() -> None:
    never = np.zeros((50, 1))
    assert passed(excess(np.array([0.04]), never, np.array([0.05]), 0.05))
    assert not passed(excess(np.array([0.06]), never, np.array([0.05]), 0.05))


def test_a_mean_below_the_least_is_no_fault() -> None:
    many = np.zeros((50, 2))
    assert passed(excess(np.array([0.04, 0.04]), many, np.full(2, 0.05), 0.05))
    assert not passed(excess(np.array([0.04, 0.04]), many, np.full(2, 0.05), 0.03))


def test_permuted_aucs_are_those_of_scikit_learn_with_ties() -> None:
    random = np.random.default_rng(4)
    scores, positive = random.integers(0, 5, 60).astype(float), random.random(60) < 0.4
    again = np.random.default_rng(6).permuted(np.tile(positive, (PERMUTATIONS, 1)), axis=1)
    expected = np.quantile([roc_auc_score(flags, scores) for flags in again], 0.99)
    assert auc_bar(scores, positive, np.random.default_rng(6)) == pytest.approx(expected)


def test_the_bar_of_an_auc_is_that_of_mann_and_whitney() -> None:
    random = np.random.default_rng(5)
    positive = np.repeat([True, False], [40, 60])
    expected = 0.5 + norm.ppf(0.99) * np.sqrt(101 / (12 * 40 * 60))
    assert auc_bar(random.random(100), positive, random) == pytest.approx(expected, abs=0.03)
