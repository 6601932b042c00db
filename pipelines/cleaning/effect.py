"""What a filter does to a model: its score on the rows that stay, trained with and without."""

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field

from pipelines.cleaning.kinds import Flags, Pool
from pipelines.datasets.groups import group_rows
from pipelines.datasets.keys import Codes, text_codes
from pipelines.evaluate.metrics import macro_f1
from pipelines.models.base import predict, stratified_folds
from pipelines.models.fitting import fit_rows

MODEL = "random_forest"
FOLDS = 3
MOST_ROWS = 6_000


class Effect(BaseModel):
    """Out-of-fold macro-F1 on the rows that would stay, of one model trained in two ways."""

    macro_f1_with: float = Field(description="Trained without the rows that the filter moves")
    macro_f1_without: float = Field(description="Trained with all rows")


def measure_effect(pool: Pool, hit: Flags) -> Effect | None:
    """The effect of moving the rows ``hit``, shape (rows,), on a sample of the pool.

    Both are tested on the same rows, those that stay: a filter that takes the hard ones would make
    any test easier. None where a fold has too little to learn or to test.
    """
    _, labels = text_codes(pool.rows, "label")
    sample = np.arange(len(labels))
    if len(sample) > MOST_ROWS:
        pieces = -(-len(sample) // MOST_ROWS)
        sample = np.flatnonzero(stratified_folds(labels, pieces, pool.seed) == 0)
    rows, away = pool.rows.take(pa.array(sample)), hit[sample]
    groups = group_rows(rows, pool.group).of_row
    _, first, of_row = np.unique(groups, return_index=True, return_inverse=True)
    fold = stratified_folds(labels[sample][first], FOLDS, pool.seed)[of_row]
    both = [out_of_fold_score(pool, rows, away, fold, without) for without in (False, True)]
    if both[0] is None or both[1] is None:
        return None
    return Effect(macro_f1_with=round(both[0], 4), macro_f1_without=round(both[1], 4))


def out_of_fold_score(
    pool: Pool, rows: pa.Table, away: Flags, fold: Codes, keep: bool
) -> float | None:
    """Macro-F1 on the rows that stay; ``keep``: whether those that go are trained on."""
    truth: list[str] = []
    found: list[str] = []
    for number in range(FOLDS):
        test = rows.filter(pa.array((fold == number) & ~away))
        known = rows.filter(pa.array((fold != number) & (keep | ~away)))
        if not test.num_rows or len(known["label"].unique()) < 2:
            return None
        model = fit_rows(MODEL, known, pool.masks, pool.seed)
        truth += test["label"].to_pylist()
        found += predict(model, test).tolist()
    return macro_f1(truth, found)
