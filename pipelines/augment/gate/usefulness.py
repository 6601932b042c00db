"""Usefulness: how well synthetic rows stand in for real ones in training and in testing."""

import numpy as np

from pipelines.augment.gate.check import Check, unjudged
from pipelines.augment.gate.models import fitted, forest, out_of_fold
from pipelines.augment.gate.pair import Pair, matched
from pipelines.evaluate.metrics import confusion_counts, mean_f1, places

FEWEST_ROWS = 5
RESAMPLES = 200
ERRORS = 2.0
WORTH = 0.9  # of the score with real rows
NAMES = ("train_on_synthetic", "test_on_synthetic")


def usefulness(pair: Pair) -> list[Check]:
    """Macro-F1 of a forest trained on synthetic rows and tested on real ones, and the other way
    round, each as a multiple of that with real rows for both (out of fold).

    The bar is WORTH less ERRORS standard errors of the ratio (resampled test rows). Over classes of
    FEWEST_ROWS rows on both sides; rows to test on have the real mix of classes. Copies of
    real rows make the first look better than it is.
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
    random = pair.random()
    from_made = fitted(forest, *made, pair.seed).predict(real[0])
    from_real = out_of_fold(forest, *real, pair.seed)
    _, asked = matched(real[1], made[1], len(made[1]), random)
    on_made = fitted(forest, *real, pair.seed).predict(made[0][asked])
    base = _Scored(real[1], from_real, shared)
    alike = [random.integers(len(real[1]), size=len(real[1])) for _ in range(RESAMPLES)]
    other = [random.integers(len(asked), size=len(asked)) for _ in range(RESAMPLES)]
    trained = _Scored(real[1], from_made, shared)
    tested = _Scored(made[1][asked], on_made, shared)
    return [
        # the same real rows are drawn for both scores, so that only the difference varies
        _check(NAMES[0], trained, alike, base, alike, "teach as well as real rows"),
        _check(NAMES[1], tested, other, base, alike, "test as well as real rows"),
    ]


class _Scored:
    """Macro-F1 of guesses, on all rows or on resampled ones."""

    def __init__(self, truth: np.ndarray, guesses: np.ndarray, classes: list[str]) -> None:
        self.truth, self.guesses = places(truth, classes), places(guesses, classes)
        self.classes = len(classes)

    def macro_f1(self, rows: np.ndarray | slice = slice(None)) -> float:
        counts = confusion_counts(self.truth[rows], self.guesses[rows], self.classes)
        return float(mean_f1(counts))


def _check(
    name: str,
    tried: _Scored,
    tried_rows: list[np.ndarray],
    base: _Scored,
    base_rows: list[np.ndarray],
    good: str,
) -> Check:
    value = tried.macro_f1() / max(base.macro_f1(), 1e-9)
    ratios = [
        tried.macro_f1(one) / max(base.macro_f1(other), 1e-9)
        for one, other in zip(tried_rows, base_rows, strict=True)
    ]
    bar = WORTH - ERRORS * float(np.std(ratios))
    found = f"macro-F1 {tried.macro_f1():.2f} instead of {base.macro_f1():.2f}"
    words = f"rows {good}" if value >= bar else f"rows do not {good} ({found})"
    return Check(name=name, value=value, bar=bar, passed=value >= bar, words=words)
