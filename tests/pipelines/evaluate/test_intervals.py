"""The bootstrap over split groups: exact sums, coverage, and why rows will not do."""

import numpy as np
import pytest

from pipelines.evaluate.intervals import (
    group_confusions,
    percentile_interval,
    resampled_macro_f1,
)
from pipelines.evaluate.metrics import confusion_counts, mean_f1


def resampled(
    groups: np.ndarray, labels: np.ndarray, guesses: np.ndarray, classes: int = 2, **options: int
) -> np.ndarray:
    counts = group_confusions(groups, labels, guesses, classes)
    return resampled_macro_f1([counts], classes, seed=options.pop("seed", 0), **options)[0]


def interval(*arrays: np.ndarray) -> tuple[float, float]:
    return percentile_interval(resampled(*arrays), bounds=(0, 1))


def random_rows(rows: int, groups: int, classes: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    labels = rng.integers(classes, size=rows)
    guesses = np.where(rng.random(rows) < 0.7, labels, rng.integers(classes, size=rows))
    return rng.permutation(np.arange(rows) % groups), labels, guesses


def test_counts_of_two_groups_by_hand() -> None:
    groups, labels, guesses = np.array([[0, 0, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]])
    counts = group_confusions(groups, labels, guesses, 2).toarray()
    assert counts.tolist() == [[1, 0, 1, 1], [0, 0, 0, 1]]


def test_the_groups_counts_add_up_to_the_whole() -> None:
    groups, labels, guesses = random_rows(500, 40, 5)
    counts = group_confusions(groups, labels, guesses, 5)
    assert counts.shape == (40, 25)
    assert (counts.sum(axis=0).reshape(5, 5) == confusion_counts(labels, guesses, 5)).all()


def test_replicates_are_resamples_of_groups_within_their_class() -> None:
    """Each replicate, drawn again row by row, is one of the values that the sums give."""
    groups, labels, guesses = random_rows(60, 6, 3)
    most = [np.bincount(labels[groups == group], minlength=3).argmax() for group in range(6)]
    by_class = [np.flatnonzero(np.array(most) == number) for number in sorted(set(most))]
    values = resampled(groups, labels, guesses, 3, replicates=50)
    rng = np.random.default_rng(0)
    for value in values:
        shares = iter(rng.random(6))
        picks = [members[int(next(shares) * len(members))] for members in by_class for _ in members]
        rows = np.concatenate([np.flatnonzero(groups == group) for group in picks])
        whole = confusion_counts(labels[rows], guesses[rows], 3)
        assert value == pytest.approx(float(mean_f1(whole)))


def test_the_score_lies_within_its_interval_when_every_group_is_of_one_class() -> None:
    """Two captures a class: drawing among all of them would lose classes and halve the score."""
    groups = np.repeat(np.arange(20), 30)
    labels = groups // 2
    rng = np.random.default_rng(3)
    guesses = np.where(rng.random(600) < 0.85, labels, rng.integers(10, size=600))
    values = resampled(groups, labels, guesses, 10, replicates=500)
    low, high = percentile_interval(values, bounds=(0, 1))
    score = float(mean_f1(confusion_counts(labels, guesses, 10)))
    assert low < score < high
    assert high - low < 0.1


def test_a_perfect_model_has_no_spread() -> None:
    groups, labels, _ = random_rows(200, 20, 3)
    assert set(resampled(groups, labels, labels, 3)) == {1.0}


def test_resampling_groups_is_wider_than_resampling_rows() -> None:
    """100 rows in 10 groups that are right or wrong as a whole say as much as 10 rows."""
    group = np.repeat(np.arange(10), 10)
    labels = np.tile([0, 1], 50)
    guesses = np.where(group < 7, labels, 1 - labels)
    by_group = interval(group, labels, guesses)
    by_row = interval(np.arange(100), labels, guesses)
    assert by_group[1] - by_group[0] > 2.5 * (by_row[1] - by_row[0])


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Balanced classes, each group right with probability 0.8: macro-F1 is 0.8."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        right = np.repeat(rng.random(150) < 0.8, 2)
        labels = np.tile([0, 1], 150)
        guesses = np.where(right, labels, 1 - labels)
        low, high = interval(np.repeat(np.arange(150), 2), labels, guesses)
        covered += low <= 0.8 <= high
    assert 180 <= covered <= 199


def test_models_meet_the_identical_resamples() -> None:
    groups, labels, guesses = random_rows(300, 30, 3)
    counts = group_confusions(groups, labels, guesses, 3)
    values = resampled_macro_f1([counts, counts], 3, seed=5)
    assert (values[0] == values[1]).all()


def test_a_pair_is_told_apart_where_single_intervals_overlap() -> None:
    """The same groups are hard for both models, so only the difference shows the better one."""
    groups, labels, guesses = random_rows(600, 30, 2)
    hard = groups < 15
    weak = np.where(hard, 1 - labels, guesses)
    better = weak.copy()
    better[np.flatnonzero(weak != labels)[::10]] = labels[np.flatnonzero(weak != labels)[::10]]
    values = resampled_macro_f1(
        [group_confusions(groups, labels, g, 2) for g in (weak, better)], 2, seed=0
    )
    low = percentile_interval(values[1], bounds=(0, 1))[0]
    high = percentile_interval(values[0], bounds=(0, 1))[1]
    assert low < high
    assert percentile_interval(values[1] - values[0], bounds=(-1, 1))[0] > 0


def test_the_seed_decides() -> None:
    rows = random_rows(100, 20, 3)
    assert (resampled(*rows, 3, seed=1) == resampled(*rows, 3, seed=1)).all()
    assert (resampled(*rows, 3, seed=1) != resampled(*rows, 3, seed=2)).any()


def test_blocks_of_replicates_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_rows(100, 20, 3)
    whole = resampled(*rows, 3, replicates=30)
    monkeypatch.setattr("pipelines.evaluate.intervals.CELLS_AT_ONCE", 150)
    assert (resampled(*rows, 3, replicates=30) == whole).all()


def test_a_single_group_says_nothing_about_others() -> None:
    labels = np.array([0, 1, 0, 1])
    values = resampled(np.zeros(4, int), labels, labels)
    assert values.size == 0
    assert percentile_interval(values, bounds=(0, 1)) == (0, 1)


def test_a_class_that_a_replicate_misses_is_left_out_of_its_mean() -> None:
    labels = np.array([0] * 30 + [1])
    values = resampled(np.arange(31), labels, labels)
    assert set(values) == {1.0}


def test_percentiles_by_hand() -> None:
    assert percentile_interval(np.arange(1001), bounds=(0, 1)) == pytest.approx((25, 975))
    assert percentile_interval(np.arange(11), bounds=(0, 1), level=0.8) == pytest.approx((1, 9))


def test_many_classes_need_no_cube_of_them() -> None:
    """A dense table of cells by classes would take 8 GB here."""
    numbers = np.arange(1000).repeat(2)
    counts = group_confusions(np.arange(2000), numbers, numbers, 1000)
    values = resampled_macro_f1([counts], 1000, seed=0, replicates=2)
    assert values.tolist() == [[1.0, 1.0]]
