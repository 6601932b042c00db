"""An arm chosen from the labelled rows alone, where there is no test side to look at; or none."""

from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
from pydantic import BaseModel
from scipy.stats import t as student

from pipelines.augment.trial import ALONE, Study, score_cells, training_rows
from pipelines.evaluate.intervals import LEVEL, Interval
from pipelines.models.base import class_numbers, folds_of, labels_of, stratified_folds
from pipelines.progress import Progress

REPEATS = 4


class Choice(BaseModel):
    """``arm`` and ``amount`` are None where it declines; ``gain`` is the best arm's."""

    model: str
    arm: str | None
    amount: float | None
    gain: float
    ci: Interval
    words: str


def choose(study: Study, rows: pa.Table, model: str, *, seed: int, progress: Progress) -> Choice:
    """Try every arm by repeated cross-validation within the labelled ``rows``.

    Each arm makes its rows from the training folds alone. Folds overlap, so plain intervals are too
    narrow: the variance is corrected (C. Nadeau and Y. Bengio, Inference for the Generalization
    Error, 2003) and the level divided by the number of arms and amounts. It declines unless the
    best gain is above 0 even so: of 20 rows little can be learned about anything. Raises InputError
    if a class has a single row.
    """
    _, numbers = class_numbers(labels_of(rows), rows)
    folds = folds_of(numbers)
    scores = []
    for trial in range(REPEATS * folds):
        repeat, held = divmod(trial, folds)
        out = stratified_folds(numbers, folds, seed + repeat) == held
        cells = training_rows(study, rows.filter(pa.array(~out)), None, seed + trial)
        found = score_cells(
            replace(study, models=[model]),
            cells,
            rows.filter(pa.array(out)),
            seed + trial,
            partial(progress, "folds", trial, REPEATS * folds, "folds"),
        )
        scores.append(found.models[model])
    progress("folds", REPEATS * folds, REPEATS * folds, "folds")
    names = [cell for cell in scores[0] if cell != ALONE]
    gains = np.array([[one[cell] - one[ALONE] for cell in names] for one in scores])
    reach = _reach(gains, folds)
    best = int((gains.mean(axis=0) - reach).argmax())
    gain, side = float(gains.mean(axis=0)[best]), float(reach[best])
    return _choice(model, names[best], gain, (gain - side, gain + side))


def _reach(gains: np.ndarray, folds: int) -> np.ndarray:
    """Half the width of each cell's interval, for gains of shape (trials, cells)."""
    trials, cells = gains.shape
    variance = gains.var(axis=0, ddof=1) * (1 / trials + 1 / (folds - 1))
    level = 1 - (1 - LEVEL) / cells
    return np.asarray(student.ppf((1 + level) / 2, trials - 1) * np.sqrt(variance))


def _choice(model: str, cell: tuple[str, float], gain: float, ci: Interval) -> Choice:
    arm, amount = cell
    span = f"{100 * gain:+.1f} points [{100 * ci[0]:+.1f}, {100 * ci[1]:+.1f}] in cross-validation"
    if ci[0] > 0:
        words = f"{arm}, {amount:g} rows to each real one: {span}."
        return Choice(model=model, arm=arm, amount=amount, gain=gain, ci=ci, words=words)
    words = (
        f"No choice: these rows do not tell that any arm helps. The best, {arm} at {amount:g} to "
        f"one, makes {span}."
    )
    return Choice(model=model, arm=None, amount=None, gain=gain, ci=ci, words=words)
