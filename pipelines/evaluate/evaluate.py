"""Every model on the identical test side: scores, intervals, and what the best baseline leaves."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from pipelines.errors import InputError
from pipelines.evaluate.captures import CaptureScore, capture_verdicts, score_captures
from pipelines.evaluate.intervals import (
    Interval,
    group_confusions,
    percentile_interval,
    resampled_macro_f1,
)
from pipelines.evaluate.metrics import (
    ClassScore,
    class_scores,
    confusion_counts,
    fpr_at_recall,
    hundredths,
    mean_f1,
    places,
)
from pipelines.models.base import Classifier
from pipelines.models.registry import BASELINES
from pipelines.progress import Progress


class Difference(BaseModel):
    """Macro-F1 above that of the best baseline, with the interval over identical resamples."""

    model: str
    delta: float
    ci: Interval


class ModelScore(BaseModel):
    """One model on the test side. ``confusion`` counts rows by true (row) and guessed class."""

    macro_f1: float
    ci: Interval
    accuracy: float
    per_class: dict[str, ClassScore]
    confusion: list[list[int]]
    confidence: list[int] = []
    """Rows by the score of the guessed class: a hundred equal bins from 0 to 1."""
    difference: Difference | None
    """None for the best baseline itself, and where no baseline was tested."""
    captures: CaptureScore | None = None
    """Verdicts on whole captures, where the split is one of captures with one class each."""


class Evaluation(BaseModel):
    """All models on one test side.

    ``classes`` are those among the test labels or any model's classes, in the order of every
    confusion matrix; macro-F1 averages over those that are present or guessed. ``best`` and
    ``best_baseline`` were chosen by validation, not by these scores. ``rows_per_second`` is wall
    clock: leave it out of artefacts (``artifact`` does).
    """

    rows: int
    groups: int
    classes: list[str]
    models: dict[str, ModelScore]
    best: str
    best_baseline: str | None
    rows_per_second: dict[str, float]

    def artifact(self) -> str:
        """JSON without clock readings: the same models and rows give the same text."""
        return self.model_dump_json(exclude={"rows_per_second"})


def evaluate_models(
    models: Mapping[str, Classifier],
    test_rows: pa.Table,
    labels: Sequence[str],
    groups: Sequence[object],
    *,
    validation_scores: Mapping[str, float],
    seed: int,
    progress: Progress,
    captures: Sequence[str] | None = None,
) -> Evaluation:
    """Score fitted models on the test side: ``labels`` and split ``groups`` have a value a row, and
    so have ``captures``, if whole captures are to be judged too.

    The best model and the best baseline are those of the highest ``validation_scores`` (name ->
    validation macro-F1); of equals the one given first. With a single group nothing is
    known about other groups, and every interval says so: [0, 1], and [-1, 1] for differences.

    Raises InputError for an empty test side, or if lengths or names do not match.
    """
    _check(models, test_rows, labels, groups, validation_scores)
    classes = sorted({*labels, *(name for model in models.values() for name in model.classes)})
    truth = places(labels, classes)
    readings = []
    for done, model in enumerate(models.values()):
        progress("testing models", done, len(models), "models")
        readings.append(_read(model, test_rows, truth, classes))
    progress("testing models", len(models), len(models), "models")

    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    counts = [group_confusions(group, truth, reading.guesses, len(classes)) for reading in readings]
    resampled = dict(zip(models, resampled_macro_f1(counts, len(classes), seed), strict=True))
    ladder = [name for name, model in models.items() if model.name in BASELINES]
    best_baseline = max(ladder, key=validation_scores.__getitem__, default=None)
    scores = {
        name: _score(reading, truth, classes, resampled[name])
        for name, reading in zip(models, readings, strict=True)
    }
    if truths := _classes_of_captures(captures, labels):
        for name, reading in zip(models, readings, strict=True):
            verdicts = capture_verdicts(reading.scores, captures or (), classes)
            score = score_captures(truths, verdicts, seed)
            scores[name] = scores[name].model_copy(update={"captures": score})
    if best_baseline is not None:
        scores = _with_differences(scores, best_baseline, resampled)
    return Evaluation(
        rows=test_rows.num_rows,
        groups=counts[0].shape[0],
        classes=classes,
        models=scores,
        best=max(models, key=validation_scores.__getitem__),
        best_baseline=best_baseline,
        rows_per_second={
            name: reading.rows_per_second for name, reading in zip(models, readings, strict=True)
        },
    )


@dataclass(frozen=True)
class _Reading:
    """What is kept of a model: guesses (rows,), scores (rows, classes), rates by class, speed."""

    guesses: np.ndarray
    scores: np.ndarray
    false_positives: dict[str, float | None]
    rows_per_second: float


def _read(model: Classifier, rows: pa.Table, truth: np.ndarray, classes: Sequence[str]) -> _Reading:
    start = time.perf_counter()
    probabilities = model.predict_proba(rows)
    seconds = time.perf_counter() - start
    positions = places(model.classes, classes)
    scores = np.zeros((len(truth), len(classes)))  # a class that the model does not know has none
    scores[:, positions] = probabilities
    return _Reading(
        guesses=positions[probabilities.argmax(axis=1)],
        scores=scores,
        false_positives={
            name: fpr_at_recall(truth == position, scores[:, position])
            for position, name in enumerate(classes)
        },
        rows_per_second=rows.num_rows / max(seconds, 1e-9),
    )


def _classes_of_captures(
    captures: Sequence[str] | None, labels: Sequence[str]
) -> dict[str, str] | None:
    """The class of each capture; None if one has several, so that no verdict on it is right."""
    pairs = set(zip(captures or (), labels, strict=False))
    found = dict(pairs)
    return found if len(found) == len(pairs) else None


def _score(
    reading: _Reading, truth: np.ndarray, classes: Sequence[str], resampled: np.ndarray
) -> ModelScore:
    confusion = confusion_counts(truth, reading.guesses, len(classes))
    return ModelScore(
        macro_f1=float(mean_f1(confusion)),
        ci=percentile_interval(resampled, bounds=(0.0, 1.0)),
        accuracy=float(np.trace(confusion) / confusion.sum()),
        per_class=class_scores(confusion, classes, reading.false_positives),
        confusion=confusion.tolist(),
        confidence=hundredths(reading.scores.max(axis=1)).tolist(),
        difference=None,
    )


def _with_differences(
    scores: dict[str, ModelScore], baseline: str, resampled: dict[str, np.ndarray]
) -> dict[str, ModelScore]:
    def against(name: str) -> Difference:
        return Difference(
            model=baseline,
            delta=scores[name].macro_f1 - scores[baseline].macro_f1,
            ci=percentile_interval(resampled[name] - resampled[baseline], bounds=(-1.0, 1.0)),
        )

    return {
        name: score if name == baseline else score.model_copy(update={"difference": against(name)})
        for name, score in scores.items()
    }


def _check(
    models: Mapping[str, Classifier],
    rows: pa.Table,
    labels: Sequence[str],
    groups: Sequence[object],
    validation_scores: Mapping[str, float],
) -> None:
    if not models:
        raise InputError("There is no model to evaluate.")
    if rows.num_rows == 0:
        raise InputError("The test side has no rows.", "Give it a larger share of the split.")
    if not len(labels) == len(groups) == rows.num_rows:
        raise InputError(
            f"{rows.num_rows} test rows have {len(labels)} labels and {len(groups)} groups."
        )
    if lacking := sorted(set(models) - set(validation_scores)):
        raise InputError(f"There is no validation score for {', '.join(lacking)}.")
