"""Temperature, calibration error and the unknown: cases that can be worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from pipelines.models.traffic_lm.calibration import (
    expected_calibration_error,
    fit_temperature,
    unknown_threshold,
)


def drawn(temperature: float, rows: int = 20_000, labels: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and classes that come with their probabilities under ``temperature``."""
    rng = np.random.default_rng(0)
    scores = rng.normal(scale=3, size=(rows, labels))
    # The largest of scores with Gumbel noise is a draw from their softmax.
    return scores, (scores / temperature + rng.gumbel(size=scores.shape)).argmax(axis=1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 8.0])
def test_the_temperature_is_found_again(temperature: float) -> None:
    scores, truth = drawn(temperature)
    assert fit_temperature(scores, truth) == pytest.approx(temperature, rel=0.05)


def test_it_makes_classes_the_most_probable() -> None:
    scores, truth = drawn(2.5, rows=300)

    def likelihood(temperature: float) -> float:
        return float(log_softmax(scores / temperature, axis=1)[range(len(truth)), truth].mean())

    best = fit_temperature(scores, truth)
    others = np.geomspace(0.05, 20, 200)
    assert likelihood(best) >= max(map(likelihood, others)) - 1e-9


def test_it_mends_the_calibration_of_a_model_that_is_too_sure() -> None:
    scores, truth = drawn(3.0)
    before = expected_calibration_error(softmax(scores, axis=1), truth)
    after = expected_calibration_error(
        softmax(scores / fit_temperature(scores, truth), axis=1), truth
    )
    assert before > 0.2
    assert after < 0.02


def test_it_does_not_depend_on_how_rows_are_normalised() -> None:
    """Probabilities of labels need not sum to 1 before the softmax."""
    scores, truth = drawn(2.5, rows=300)
    shifted = scores - np.arange(300)[:, None]
    assert fit_temperature(shifted, truth) == pytest.approx(fit_temperature(scores, truth))


def test_unknown_classes_are_left_out_of_the_temperature() -> None:
    scores, truth = drawn(2.5, rows=300)
    more = np.vstack([scores, np.full((100, 4), [9.0, 0, 0, 0])])
    unknown = np.concatenate([truth, np.full(100, -1)])
    assert fit_temperature(more, unknown) == fit_temperature(scores, truth)


@pytest.mark.parametrize(
    ("scores", "truth"),
    [
        (np.empty((0, 3)), []),
        ([[1.0, 2.0], [3.0, 1.0]], [-1, -1]),
        ([[1.0, 2.0], [3.0, 1.0]], [1, 0]),
        ([[1.0, 2.0], [2.0, 2.0]], [1, 0]),
        ([[-1.0], [-2.0]], [0, 0]),
    ],
    ids=["no rows", "no known class", "all right", "all right or even", "one label"],
)
def test_nothing_can_be_learnt(scores: list, truth: list) -> None:
    assert fit_temperature(np.array(scores), np.array(truth, dtype=int)) == 1.0


def test_a_model_that_is_always_wrong_is_as_unsure_as_can_be() -> None:
    assert fit_temperature(np.array([[5.0, 0.0]] * 9), np.ones(9, int)) == pytest.approx(
        20, rel=0.01
    )


def test_the_temperature_has_a_lowest() -> None:
    """One row in a thousand is wrong, by next to nothing."""
    scores = np.array([[0.1, 0.0]] * 999 + [[0.0, 1e-6]])
    assert fit_temperature(scores, np.zeros(1000, int)) == pytest.approx(0.05, rel=0.01)


def test_calibration_error_by_hand() -> None:
    # Intervals of a half: (0, 0.5] holds the first two, (0.5, 1] the others.
    probabilities = np.array(
        [[0.4, 0.3, 0.3], [0.5, 0.25, 0.25], [0.6, 0.2, 0.2], [0.0, 1.0, 0.0], [0.1, 0.1, 0.8]]
    )
    truth = np.array([0, 1, 0, 0, 2])
    low = abs(1 / 2 - 0.45) * 2 / 5
    high = abs(2 / 3 - 0.8) * 3 / 5
    error = expected_calibration_error(probabilities, truth, bins=2)
    assert error == pytest.approx(low + high)


def test_opposite_errors_in_one_interval_cancel_and_in_two_do_not() -> None:
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1]])
    truth = np.array([0, 1])
    assert expected_calibration_error(probabilities, truth, bins=1) == pytest.approx(0.25)
    assert expected_calibration_error(probabilities, truth, bins=10) == pytest.approx(0.65)


@pytest.mark.parametrize(("truth", "error"), [([0, 0], 0.0), ([1, 1], 1.0)])
def test_calibration_error_of_certainty(truth: list[int], error: float) -> None:
    probabilities = np.array([[1.0, 0.0]] * 2)
    assert expected_calibration_error(probabilities, np.array(truth)) == error


def test_unknown_classes_are_left_out_of_the_error() -> None:
    probabilities = np.array([[1.0, 0.0], [0.7, 0.3]])
    assert expected_calibration_error(probabilities, np.array([0, -1])) == 0
    assert math.isnan(expected_calibration_error(probabilities, np.array([-1, -1])))


def test_rows_below_the_threshold_are_few_of_the_right_ones() -> None:
    right = np.linspace(0.5, 0.99, 100)
    probabilities = np.column_stack([right, 1 - right])
    threshold = unknown_threshold(probabilities, np.zeros(100, int), keep=0.9)
    assert (right >= threshold).sum() in (90, 91)


def test_wrong_and_unknown_rows_do_not_move_the_threshold() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.55, 0.45], [0.51, 0.49]])
    assert unknown_threshold(probabilities, np.array([0, 0, 1, -1])) == 0.8


def test_all_right_rows_may_be_kept() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.55, 0.45]])
    assert unknown_threshold(probabilities, np.zeros(3, int), keep=1.0) == 0.55


@pytest.mark.parametrize("truth", [[], [-1, -1], [1, 1]])
def test_without_a_right_row_nothing_is_unknown(truth: list[int]) -> None:
    probabilities = np.array([[0.9, 0.1]] * len(truth)).reshape(-1, 2)
    assert unknown_threshold(probabilities, np.array(truth, dtype=int)) == 0.0


@given(
    confidence=st.lists(st.floats(0.5, 1), min_size=1, max_size=200),
    keep=st.floats(0, 1),
)
def test_at_least_the_share_is_kept_and_no_more_than_needed(
    confidence: list[float], keep: float
) -> None:
    right = np.array(confidence)
    probabilities = np.column_stack([right, 1 - right])
    threshold = unknown_threshold(probabilities, np.zeros(len(right), int), keep)
    assert (right >= threshold).sum() >= keep * len(right) - 1e-9
    # Two rows that the share does not ask for are never kept, but for equal ones.
    assert (right > threshold).sum() <= keep * len(right) + 1
