"""Usefulness: how well synthetic rows stand in for real ones in training and in testing."""

from collections.abc import Sequence

import numpy as np

from pipelines.augment.gate.check import Check, at_least, unjudged
from pipelines.augment.gate.models import fitted, forest, out_of_fold
from pipelines.augment.gate.pair import Pair, matched
from pipelines.evaluate.intervals import group_confusions, resampled_macro_f1
from pipelines.evaluate.metrics import macro_f1, places

FEWEST_ROWS = 5
RESAMPLES = 200
ERRORS = 2.0
WORTH = 0.9  # of the score with real rows
LEAST = 1e-9  # of a score, as a divisor
NAMES = ("train_on_synthetic", "test_on_synthetic")


def usefulness(pair: Pair) -> list[Check]:
    """Macro-F1 of a forest trained on synthetic rows and tested on real ones, and the other way
    round, each as a multiple of that with real rows for both (out of fold).

    The bar is WORTH less ERRORS standard errors of the ratio (test rows resampled within classes).
    Over classes of FEWEST_ROWS rows on both sides; of each as many synthetic rows are tested on as
    there are real ones, or all. Copies of real rows make the first look better than it is.
    """
    shared = pair.classes(FEWEST_ROWS)
    if len(shared) < 2:
        why = f"usefulness: fewer than two classes with {FEWEST_ROWS} rows on both sides"
        return [unjudged(name, why) for name in NAMES]
    real, made = (
        (side.points[known], side.labels[known])
        for side in (pair.real, pair.synthetic)
        for known in [np.isin(side.labels, shared)]
    )
    from_made = fitted(forest, *made, pair.seed).predict(real[0])
    from_real = out_of_fold(forest, *real, pair.seed)
    _, asked = matched(real[1], made[1], len(made[1]), pair.random())
    claimed = made[1][asked]
    on_made = fitted(forest, *real, pair.seed).predict(made[0][asked])
    # the same real rows are drawn for both scores, so that only the difference varies
    base, trained = _resampled(real[1], [from_real, from_made], shared, pair.seed)
    (tested,) = _resampled(claimed, [on_made], shared, pair.seed + 1)
    usual = macro_f1(real[1], from_real)
    return [
        _check(NAMES[0], "teach", macro_f1(real[1], from_made), usual, trained, base),
        _check(NAMES[1], "test", macro_f1(claimed, on_made), usual, tested, base),
    ]


def _resampled(
    truth: np.ndarray, guesses: Sequence[np.ndarray], classes: Sequence[str], seed: int
) -> np.ndarray:
    """Macro-F1 of each of several guesses on the same resampled rows: shape (guesses, RESAMPLES)"""
    rows, numbers = np.arange(len(truth)), places(truth, classes)
    counts = [
        group_confusions(rows, numbers, places(guess, classes), len(classes)) for guess in guesses
    ]
    return resampled_macro_f1(counts, len(classes), seed, RESAMPLES)


def _check(
    name: str, verb: str, score: float, usual: float, scores: np.ndarray, usuals: np.ndarray
) -> Check:
    """``scores``, ``usuals``: the same on resampled rows, shape (RESAMPLES,)."""
    value = score / max(usual, LEAST)
    bar = WORTH - ERRORS * float(np.std(scores / np.maximum(usuals, LEAST)))
    words = f"rows {verb} as well as real rows"
    if value < bar:
        words = f"rows do not {verb} as well as real rows"
        words += f" (macro-F1 {score:.2f} instead of {usual:.2f})"
    return at_least(name, value, bar, words)
