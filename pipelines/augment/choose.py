"""Arms compared by cross-validation within the labelled rows, for those who have no others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.stats import t as student

from pipelines.augment.explore import arms_of, as_table, outcomes_of
from pipelines.augment.findings import Exploration, ModelFindings
from pipelines.augment.scoring import scores_of_all
from pipelines.augment.settings import REPEATS
from pipelines.augment.trial import Made, Scores, Study, trial_of
from pipelines.augment.verdict import Outcome, Verdict, points, use
from pipelines.evaluate.few_labels import spread
from pipelines.evaluate.intervals import LEVEL
from pipelines.executors import SERIAL, Workers
from pipelines.models.base import class_numbers, folds_of, labels_of, stratified_folds
from pipelines.progress import Progress


@dataclass(frozen=True)
class Trials:
    """What every arm did in each trial of a cross-validation: two cuts into ``folds``."""

    folds: int
    labelled: int
    scores: Sequence[Scores]
    made: Sequence[Mapping[str, Made]]


def choose(
    study: Study, rows: pa.Table, *, seed: int, progress: Progress, workers: Workers = SERIAL
) -> Exploration:
    """Try every arm by repeated cross-validation within the labelled ``rows``.

    A fold held out is a draw: each arm makes its rows from the other folds alone, and the rows held
    out judge. There are no more real rows to compare with, so no rates either. Raises InputError
    if a class has a single row, and what arms and models refuse.
    """
    trials = tried(study, rows, seed=seed, progress=progress, workers=workers)
    return Exploration(
        metric=study.metric,
        within=True,
        draws=len(trials.scores),
        real_rows=round(rows.num_rows * (trials.folds - 1) / trials.folds),
        test_rows=rows.num_rows,
        arms=arms_of(study, trials.made, rows, rows, None, seed),
        models={name: findings_of(name, trials) for name in study.models},
    )


def tried(
    study: Study, rows: pa.Table, *, seed: int, progress: Progress, workers: Workers = SERIAL
) -> Trials:
    """All trials; see ``choose``."""
    _, numbers = class_numbers(labels_of(rows), rows)
    folds = folds_of(numbers)
    trials = []
    every = REPEATS * folds
    for number in range(every):
        progress("making rows", number, every, "folds")
        repeat, held = divmod(number, folds)
        out = stratified_folds(numbers, folds, seed + repeat) == held
        real, judges = rows.filter(pa.array(~out)), rows.filter(pa.array(out))
        trials.append(trial_of(study, real, None, judges, seed + number))
    progress("making rows", every, every, "folds")
    scores = scores_of_all(trials, workers, progress, "folds")
    return Trials(folds, rows.num_rows, scores, [trial.made for trial in trials])


def findings_of(model: str, trials: Trials) -> ModelFindings:
    """What all arms do for one model, and which is worth trying."""
    treatments, table, alone = as_table([one.models[model] for one in trials.scores])
    added = {one: float(np.mean([s.added[one] for s in trials.scores])) for one in treatments}
    gains = table - alone[:, None]
    mean, reach = gains.mean(axis=0), corrected_reach(gains, trials.folds)
    outcomes = outcomes_of(treatments, table, added, (mean, mean - reach, mean + reach), {})
    verdict = verdict_within(outcomes, trials.labelled)
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


def verdict_within(outcomes: Sequence[Outcome], labelled: int) -> Verdict:
    """The arm of the largest gain, if any gains, and how sure that is.

    An interval that holds for all arms hardly ever leaves 0 here, and to wait for it, or for half a
    standard error, costs more than to take what is likeliest (docs/numbers.md).
    """
    best = max(outcomes, key=lambda outcome: outcome.gain)
    what = f"{best.name}, {best.amount:g} rows to each real one"
    if best.gain > 0:
        sure = "" if best.ci[0] > 0 else " It is the likeliest and not sure: the interval holds 0."
        folds = f"in cross-validation of {labelled} labelled rows"
        return use(best, f"Use {what}: {points(best)} {folds}.{sure}")
    words = (
        f"Declined: in cross-validation of {labelled} labelled rows no arm helps. The best, "
        f"{what}, makes {points(best)}."
    )
    return Verdict(kind="undecided", gain=best.gain, ci=best.ci, words=words)
