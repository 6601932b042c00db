"""One draw of real rows with the rows of every arm, and what models make of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.augment.cells import alternating
from pipelines.augment.names import AMOUNTS, REAL
from pipelines.augment.verdict import WORTH
from pipelines.errors import InputError
from pipelines.evaluate.metrics import macro_f1
from pipelines.models.base import labels_of, predict
from pipelines.models.fitting import fit_rows

SCREENED = "screened"
METRICS = ("accuracy", "macro_f1")

# (real rows, rows wanted of each class, seed) -> rows in the same schema, classes in alternation
Arm = Callable[[pa.Table, Mapping[str, int], int], pa.Table]
# (real rows, made rows, seed) -> which made rows are good enough, shape (made,)
Screen = Callable[[pa.Table, pa.Table, int], np.ndarray]


@dataclass(frozen=True)
class Study:
    """What is compared by what. ``amounts`` are made rows to each real one.

    With a ``screen`` each arm is also tried without the rows that it sorts out. A gain below
    ``worth`` is none.
    """

    arms: Mapping[str, Arm]
    models: Sequence[str]
    masks: Sequence[str]
    amounts: Sequence[float] = AMOUNTS
    screen: Screen | None = None
    metric: str = "macro_f1"
    worth: float = WORTH


# An arm and an amount; the real rows alone are ("", 0).
Cell = tuple[str, float]
ALONE: Cell = ("", 0.0)


@dataclass(frozen=True)
class Scores:
    """Of one draw: rows added in each cell, and the score of each model in each cell."""

    rows: dict[Cell, int]
    models: dict[str, dict[Cell, float]]


def training_rows(
    study: Study, real: pa.Table, rest: pa.Table | None, seed: int
) -> dict[Cell, pa.Table]:
    """The training rows of each cell of one draw. Each amount holds all rows of the smaller ones.

    ``rest``: real rows that could have been drawn too; None for no arm of more real rows. Raises
    InputError for an unknown metric, and what arms refuse.
    """
    if study.metric not in METRICS:
        raise InputError(f"There is no metric {study.metric!r} here.", f"{' or '.join(METRICS)}.")
    labels, counts = np.unique(np.array(labels_of(real), object), return_counts=True)
    most = max(study.amounts)
    wanted = {str(name): round(most * int(n)) for name, n in zip(labels, counts, strict=True)}
    made = {name: arm(real, wanted, seed) for name, arm in study.arms.items()}
    if rest is not None:
        made[REAL] = more_real(rest, wanted, seed)
    kept = {name: np.ones(found.num_rows, bool) for name, found in made.items()}
    if study.screen is not None:
        for name in study.arms:
            kept[f"{name}, {SCREENED}"] = study.screen(real, made[name], seed)
            made[f"{name}, {SCREENED}"] = made[name]
    cells = {ALONE: real}
    for name, found in made.items():
        for amount in study.amounts:
            first = round(amount * real.num_rows)
            added = found.slice(0, first).filter(pa.array(kept[name][:first]))
            cells[name, amount] = pa.concat_tables([real, added.cast(real.schema)])
    return cells


def more_real(rest: pa.Table, wanted: Mapping[str, int], seed: int) -> pa.Table:
    """Rows that were not drawn, as many of each class as wanted, or as there are."""
    labels = np.array(labels_of(rest), object)
    random = np.random.default_rng([seed, len(labels)])
    picks = [
        random.permutation(np.flatnonzero(labels == name))[:count]
        for name, count in sorted(wanted.items())
    ]
    order = alternating([len(pick) for pick in picks])
    return rest.take(pa.array(np.concatenate(picks))).take(order)


def score_cells(
    study: Study,
    cells: Mapping[Cell, pa.Table],
    test_rows: pa.Table,
    seed: int,
    told: Callable[[], None],
) -> Scores:
    """The score of every model in every cell, on ``test_rows``; ``told`` hears of each fit."""
    truth = labels_of(test_rows)
    models: dict[str, dict[Cell, float]] = {}
    for name in study.models:
        models[name] = {}
        for cell, rows in cells.items():
            told()
            model = fit_rows(name, rows, study.masks, seed)
            models[name][cell] = _score(study.metric, truth, predict(model, test_rows))
    real = cells[ALONE].num_rows
    return Scores({cell: rows.num_rows - real for cell, rows in cells.items()}, models)


def _score(metric: str, truth: Sequence[str], guesses: np.ndarray) -> float:
    if metric == "macro_f1":
        return macro_f1(truth, guesses)
    return float(np.mean(np.array(truth, object) == guesses))
