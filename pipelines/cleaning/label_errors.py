"""Likely label errors, by confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021).

Several models of the ladder give every row class probabilities from folds that it was not in;
their mean judges. A row is off the diagonal of the confident joint if the models are surer of
another class than they are on average of that class's own rows. Rare classes that errors flood have
low averages, so the other class must be more probable than the label too. All rows are ranked by
the probability of their label, the least first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from pipelines.cleaning.duplicates import feature_codes
from pipelines.cleaning.kinds import FilterParams, Finding, Flags, Kind, Pool, yes
from pipelines.cleaning.near_duplicates import linked
from pipelines.datasets.groups import group_rows
from pipelines.datasets.keys import Codes, text_codes
from pipelines.models.base import stratified_folds
from pipelines.models.fitting import fit_rows
from pipelines.progress import Progress, silent

ModelName = Literal["random_forest", "hist_gradient_boosting", "logistic_regression", "knn"]
MODELS: tuple[ModelName, ...] = ("random_forest", "hist_gradient_boosting", "knn")
FOLDS = 5

Probabilities = npt.NDArray[np.float64]


class LabelErrors(FilterParams):
    """Who judges the labels, and how sure they must be."""

    models: list[ModelName] = Field(default_factory=lambda: list(MODELS), min_length=1)
    folds: int = Field(default=FOLDS, ge=2, le=20)
    only_confident: bool = Field(
        default=True,
        description="Rows off the diagonal of the confident joint; else every row that the models "
        "take for another class, which finds more of the errors and more rows that are right",
    )


@dataclass(frozen=True)
class Suspects:
    """What the models make of every label; all of shape (rows,).

    ``confident``: rows off the diagonal of the confident joint. ``instead``: the most probable
    class. ``confidence``: the mean probability of the row's own label.
    """

    confident: Flags
    instead: Codes
    confidence: Probabilities

    def ranking(self) -> Codes:
        """All rows, the likeliest error first."""
        return np.argsort(self.confidence, kind="stable")


def find_label_errors(
    rows: pa.Table,
    groups: Codes,
    masks: Sequence[str],
    *,
    models: Sequence[str] = MODELS,
    folds: int = FOLDS,
    seed: int = 0,
    progress: Progress = silent,
) -> Suspects:
    """Judge every label. ``groups``: codes, shape (rows,), of what no two folds may share."""
    _, labels = text_codes(rows, "label")
    mean = np.mean(
        [out_of_fold(rows, groups, name, masks, folds, seed, progress) for name in models],
        axis=0,
    )
    return judge(mean, labels)


def judge(probabilities: Probabilities, labels: Codes) -> Suspects:
    """The confident joint of out-of-fold probabilities, shape (rows, classes), and labels.

    A class's threshold is the mean probability that its own rows have of it. A row counts for the
    most probable of the classes whose thresholds it reaches, if for any.
    """
    confidence = probabilities[np.arange(len(labels)), labels]
    sizes = np.bincount(labels, minlength=probabilities.shape[1])
    threshold = np.bincount(labels, confidence, probabilities.shape[1]) / np.maximum(sizes, 1)
    reached = np.where(probabilities >= threshold, probabilities, -1.0)
    counted = reached.argmax(axis=1)
    surer = probabilities[np.arange(len(labels)), counted] > confidence
    confident = (reached.max(axis=1) >= 0) & (counted != labels) & surer
    return Suspects(confident, probabilities.argmax(axis=1), confidence)


def out_of_fold(
    rows: pa.Table,
    groups: Codes,
    model: str,
    masks: Sequence[str],
    folds: int,
    seed: int,
    progress: Progress = silent,
) -> Probabilities:
    """Probabilities of shape (rows, classes) from models that saw no row of a row's group.

    A class that a fold's training rows lack has the probability 0 there.
    """
    classes, labels = text_codes(rows, "label")
    fold = group_folds(groups, labels, folds, seed)
    probabilities = np.zeros((rows.num_rows, len(classes)))
    for number in range(folds):
        progress(f"judging labels by {model}", number, folds, "folds")
        test = fold == number
        known = rows.filter(pa.array(~test))
        if not test.any() or len(np.unique(labels[~test])) < 2:
            continue
        judge_model = fit_rows(model, known, masks, seed)
        places = np.searchsorted(classes, judge_model.classes)
        found = judge_model.predict_proba(rows.filter(pa.array(test)))
        probabilities[np.ix_(test, places)] = found
    progress(f"judging labels by {model}", folds, folds, "folds")
    return probabilities


def group_folds(groups: Codes, labels: Codes, folds: int, seed: int) -> Codes:
    """The fold of every row, shape (rows,): groups stay whole, classes are spread evenly.

    A group counts for the class of its first row.
    """
    _, first, of_row = np.unique(groups, return_index=True, return_inverse=True)
    return stratified_folds(labels[first], folds, seed)[of_row]


def _find(pool: Pool, params: LabelErrors) -> Finding:
    classes, labels = text_codes(pool.rows, "label")
    # copies of a row, in whichever group, would vouch for its label
    groups = linked(group_rows(pool.rows, pool.group).of_row, feature_codes(pool.rows))
    found = find_label_errors(
        pool.rows,
        groups,
        pool.masks,
        models=params.models,
        folds=params.folds,
        seed=pool.seed,
        progress=pool.progress,
    )
    hit = found.confident if params.only_confident else found.instead != labels
    details = [
        f"rather {classes[other]} than {classes[own]}"
        for other, own in zip(found.instead[hit], labels[hit], strict=True)
    ]
    precision = float(1 - found.confidence[hit].mean()) if hit.any() else None
    evidence = f"Models take {(found.instead != labels).sum():,} rows for another class."
    return Finding(hit, details, found.confidence[hit], precision, evidence)


def can_be_judged(pool: Pool) -> bool:
    """Whether there are two classes, and rows enough for folds."""
    return len(pool.rows["label"].unique()) > 1 and pool.rows.num_rows >= FOLDS


LABEL_ERRORS = Kind(
    name="label_errors",
    params=LabelErrors,
    find=_find,
    reason="Models that never saw the row are surer of another class than of that class's own "
    "rows. On labels that are right this takes rare rows that a model needs: look before you "
    "filter.",
    proposed=can_be_judged,
    slow=yes,
)
