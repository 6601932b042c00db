"""One verdict a capture, from the verdicts on its flows."""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel

from pipelines.errors import InputError
from pipelines.evaluate.intervals import REPLICATES, Interval, percentile_interval


class CaptureScore(BaseModel):
    """How many captures were judged right. ``verdicts`` are the class given to each capture."""

    captures: int
    right: float
    ci: Interval
    verdicts: dict[str, str]


def capture_probabilities(
    probabilities: np.ndarray, captures: Sequence[str]
) -> tuple[list[str], np.ndarray]:
    """The captures in alphabetical order, and the mean probability of each class over their rows.

    ``probabilities`` has shape (rows, classes), ``captures`` names the capture of each row. The
    mean, unlike the product, is not decided by one row that a model is wrongly sure of (J. Kittler
    et al., On Combining Classifiers, 1998).
    """
    names, number = np.unique(np.asarray(captures, dtype=object), return_inverse=True)
    sums = np.zeros((len(names), probabilities.shape[1]))
    np.add.at(sums, number, probabilities)
    return names.tolist(), sums / np.bincount(number)[:, None]


def capture_verdicts(
    probabilities: np.ndarray, captures: Sequence[str], classes: Sequence[str]
) -> dict[str, str]:
    """The class of each capture: the one of the highest mean probability over its rows."""
    names, means = capture_probabilities(probabilities, captures)
    return {name: classes[best] for name, best in zip(names, means.argmax(axis=1), strict=True)}


def score_captures(truth: dict[str, str], verdicts: dict[str, str], seed: int) -> CaptureScore:
    """The share of right verdicts, with an interval over captures (bootstrap, 1000 resamples).

    ``truth`` and ``verdicts`` give the class of each capture. Raises InputError if they are not
    about the same captures, or about none.
    """
    if not truth or truth.keys() != verdicts.keys():
        raise InputError("Verdicts and classes are not about the same captures.")
    right = np.array([truth[name] == verdicts[name] for name in sorted(truth)], float)
    drawn = np.random.default_rng(seed).integers(0, len(right), (REPLICATES, len(right)))
    interval = percentile_interval(right[drawn].mean(axis=1), bounds=(0.0, 1.0))
    if len(right) == 1:  # a single capture says nothing of others
        interval = (0.0, 1.0)
    return CaptureScore(
        captures=len(right), right=float(right.mean()), ci=interval, verdicts=verdicts
    )


def captures_words(scores: Mapping[str, CaptureScore]) -> str:
    """How many whole captures each model judged right, in one sentence."""
    said = [
        f"{name} {round(score.right * score.captures)} of {score.captures} "
        f"({score.right:.3f}, 95 % interval {score.ci[0]:.3f} to {score.ci[1]:.3f})"
        for name, score in scores.items()
    ]
    return f"Whole captures judged right, by the mean over their rows: {', '.join(said)}."
