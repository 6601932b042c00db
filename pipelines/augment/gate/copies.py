"""Copies: synthetic rows that are real ones, repeat each other, or lie too close to a real one."""

import numpy as np
import pyarrow as pa
from sklearn.neighbors import NearestNeighbors

from pipelines.augment.gate.chance import share_bar
from pipelines.augment.gate.check import Check, unjudged
from pipelines.augment.gate.pair import Pair
from pipelines.datasets.fields import LABEL
from pipelines.datasets.keys import Codes, column_codes, combine, matrix_codes
from pipelines.represent.arrays import column_array, number_matrix
from pipelines.words import counted

REPEAT_DRAWS = 20
NEAR_SHARE = 0.01
MOST_NEAR = 0.5
FEWEST_ROWS = 5


def row_keys(pair: Pair) -> tuple[Codes, Codes]:
    """Codes that are equal for rows with equal features, whatever the label: real, synthetic."""
    both = pa.concat_tables([pair.real_rows, pair.synthetic_rows.cast(pair.real_rows.schema)])
    names = [name for name in both.column_names if name != LABEL]
    keys = combine(*(_codes(both, name) for name in names))
    return keys[: pair.real_rows.num_rows], keys[pair.real_rows.num_rows :]


def _codes(rows: pa.Table, name: str) -> Codes:
    kind = rows.schema.field(name).type
    if pa.types.is_fixed_size_list(kind):
        return matrix_codes(number_matrix(name, column_array(rows, name), kind.list_size))
    values = column_array(rows, name)
    return column_codes(pa.chunked_array([values]))


def copies(pair: Pair) -> Check:
    """The share of synthetic rows equal to a real row that is the only one of its kind.

    Rows that real ones repeat too are no copies but common. By luck a new row equals one of the
    single ones with probability 2 x kinds seen twice / rows (Good, 1953).
    """
    real, synthetic = row_keys(pair)
    kinds, counts = np.unique(real, return_counts=True)
    copied = np.isin(synthetic, kinds[counts == 1])
    expected = 2 * float((counts == 2).sum()) / len(real)
    value, bar = float(copied.mean()), share_bar(expected, len(synthetic))
    return Check(
        name="copies",
        value=value,
        bar=bar,
        passed=value <= bar,
        words=counted(int(copied.sum()), "is a copy of a real row", "are copies of real rows"),
        rows=np.flatnonzero(copied).tolist(),
    )


def repeats(pair: Pair) -> Check:
    """The share of rows that repeat another, among equally many synthetic and real rows.

    Means of REPEAT_DRAWS samples: more rows repeat more often. Rows are objected to only if there
    are too many: all but the first of each kind.
    """
    real, synthetic = row_keys(pair)
    random, size = pair.random(), min(len(real), len(synthetic))
    value, usual = (_repeated(keys, size, random) for keys in (synthetic, real))
    bar = share_bar(usual, size)
    later = np.ones(len(synthetic), bool)
    later[np.unique(synthetic, return_index=True)[1]] = False
    passed = value <= bar
    return Check(
        name="repeats",
        value=value,
        bar=bar,
        passed=passed,
        words=counted(int(later.sum()), "repeats another one", "repeat another one"),
        rows=[] if passed else np.flatnonzero(later).tolist(),
    )


def _repeated(keys: Codes, size: int, random: np.random.Generator) -> float:
    draws = [random.choice(keys, size, replace=False) for _ in range(REPEAT_DRAWS)]
    return float(np.mean([1 - len(np.unique(drawn)) / size for drawn in draws]))


def near_copies(pair: Pair) -> Check:
    """The share of synthetic rows, but for copies, that lie closer to a real row than real ones do.

    Too close is a ``Closeness`` below that of all but NEAR_SHARE of the real rows, and below
    MOST_NEAR. Rows are objected to only if there are too many. Of more than pair.MOST_ROWS real
    rows a sample is compared with.
    """
    if len(pair.real.points) < FEWEST_ROWS:
        return unjudged("near_copies", "near copies: too few real rows to say what near is")
    closeness = Closeness(pair.real.points)
    close = np.concatenate([closeness.of(points) for points in pair.synthetic_points()])
    usual = np.sort(closeness.of_real())
    place = int(NEAR_SHARE * len(usual))
    near = close < min(float(usual[place]), MOST_NEAR)
    near[copies(pair).rows] = False
    # neighbours are close to each other: the real rows tell about half as many cases
    cases = len(usual) // 2
    expected = (place + 1) / (cases + 1)
    value, bar = float(near.mean()), share_bar(expected, cases, len(near))
    return Check(
        name="near_copies",
        value=value,
        bar=bar,
        passed=value <= bar,
        words=counted(int(near.sum()), "nearly copies a real row", "nearly copy a real row"),
        rows=[] if value <= bar else np.flatnonzero(near).tolist(),
    )


class Closeness:
    """How close a row comes to the real ones: the distance to the nearest real row, as a multiple
    of that row's distance to its own nearest other one. Below 1 is closer than real rows are there;
    infinite next to a row that real ones repeat."""

    def __init__(self, real: np.ndarray) -> None:
        self.index = NearestNeighbors(n_neighbors=2).fit(real)
        self.distance, self.nearest = self.index.kneighbors()

    def of(self, points: np.ndarray) -> np.ndarray:
        """The closeness of new rows, points of shape (rows, features)."""
        distance, nearest = self.index.kneighbors(points, 1)
        return _ratio(distance[:, 0], self.distance[nearest[:, 0], 0])

    def of_real(self) -> np.ndarray:
        """The closeness of each real row to the others, as if it were new."""
        nearest = self.nearest[:, 0]
        itself = self.nearest[nearest, 0] == np.arange(len(nearest))
        own = np.where(itself, self.distance[nearest, 1], self.distance[nearest, 0])
        return _ratio(self.distance[:, 0], own)


def _ratio(distance: np.ndarray, own: np.ndarray) -> np.ndarray:
    ratio = np.full(len(own), np.inf)
    return np.asarray(np.divide(distance, own, out=ratio, where=own > 0))
