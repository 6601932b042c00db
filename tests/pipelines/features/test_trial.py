"""Gains over the same resamples of groups and repeated fits."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from pipelines.evaluate.intervals import REPLICATES, group_confusions
from pipelines.features.parse import parse
from pipelines.features.trial import IN_TAIL, Trial

Table = Callable[..., pa.Table]

TRUTH = np.arange(40) % 2


def counted(guesses: np.ndarray) -> csr_array:
    return group_confusions(np.arange(40), TRUTH, guesses, 2)


RIGHT, ALL_ZERO = counted(TRUTH), counted(np.zeros(40, np.int64))


@pytest.fixture
def trial(table: Table) -> Callable[[int], Trial]:
    rng = np.random.default_rng(0)
    rows = table({"x": rng.normal(size=40), "label": [f"c{n}" for n in TRUTH]})
    return lambda repeats: Trial(rows, rows, np.arange(40), "random_forest", (), 0, repeats)


def test_a_gain_is_the_difference_of_macro_f1(trial: Callable[[int], Trial]) -> None:
    """All right is 1; one class for all has F1 2/3 for it and 0 for the other."""
    same, better = trial(1).gains([ALL_ZERO], [[ALL_ZERO], [RIGHT]], level=0.95)
    assert (same.difference, same.ci) == (0, (0, 0))
    assert better.difference == pytest.approx(2 / 3)
    assert better.ci == pytest.approx((2 / 3, 2 / 3))  # classes keep their sizes when drawn anew


def test_an_interval_tells_how_fits_differ(trial: Callable[[int], Trial]) -> None:
    (gain,) = trial(2).gains([ALL_ZERO, ALL_ZERO], [[RIGHT, ALL_ZERO]], level=0.95)
    assert gain.difference == pytest.approx(1 / 3)
    assert gain.ci == pytest.approx((0, 2 / 3))


@pytest.mark.parametrize(("level", "replicates"), [(0.95, REPLICATES), (0.9975, 8000)])
def test_each_end_of_an_interval_has_replicates_beyond_it(
    trial: Callable[[int], Trial],
    monkeypatch: pytest.MonkeyPatch,
    level: float,
    replicates: int,
) -> None:
    asked = []

    def resampled(counts: list[csr_array], classes: int, seed: int, number: int) -> np.ndarray:
        asked.append(number)
        return np.zeros((len(counts), number))

    monkeypatch.setattr("pipelines.features.trial.resampled_macro_f1", resampled)
    trial(1).gains([RIGHT], [[RIGHT]], level)
    assert asked == [pytest.approx(replicates, abs=1)]
    assert asked[0] * (1 - level) / 2 >= IN_TAIL - 1e-6


@pytest.mark.usefixtures("small_forests")
def test_repeated_fits_have_seeds_of_their_own(table: Table) -> None:
    rng = np.random.default_rng(1)
    sides = [
        table({"x": rng.normal(size=60), "label": rng.choice(["p", "q"], 60).tolist()})
        for _ in range(2)
    ]
    made = Trial(sides[0], sides[1], np.arange(60), "random_forest", (), 0, 2)
    feature = parse("abs(x)", sides[0].schema)
    first, second = made.fit([feature])
    again, _ = made.fit([feature])
    assert (first != second).nnz > 0
    assert (first != again).nnz == 0
