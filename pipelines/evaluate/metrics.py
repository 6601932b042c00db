"""Scores of predictions. Confusion counts come first; every other score is made of them."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel

FIXED_RECALL = 0.9


class ClassScore(BaseModel):
    """How one class was told from the others. What cannot be known is 0, as in scikit-learn."""

    precision: float
    recall: float
    f1: float
    support: int
    fpr_at_recall: float | None
    """Share of the other classes' rows above the threshold that finds the fixed recall of this
    class, 1 for a class that the model does not know; None if the class or all others have no
    rows."""


def confusion_counts(truth: np.ndarray, guesses: np.ndarray, classes: int) -> np.ndarray:
    """Rows by true and guessed class, from class numbers: shape (classes, classes)."""
    cells = np.bincount(truth * classes + guesses, minlength=classes * classes)
    return cells.reshape(classes, classes)


def hundredths(scores: np.ndarray) -> np.ndarray:
    """How many scores, shape (rows,), fall into each of a hundred equal bins from 0 to 1."""
    ticks = np.rint(scores * 10_000).astype(np.int64)  # four digits, as EVE lines give them
    return np.bincount(np.minimum(ticks // 100, 99), minlength=100)


def f1_scores(confusion: np.ndarray) -> np.ndarray:
    """F1 of each class from confusion counts of shape (..., true class, predicted class).

    2 TP / (2 TP + FP + FN); NaN for a class that is neither present nor predicted.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    touched = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    return np.asarray(
        np.divide(2 * hits, touched, out=np.full(hits.shape, np.nan), where=touched > 0)
    )


def mean_f1(confusion: np.ndarray) -> np.ndarray:
    """Macro-F1 from confusion counts: the mean over classes that are present or predicted."""
    scores = f1_scores(confusion)
    known = ~np.isnan(scores)
    total = np.where(known, scores, 0).sum(axis=-1)
    return np.asarray(total / np.maximum(known.sum(axis=-1), 1))


def macro_f1(labels: Sequence[str] | np.ndarray, guesses: Sequence[str] | np.ndarray) -> float:
    """Macro-F1 over the classes that are among the labels or the guesses, as scikit-learn's."""
    classes = sorted({*labels, *guesses})
    truth, guessed = places(labels, classes), places(guesses, classes)
    return float(mean_f1(confusion_counts(truth, guessed, len(classes))))


def places(labels: Sequence[str] | np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """The place of each label among ``classes``, shape (rows,). Raises KeyError if it has none.

    Without an array of texts: NumPy gives every text of one the room of the longest.
    """
    number = {name: place for place, name in enumerate(classes)}
    return np.fromiter((number[label] for label in labels), np.int64, len(labels))


def class_scores(
    confusion: np.ndarray, classes: Sequence[str], fpr: dict[str, float | None]
) -> dict[str, ClassScore]:
    """Scores of each class from confusion counts of shape (true, predicted)."""
    hits, support, guessed = np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    f1 = np.nan_to_num(f1_scores(confusion))
    return {
        name: ClassScore(
            precision=float(hits[i] / max(guessed[i], 1)),
            recall=float(hits[i] / max(support[i], 1)),
            f1=float(f1[i]),
            support=int(support[i]),
            fpr_at_recall=fpr.get(name),
        )
        for i, name in enumerate(classes)
    }


def fpr_at_recall(
    is_class: np.ndarray, scores: np.ndarray, recall: float = FIXED_RECALL
) -> float | None:
    """The lowest false-positive rate at which at least ``recall`` of a class is found.

    ``is_class`` is bool (rows,), ``scores`` the class's probability (rows,); one class against the
    rest. None if one side has no rows.
    """
    if is_class.all() or not is_class.any():
        return None
    from sklearn.metrics import roc_curve  # the audit counts without it, and starts sooner

    # Every threshold: by default those inside a straight stretch are left out.
    false_positive_rate, found, _ = roc_curve(is_class, scores, drop_intermediate=False)
    return float(false_positive_rate[np.argmax(found >= recall)])
