"""Whether a model gains by features: fits with and without them, scored on the same resamples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import csr_array

from pipelines.evaluate.intervals import (
    REPLICATES,
    Interval,
    group_confusions,
    percentile_interval,
    resampled_macro_f1,
)
from pipelines.evaluate.metrics import mean_f1, places
from pipelines.features.columns import with_features
from pipelines.features.expression import Expression
from pipelines.models.base import labels_of, predict
from pipelines.models.fitting import fit_rows

# So many replicates lie beyond each end of an interval: further out its ends are a matter of luck.
IN_TAIL = 10

# Confusion counts of every validation group, for each repeated fit.
Fits = Sequence[csr_array]


@dataclass(frozen=True)
class Gain:
    """Macro-F1 with a feature minus without it, and its interval."""

    difference: float
    ci: Interval


@dataclass(frozen=True)
class Trial:
    """One model on one split. ``group``: the number of each validation row's split group."""

    train: pa.Table
    validation: pa.Table
    group: npt.NDArray[np.int64]
    model: str
    masks: Sequence[str]
    seed: int
    repeats: int

    @cached_property
    def classes(self) -> list[str]:
        """The classes of both sides."""
        return sorted({*labels_of(self.train), *labels_of(self.validation)})

    def fit(self, expressions: Sequence[Expression]) -> Fits:
        """Fit the model with ``expressions``, with seeds from ``seed``, and count its guesses."""
        train = with_features(self.train, expressions)
        validation = with_features(self.validation, expressions)
        truth = places(labels_of(validation), self.classes)
        fits = []
        for repeat in range(self.repeats):
            model = fit_rows(self.model, train, self.masks, self.seed + repeat)
            guesses = places(predict(model, validation), self.classes)
            fits.append(group_confusions(self.group, truth, guesses, len(self.classes)))
        return fits

    def score(self, fits: Fits) -> float:
        """Macro-F1, the mean over repeated fits."""
        shape = (len(self.classes), len(self.classes))
        return float(np.mean([mean_f1(counts.sum(axis=0).reshape(shape)) for counts in fits]))

    def gains(self, without: Fits, candidates: Sequence[Fits], level: float) -> list[Gain]:
        """What each of ``candidates`` gains over ``without``.

        A replicate draws groups anew, and as many of the repeated fits as there are; both are the
        same for all. Without two groups of any class nothing is known: the interval is [-1, 1].
        """
        replicates = max(REPLICATES, math.ceil(2 * IN_TAIL / (1 - level)))
        counts = [fit for fits in (without, *candidates) for fit in fits]
        scores = resampled_macro_f1(counts, len(self.classes), self.seed, replicates)
        scores = scores.reshape(1 + len(candidates), self.repeats, -1)
        drawn = np.random.default_rng(self.seed).integers(self.repeats, size=scores.shape[1:])
        means = np.take_along_axis(scores, drawn[None], axis=1).mean(axis=1)
        return [
            Gain(
                self.score(fits) - self.score(without),
                percentile_interval(mean - means[0], bounds=(-1.0, 1.0), level=level),
            )
            for fits, mean in zip(candidates, means[1:], strict=True)
        ]
