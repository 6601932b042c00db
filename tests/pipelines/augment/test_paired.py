"""Paired differences: intervals that hold together, and draws that are enough."""

import numpy as np
import pytest
from scipy.stats import t as student

from pipelines.augment.paired import draws_needed, paired_differences
from pipelines.augment.settings import FEWEST_DRAWS


def test_one_cell_has_nearly_students_interval() -> None:
    values = np.random.default_rng(0).normal(0.05, 0.02, size=(20, 1))
    found = paired_differences(values, seed=0)
    assert found.mean == pytest.approx(values.mean(axis=0))
    assert found.times == pytest.approx(student.ppf(0.975, 19), rel=0.08)
    reach = found.times * values.std(ddof=1) / 20**0.5
    assert found.low[0] == pytest.approx(values.mean() - reach)
    assert found.high[0] == pytest.approx(values.mean() + reach)


def test_many_cells_are_wider_but_copies_of_one_are_not() -> None:
    random = np.random.default_rng(1)
    one = random.normal(size=(20, 1))
    many = random.normal(size=(20, 30))
    alone = paired_differences(one, seed=0).times
    assert paired_differences(many, seed=0).times > alone + 0.8
    assert paired_differences(np.repeat(one, 30, axis=1), seed=0).times == pytest.approx(alone)


def test_nothing_is_found_in_noise_more_often_than_promised() -> None:
    """300 studies of 25 arms that do nothing: one in twenty may find one, plain t finds most."""
    random = np.random.default_rng(2)
    found = 0
    for study in range(300):
        shared = random.normal(size=(12, 1))  # arms of one draw go up and down together
        differences = 0.5 * shared + random.normal(size=(12, 25))
        found += bool((paired_differences(differences, seed=study).low > 0).any())
    assert found / 300 < 0.05, "half of the errors are on the other side"


def test_what_never_changes_has_no_width() -> None:
    values = np.column_stack([np.zeros(8), np.arange(8.0)])
    found = paired_differences(values, seed=0)
    assert (found.low[0], found.high[0]) == (0, 0)
    assert found.high[1] > found.low[1]
    still = paired_differences(np.zeros((8, 2)), seed=0)
    assert still.times == 0
    assert not still.high.any()


def test_draws_by_hand() -> None:
    values = np.array([[0.0, 0.02], [0.0, -0.02]] * 10)
    deviation = values[:, 1].std(ddof=1)
    assert draws_needed(values, 2.0, 0.01) == int(np.ceil((2 * deviation / 0.01) ** 2)) == 17
    assert draws_needed(values, 2.0, 1.0) == FEWEST_DRAWS
