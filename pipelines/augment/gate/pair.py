"""Real and synthetic rows side by side, in one space of numbers that only the real rows set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.augment.gate.closeness import Closeness
from pipelines.augment.gate.row_codes import row_codes
from pipelines.datasets.fields import LABEL, feature_columns
from pipelines.datasets.keys import Codes
from pipelines.represent.columns import Categories
from pipelines.represent.features import FeatureEncoder
from pipelines.represent.scaling import Scaler

MOST_ROWS = 2_000
BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Space:
    """Rows as points: signed logarithms of the encoder's features, each by its deviation."""

    encoder: FeatureEncoder
    scaler: Scaler

    @classmethod
    def fit(cls, rows: pa.Table, masks: Sequence[str]) -> Self:
        """Learn categories and scales. Raises InputError if the masks hide every column."""
        encoder = FeatureEncoder.fit(rows, masks)
        return cls(encoder, Scaler.fit(encoder.transform(rows)))

    def points(self, rows: pa.Table) -> np.ndarray:
        """Float64 of shape (rows, features): distances of float32 lose near copies."""
        return self._scaled(self.encoder.transform(rows))

    def batches(self, rows: pa.Table) -> Iterator[np.ndarray]:
        """The points of many rows, some at a time."""
        for start in range(0, rows.num_rows, BATCH_ROWS):
            yield self.points(rows.slice(start, BATCH_ROWS))

    def sample(self, rows: pa.Table) -> "Sample":
        """The rows with their features and points."""
        features = self.encoder.transform(rows)
        return Sample(label_array(rows), features, self._scaled(features))

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        return self.scaler.transform(features).astype(np.float64)

    def columns(self) -> list[tuple[str, slice]]:
        """Every column of the rows, with its features."""
        found, start = [], 0
        for column in self.encoder.columns:
            stop = start + len(column.names())
            found.append((column.column, slice(start, stop)))
            start = stop
        return found

    def cells(self) -> list[tuple[str, slice, bool]]:
        """What has a distribution of its own: name, features, and whether it is a category."""
        found: list[tuple[str, slice, bool]] = []
        columns = zip(self.columns(), self.encoder.columns, strict=True)
        for (name, features), column in columns:
            if isinstance(column, Categories):
                found.append((name, features, True))
            else:
                places = range(features.start, features.stop)
                own = zip(column.names(), places, strict=True)
                found += [(feature, slice(place, place + 1), False) for feature, place in own]
        return found


@dataclass(frozen=True)
class Sample:
    """Rows with their labels (objects), features and points, one line a row each."""

    labels: np.ndarray
    features: np.ndarray
    points: np.ndarray


@dataclass(frozen=True)
class Pair:
    """Both tables, and at most MOST_ROWS of each as numbers, chosen by the seed.

    ``real_rows`` and ``synthetic_rows`` have the features under the masks and the label only.
    """

    real_rows: pa.Table
    synthetic_rows: pa.Table
    space: Space
    real: Sample
    synthetic: Sample
    seed: int

    @classmethod
    def of(cls, real: pa.Table, synthetic: pa.Table, masks: Sequence[str], seed: int) -> Self:
        """Both tables need the same columns. Raises InputError if the masks hide all of them."""
        names = [*feature_columns(real.schema, masks), LABEL]
        real, synthetic = real.select(names), synthetic.select(names)
        some_real, some_synthetic = (sampled(rows, MOST_ROWS, seed) for rows in (real, synthetic))
        space = Space.fit(some_real, masks)
        samples = space.sample(some_real), space.sample(some_synthetic)
        return cls(real, synthetic, space, *samples, seed)

    @cached_property
    def codes(self) -> tuple[Codes, Codes]:
        """Of all real and of all synthetic rows: equal for rows with equal features."""
        synthetic = self.synthetic_rows.cast(self.real_rows.schema)
        both = row_codes(pa.concat_tables([self.real_rows, synthetic]))
        return both[: self.real_rows.num_rows], both[self.real_rows.num_rows :]

    @cached_property
    def closeness(self) -> Closeness:
        """Of rows to the sampled real ones, of which there must be three."""
        return Closeness(self.real.points)

    def random(self) -> np.random.Generator:
        """The chance of one check."""
        return np.random.default_rng(self.seed)

    def classes(self, fewest: int) -> list[str]:
        """The classes of which both samples have so many rows."""
        counts = [
            np.unique(side.labels, return_counts=True) for side in (self.real, self.synthetic)
        ]
        enough = [set(names[count >= fewest].tolist()) for names, count in counts]
        return sorted(enough[0] & enough[1])


def label_array(rows: pa.Table) -> np.ndarray:
    """The labels as objects, shape (rows,); one that is missing is the empty text."""
    return np.array(pc.fill_null(rows[LABEL], "").to_pylist(), object)


def sampled(rows: pa.Table, most: int, seed: int) -> pa.Table:
    """At most so many rows, in their order."""
    if rows.num_rows <= most:
        return rows
    random = np.random.default_rng(seed)
    return rows.take(pa.array(np.sort(random.choice(rows.num_rows, most, replace=False))))


def matched(
    one: np.ndarray, other: np.ndarray, most: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """As many rows of every class on both sides, about ``most`` a side: positions on each.

    Synthetic rows often have another mix of classes on purpose: no check may mistake it for a
    fault.
    """
    places: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    shared = np.intersect1d(one, other)
    least = {name: min(int((one == name).sum()), int((other == name).sum())) for name in shared}
    share = min(1.0, most / max(sum(least.values()), 1))
    for name, count in least.items():
        for side, labels in zip(places, (one, other), strict=True):
            own = random.permutation(np.flatnonzero(labels == name))
            side.append(own[: max(1, round(count * share))])
    none = np.empty(0, np.int64)
    return np.concatenate([none, *places[0]]), np.concatenate([none, *places[1]])
