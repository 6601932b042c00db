"""Arms compared by cross-validation within the labelled rows, for those who have no others."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
from scipy.stats import t as student

from pipelines.augment.explore import (
    Exploration,
    ModelFindings,
    arms_of,
    as_table,
    outcomes_of,
)
from pipelines.augment.settings import REPEATS
from pipelines.augment.trial import Study, Treatment, made_rows, scores_of, training_rows
from pipelines.augment.verdict import Outcome, Verdict, points, use
from pipelines.evaluate.few_labels import spread
from pipelines.evaluate.intervals import LEVEL
from pipelines.models.base import class_numbers, folds_of, labels_of, stratified_folds
from pipelines.progress import Progress


def choose(study: Study, rows: pa.Table, *, seed: int, progress: Progress) -> Exploration:
    """Try every arm by repeated cross-validation within the labelled ``rows``.

    A fold held out is a draw: each arm makes its rows from the other folds alone, and the rows held
    out judge. There are no more real rows to compare with, so no rates either. Raises InputError
    if a class has a single row, and what arms and models refuse.
    """
    _, numbers = class_numbers(labels_of(rows), rows)
    folds = folds_of(numbers)
    trials = REPEATS * folds
    scores, made = [], []
    for trial in range(trials):
        repeat, held = divmod(trial, folds)
        out = stratified_folds(numbers, folds, seed + repeat) == held
        real, judges = rows.filter(pa.array(~out)), rows.filter(pa.array(out))
        made.append(made_rows(study, real, seed + trial))
        treated = training_rows(study, real, made[-1], None, seed + trial)
        told = partial(progress, "folds", trial, trials, "folds")
        scores.append(scores_of(study, treated, judges, seed + trial, told))
    progress("folds", trials, trials, "folds")
    added = {one: float(np.mean([s.added[one] for s in scores])) for one in scores[0].added}
    return Exploration(
        metric=study.metric,
        within=True,
        draws=trials,
        real_rows=round(rows.num_rows * (folds - 1) / folds),
        test_rows=rows.num_rows,
        arms=arms_of(study, made, rows, rows, None, seed),
        models={
            name: _findings([s.models[name] for s in scores], added, rows.num_rows, folds)
            for name in study.models
        },
    )


def _findings(
    scores: Sequence[Mapping[Treatment, float]],
    added: Mapping[Treatment, float],
    labelled: int,
    folds: int,
) -> ModelFindings:
    treatments, table, alone = as_table(scores)
    gains = table - alone[:, None]
    mean, reach = gains.mean(axis=0), corrected_reach(gains, folds)
    outcomes = outcomes_of(treatments, table, added, (mean, mean - reach, mean + reach), {})
    verdict = _verdict(outcomes, labelled)
    return ModelFindings(alone=spread(alone.tolist()), outcomes=outcomes, verdict=verdict)


def corrected_reach(gains: np.ndarray, folds: int) -> np.ndarray:
    """Half the width of each treatment's interval, for gains of shape (trials, treatments).

    Folds learn from the same rows, so plain intervals are too narrow: the variance is corrected
    (C. Nadeau and Y. Bengio, Inference for the Generalization Error, 2003), and the level shared
    out among the treatments.
    """
    trials, treatments = gains.shape
    variance = gains.var(axis=0, ddof=1) * (1 / trials + 1 / (folds - 1))
    level = 1 - (1 - LEVEL) / treatments
    return np.asarray(student.ppf((1 + level) / 2, trials - 1) * np.sqrt(variance))


def _verdict(outcomes: Sequence[Outcome], labelled: int) -> Verdict:
    """The surest arm if its gain is above 0 by its interval; else it declines rather than errs."""
    best = max(outcomes, key=lambda outcome: outcome.ci[0])
    what = f"{best.name}, {best.amount:g} rows to each real one"
    if best.ci[0] > 0:
        words = f"Use {what}: {points(best)} in cross-validation of {labelled} labelled rows."
        return use(best, words)
    words = (
        f"Declined: {labelled} labelled rows do not tell that any arm helps. The surest, {what}, "
        f"makes {points(best)} in cross-validation."
    )
    return Verdict(kind="undecided", gain=best.gain, ci=best.ci, words=words)
