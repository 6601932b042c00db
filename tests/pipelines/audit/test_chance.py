"""Luck, by exact counting."""

from math import comb

import numpy as np
import pytest

from pipelines.audit.chance import HeldOut, judge, luck, most_common_share, verdict_of


def tail(hits: int, count: int, share: float) -> float:
    return sum(
        comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(hits, count + 1)
    )


@pytest.mark.parametrize(("hits", "count"), [(1, 1), (10, 20), (15, 20), (20, 20), (3, 7)])
def test_luck_is_the_tail_of_a_binomial(hits: int, count: int) -> None:
    right = np.arange(count) < hits
    assert luck(right, np.arange(count), 0.5) == pytest.approx(tail(hits, count, 0.5))


def test_no_hit_and_a_class_that_is_always_right_are_luck() -> None:
    assert luck(np.zeros(5, bool), np.arange(5), 0.5) == 1
    assert luck(np.ones(5, bool), np.arange(5), 1.0) == 1


def test_packets_of_one_flow_count_once() -> None:
    """A thousand packets of two flows are two observations."""
    units = np.repeat([0, 1], 500)
    assert luck(np.ones(1000, bool), units, 0.5) == pytest.approx(0.25)


def test_a_unit_that_is_half_right_is_half_a_hit() -> None:
    units = np.array([0, 0, 1, 1])
    right = np.array([True, False, True, False])
    assert luck(right, units, 0.5) == pytest.approx(tail(1, 2, 0.5))


def test_the_most_common_share_weighs_units_alike() -> None:
    truth = np.array([0, 0, 0, 1])
    assert most_common_share(truth, np.array([0, 0, 0, 1])) == pytest.approx(0.5)
    assert most_common_share(truth, np.arange(4)) == pytest.approx(0.75)


def test_every_guess_pays_for_all_others() -> None:
    labels = np.array([0, 1] * 10)
    places = np.arange(20)
    alone = judge(labels, HeldOut(labels, places, places, places, 1))
    among = judge(labels, HeldOut(labels, places, places, places, 50))
    assert among.chance == pytest.approx(50 * alone.chance) and alone.chance == 0.5**20
    assert judge(labels[::-1], HeldOut(labels, places, places, places, 50)).chance == 1


def test_luck_takes_a_verdict_away() -> None:
    assert verdict_of(1.0, 0.02) == "none"
    assert verdict_of(1.0, 0.01) == "shortcut"
    assert verdict_of(0.3, 0.0) == "weak"
