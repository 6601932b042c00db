"""The population stability index, and what of it is luck."""

from math import log

import numpy as np
import pytest

from pipelines.operate.drift import LARGE, LITTLE, drift


def test_the_formula() -> None:
    found = drift([799, 199], [499, 499])  # half an event is added to each
    assert found is not None
    p, q = 799.5 / 999, 0.5
    expected = (p - q) * log(p / q) + (q - p) * log((1 - p) / q)
    assert found.psi == pytest.approx(expected)
    assert found.verdict == "large"
    assert drift([499, 499], [799, 199]).psi == pytest.approx(expected), "it has no direction"


def test_what_has_not_moved() -> None:
    found = drift([500, 300, 200], [5000, 3000, 2000])
    assert found.psi < 0.001
    assert found.verdict == "none"


def test_a_bin_that_is_new_is_counted_and_one_that_nobody_has_is_not() -> None:
    new = drift([900, 100], [1000, 0])
    assert new.verdict == "large"
    assert drift([900, 100, 0, 0], [1000, 0, 0, 0]) == new
    assert drift([30, 0], [50, 0]).psi == 0, "a single bin cannot move"


def test_nothing_to_compare() -> None:
    assert drift([0, 0], [5, 5]) is None
    assert drift([5, 5], [0, 0]) is None
    with pytest.raises(ValueError):
        drift([1, 2], [1, 2, 3])


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [
        ([540, 460], [500, 500], "none"),
        ([640, 360], [500, 500], "none"),
        ([690, 310], [500, 500], "some"),
        ([760, 240], [500, 500], "large"),
        ([6, 4], [500, 500], "too_few"),
        ([9, 3], [7, 7], "too_few"),
        ([10, 0], [500, 500], "large"),  # few, but luck does not do that
        ([30, 0], [500, 500], "large"),
    ],
)
def test_the_bands(now: list[int], before: list[int], verdict: str) -> None:
    found = drift(now, before)
    assert found is not None
    assert found.verdict == verdict, found
    if verdict == "some":
        assert LITTLE <= found.psi < LARGE


@pytest.mark.parametrize(("n", "m", "bins"), [(200, 1000, 8), (1000, 1000, 3), (400, 300, 2)])
def test_chance_is_what_unchanged_traffic_rarely_reaches(n: int, m: int, bins: int) -> None:
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.full(bins, 5.0))
    pairs = zip(
        random.multinomial(n, shares, 2000), random.multinomial(m, shares, 2000), strict=True
    )
    found = [drift(now.tolist(), before.tolist()) for now, before in pairs]
    above = np.mean([each.psi > each.chance for each in found])
    assert 0.02 < above < 0.09
