"""The exchange rate, on learning curves whose truth is known."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from pipelines.augment.exchange import Curve, exchange_rate, fit_curve

TRUE = Curve(top=0.95, fall=0.6, slope=0.5)
ADDED = np.array([20.0, 40.0, 80.0, 160.0])
FIRST, DRAWS = 20, 20
SIZES = np.concatenate([[FIRST], FIRST + ADDED])


def draws_of(rows: np.ndarray, seed: int) -> np.ndarray:
    """Scores with so many real rows; a draw that is hard is hard for all."""
    shift = np.random.default_rng(0).normal(0, 0.02, size=(DRAWS, 1))
    return TRUE.at(rows) + shift + np.random.default_rng(seed).normal(0, 0.01, (DRAWS, len(rows)))


def scores(rate: float, seed: int = 2) -> np.ndarray:
    """Where each added row counts as ``rate`` real ones."""
    return draws_of(FIRST + rate * ADDED, seed)


def real(seed: int = 1) -> np.ndarray:
    return draws_of(SIZES, seed)


@pytest.mark.parametrize("rate", [1.0, 0.5, 0.1, 2.0])
def test_the_rate_is_found(rate: float) -> None:
    found = exchange_rate(SIZES, real(), ADDED, scores(rate), seed=0)
    assert found is not None
    assert found.rate == pytest.approx(rate, rel=0.25)
    assert found.ci[0] < rate < found.ci[1]


def test_fewer_real_rows_than_made_ones_bend_nothing() -> None:
    """Where only forty more could be drawn, the curve is read on beyond them."""
    few = real()[:, :3]
    found = exchange_rate(SIZES[:3], few, ADDED, scores(0.25), seed=0)
    assert found is not None
    assert found.rate == pytest.approx(0.25, rel=0.3)


def test_rows_that_do_nothing_are_worth_nothing() -> None:
    found = exchange_rate(SIZES, real(), ADDED, scores(0.0), seed=0)
    assert found is not None
    assert found.rate == pytest.approx(0, abs=0.05)


def test_rows_that_do_harm_are_worth_less() -> None:
    found = exchange_rate(SIZES, real(), ADDED, scores(0.0) - 0.05, seed=0)
    assert found is not None
    assert found.ci[1] < 0


def test_a_flat_curve_has_no_rate() -> None:
    flat = np.random.default_rng(0).normal(0.9, 0.02, size=(20, 5))
    assert exchange_rate(SIZES, flat, ADDED, flat[:, 1:], seed=0) is None


def test_the_curve_goes_through_its_points() -> None:
    rows = np.array([10.0, 20, 40, 80, 160, 320])
    found = fit_curve(rows, TRUE.at(rows))
    assert found.at(rows) == pytest.approx(TRUE.at(rows), abs=1e-4)


def test_the_curve_never_falls() -> None:
    rows = np.array([10.0, 20, 40])
    found = fit_curve(rows, np.array([0.9, 0.8, 0.7])).at(rows)
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("seed", range(20))
def test_no_curve_is_closer_than_the_one_found(seed: int) -> None:
    """Neither one that a general solver finds, nor any at its bounds."""
    random = np.random.default_rng(seed)
    rows = SIZES[: random.integers(3, 6)]
    true = Curve(random.uniform(0.7, 1), random.uniform(0.1, 2), random.uniform(0.05, 1.5))
    scores = (true.at(rows) + random.normal(0, 0.02, len(rows))).clip(0, 1)

    def miss(values: np.ndarray) -> np.ndarray:
        return Curve(*values).at(rows) - scores

    start, bounds = (0.95, 1.0, 0.5), ([0.0, 0.0, 0.01], [1.0, 10.0, 3.0])
    general = 2 * least_squares(miss, start, bounds=bounds).cost
    found = fit_curve(rows, scores)
    place = np.array([found.top, found.fall, found.slope])
    assert ((bounds[0] <= place) & (place <= bounds[1])).all()
    assert ((found.at(rows) - scores) ** 2).sum() <= general + 1e-9


@pytest.mark.parametrize(
    ("scores", "at_bound"),
    [
        ([0.2, 0.6, 0.99], {"top": 1.0}),  # the free optimum would rise above 1
        ([0.5, 0.5, 0.5], {"fall": 0.0}),
        ([0.9, 0.7, 0.5], {"fall": 0.0, "top": 0.7}),
    ],
)
def test_a_curve_at_its_bounds(scores: list[float], at_bound: dict[str, float]) -> None:
    found = vars(fit_curve(np.array([10.0, 20.0, 40.0]), np.array(scores)))
    assert {name: found[name] for name in at_bound} == pytest.approx(at_bound)


def test_two_sizes_have_one_curve_whatever_is_rounded() -> None:
    """Curves of many slopes go through two points."""
    rows = np.array([20.0, 40.0, 40.0])
    found = [fit_curve(rows, np.array([0.7, 0.8, 0.8]) + step * 2e-16) for step in range(5)]
    assert found[0].at(rows) == pytest.approx([0.7, 0.8, 0.8])
    assert [one.slope for one in found] == pytest.approx([found[0].slope] * 5, rel=1e-3)


def test_no_more_real_rows_have_no_rate() -> None:
    same = np.full(3, 20.0)
    assert exchange_rate(same, real()[:, :3], ADDED, scores(1.0), seed=0) is None


def test_no_rows_have_no_rate() -> None:
    assert exchange_rate(SIZES, real(), np.zeros(3), scores(0.0)[:, :3], seed=0) is None
