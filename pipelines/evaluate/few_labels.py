"""The few-label study: what each model makes of a handful of labelled rows, over many draws.

A single draw of 20 rows says little: scores of the same model differ by ten points and more between
draws. So every model meets the same draws, and the spread is part of the result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel
from scipy.stats import t as student

from pipelines.errors import InputError
from pipelines.evaluate.intervals import LEVEL, Interval
from pipelines.evaluate.metrics import macro_f1
from pipelines.models.base import (
    class_numbers,
    folds_of,
    labels_of,
    predict,
    stratified_folds,
)
from pipelines.models.fitting import fit_rows
from pipelines.progress import Progress


class Spread(BaseModel):
    """A score over the draws. ``ci`` is Student's interval of the mean, within 0 and 1."""

    mean: float
    std: float
    min: float
    max: float
    ci: Interval


class FewLabelScore(BaseModel):
    """One model over all draws.

    ``out_of_fold_macro_f1`` is the mean over draws of its score within the drawn rows, by
    cross-validation; the test side plays no part in it.
    """

    accuracy: Spread
    macro_f1: Spread
    out_of_fold_macro_f1: float
    absent: Spread | None = None
    """The accuracy on test rows of absent families alone, where there are any."""


class FewLabelStudy(BaseModel):
    """All models over the same draws. ``best`` was chosen by the out-of-fold score.

    ``absent_rows``: how many of the ``test_rows`` are of families that no draw holds.
    """

    draws: int
    rows_per_draw: int
    test_rows: int
    absent_rows: int = 0
    models: dict[str, FewLabelScore]
    best: str


def study_few_labels(
    names: Sequence[str],
    rows: pa.Table,
    draws: Sequence[np.ndarray],
    test_rows: pa.Table,
    *,
    masks: Sequence[str],
    seed: int,
    progress: Progress,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    absent: np.ndarray | None = None,
) -> FewLabelStudy:
    """Fit every model on every draw (row numbers of ``rows``) and test it on ``test_rows``.

    ``settings`` maps a model's name to its settings. Draw ``i`` is fitted with seed ``seed + i``.
    ``absent``: which test rows are of families that ``rows`` lack, shape (test_rows,).

    Raises InputError without draws or models, for a draw with fewer than two rows of a class, and
    for whatever ``new_model`` and ``fit`` refuse.
    """
    if not names or not draws or test_rows.num_rows == 0:
        raise InputError("A few-label study needs models, draws and test rows.")
    configured = settings or {}
    unseen = np.zeros(test_rows.num_rows, dtype=bool) if absent is None else absent
    results: dict[str, list[_Result]] = {name: [] for name in names}
    for number, draw in enumerate(draws):
        drawn = rows.take(pa.array(draw))
        for name in names:
            progress("few-label draws", number, len(draws), "draws")
            trial = _Trial(name, configured.get(name), masks, seed + number)
            results[name].append(trial.run(drawn, test_rows, unseen))
    progress("few-label draws", len(draws), len(draws), "draws")
    models = {name: _summary(found) for name, found in results.items()}
    return FewLabelStudy(
        draws=len(draws),
        rows_per_draw=len(draws[0]),
        test_rows=test_rows.num_rows,
        absent_rows=int(unseen.sum()),
        models=models,
        best=max(names, key=lambda name: models[name].out_of_fold_macro_f1),
    )


def spread(values: Sequence[float]) -> Spread:
    """Mean, sample deviation, extremes and the mean's interval; [0, 1] for a single draw."""
    scores = np.asarray(values)
    mean = float(scores.mean())
    if len(scores) == 1:
        return Spread(mean=mean, std=0.0, min=mean, max=mean, ci=(0.0, 1.0))
    std = float(scores.std(ddof=1))
    reach = float(student.ppf((1 + LEVEL) / 2, len(scores) - 1)) * std / len(scores) ** 0.5
    return Spread(
        mean=mean,
        std=std,
        min=float(scores.min()),
        max=float(scores.max()),
        ci=(max(0.0, mean - reach), min(1.0, mean + reach)),
    )


@dataclass(frozen=True)
class _Result:
    accuracy: float
    macro_f1: float
    out_of_fold_macro_f1: float
    absent: float | None


@dataclass(frozen=True)
class _Trial:
    """One model on one draw."""

    name: str
    settings: Mapping[str, Any] | None
    masks: Sequence[str]
    seed: int

    def run(self, drawn: pa.Table, test_rows: pa.Table, absent: np.ndarray) -> _Result:
        labels, guesses = labels_of(test_rows), self._guesses(drawn, test_rows)
        right = np.array(labels, object) == guesses
        return _Result(
            accuracy=float(right.mean()),
            macro_f1=macro_f1(labels, guesses),
            out_of_fold_macro_f1=self._out_of_fold(drawn),
            absent=float(right[absent].mean()) if absent.any() else None,
        )

    def _guesses(self, rows: pa.Table, unseen: pa.Table) -> np.ndarray:
        return predict(fit_rows(self.name, rows, self.masks, self.seed, self.settings), unseen)

    def _out_of_fold(self, drawn: pa.Table) -> float:
        labels = labels_of(drawn)
        _, numbers = class_numbers(labels, drawn)
        fold = stratified_folds(numbers, folds_of(numbers), self.seed)
        guesses = np.empty(len(labels), object)
        for held in range(fold.max() + 1):
            out = pa.array(fold == held)
            guesses[fold == held] = self._guesses(drawn.filter(pc.invert(out)), drawn.filter(out))
        return macro_f1(labels, guesses)


def _summary(results: Sequence[_Result]) -> FewLabelScore:
    absent = [result.absent for result in results if result.absent is not None]
    return FewLabelScore(
        accuracy=spread([result.accuracy for result in results]),
        macro_f1=spread([result.macro_f1 for result in results]),
        out_of_fold_macro_f1=float(np.mean([r.out_of_fold_macro_f1 for r in results])),
        absent=spread(absent) if absent else None,
    )
