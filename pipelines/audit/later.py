"""Later traffic: the same model tested on what came after, and on a random part of the same size.

A random split asks whether traffic of the same hours is recognised; in operation every flow is
later than all that was learned. The gap between both is what a random split would have hidden.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field

from pipelines.datasets.split_manifest import Split
from pipelines.datasets.splits import By, make_split
from pipelines.evaluate.intervals import (
    Interval,
    group_confusions,
    percentile_interval,
    resampled_macro_f1,
)
from pipelines.evaluate.metrics import confusion_counts, mean_f1, places
from pipelines.models.base import labels_of, predict
from pipelines.models.registry import new_model
from pipelines.progress import Progress, silent


class Tested(BaseModel):
    """One model on one test side."""

    macro_f1: float
    ci: Interval


class LaterTest(BaseModel):
    """A model that learned the earlier part and one that learned a random part of the same size."""

    model: str
    train_rows: int
    test_rows: int
    later: Tested
    random: Tested
    gap: float = Field(description="Random minus later: what a random split would hide")
    gap_ci: Interval


def compare_later(
    rows: pa.Table,
    model: str,
    masks: Sequence[str],
    *,
    test: float = 0.5,
    seed: int = 0,
    progress: Progress = silent,
) -> LaterTest:
    """Fit ``model`` twice, on the earlier and on a random share of each class's flows, and compare.

    Raises InputError for rows without times and classes too small to split.
    """
    later, later_draws, split = _fit(rows, "time", model, masks, test, seed, progress)
    random, random_draws, _ = _fit(rows, "flow", model, masks, test, seed, progress)
    gaps = random_draws - later_draws if len(random_draws) == len(later_draws) else np.empty(0)
    return LaterTest(
        model=model,
        train_rows=len(split.rows_on("train")),
        test_rows=len(split.rows_on("test")),
        later=later,
        random=random,
        gap=random.macro_f1 - later.macro_f1,
        gap_ci=percentile_interval(gaps, bounds=(-1.0, 1.0)),
    )


def _fit(
    rows: pa.Table,
    by: By,
    name: str,
    masks: Sequence[str],
    test: float,
    seed: int,
    progress: Progress,
) -> tuple[Tested, np.ndarray, Split]:
    """The score on a split by ``by``, its bootstrap draws over flows, and the split."""
    split = make_split(rows, by, test, 0, seed)
    train, held = (rows.take(pa.array(split.rows_on(side))) for side in ("train", "test"))
    model = new_model(name)
    labels = labels_of(train)
    model.fit(train, labels, masks=masks, seed=seed, validation=None, progress=progress)
    truth_labels = labels_of(held)
    classes = sorted({*model.classes, *truth_labels})
    truth, guesses = places(truth_labels, classes), places(predict(model, held), classes)
    score = float(mean_f1(confusion_counts(truth, guesses, len(classes))))
    groups = np.unique(held["flow"].to_numpy(), return_inverse=True)[1]
    # another seed for each side: the two test sides are independent
    draws = resampled_macro_f1(
        [group_confusions(groups, truth, guesses, len(classes))],
        len(classes),
        2 * seed + (by == "time"),
    )[0]
    return Tested(macro_f1=score, ci=percentile_interval(draws, bounds=(0.0, 1.0))), draws, split
