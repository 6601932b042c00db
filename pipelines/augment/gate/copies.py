"""Copies: synthetic rows that are real ones, repeat each other, or lie too close to a real one."""

import numpy as np

from pipelines.augment.gate.chance import share_bar
from pipelines.augment.gate.check import Check, at_most, unjudged
from pipelines.augment.gate.pair import Pair
from pipelines.datasets.keys import Codes
from pipelines.words import counted

REPEAT_DRAWS = 20
NEAR_SHARE = 0.01  # of the real rows lie as close to another one by luck
MOST_NEAR = 0.5  # half as far as real rows are from each other is no near copy
FEWEST_ROWS = 5


def copies(pair: Pair) -> Check:
    """The share of synthetic rows equal to a real row that is the only one of its kind.

    Rows that real ones repeat too are no copies but common. By luck a new row equals one of the
    single ones with probability 2 x kinds seen twice / rows (Good, 1953).
    """
    copied, (real, _) = _copied(pair), pair.codes
    _, counts = np.unique(real, return_counts=True)
    bar = share_bar(2 * float((counts == 2).sum()) / len(real), len(copied))
    words = counted(int(copied.sum()), "is a copy of a real row", "are copies of real rows")
    return at_most("copies", float(copied.mean()), bar, words, copied)


def _copied(pair: Pair) -> np.ndarray:
    real, synthetic = pair.codes
    kinds, counts = np.unique(real, return_counts=True)
    return np.isin(synthetic, kinds[counts == 1])


def repeats(pair: Pair) -> Check:
    """The share of rows that repeat another, among equally many synthetic and real rows.

    Means of REPEAT_DRAWS samples: more rows repeat more often. Rows are objected to only if there
    are too many: all but the first of each kind.
    """
    real, synthetic = pair.codes
    random, size = pair.random(), min(len(real), len(synthetic))
    value, usual = (_repeated(codes, size, random) for codes in (synthetic, real))
    bar = share_bar(usual, size)
    later = np.ones(len(synthetic), bool)
    later[np.unique(synthetic, return_index=True)[1]] = False
    words = counted(int(later.sum()), "repeats another one", "repeat another one")
    return at_most("repeats", value, bar, words, later & (value > bar))


def _repeated(codes: Codes, size: int, random: np.random.Generator) -> float:
    draws = [random.choice(codes, size, replace=False) for _ in range(REPEAT_DRAWS)]
    return float(np.mean([1 - len(np.unique(drawn)) / size for drawn in draws]))


def near_copies(pair: Pair) -> Check:
    """The share of synthetic rows, but for copies, that lie closer to a real row than real ones do.

    Too close is a ``Closeness`` below that of all but NEAR_SHARE of the real rows, and below
    MOST_NEAR. Rows are objected to only if there are too many. Of more than pair.MOST_ROWS real
    rows a sample is compared with.
    """
    if len(pair.real.points) < FEWEST_ROWS:
        return unjudged("near_copies", "near copies: too few real rows to say what near is")
    close = np.concatenate(
        [pair.closeness.of(points) for points in pair.space.batches(pair.synthetic_rows)]
    )
    usual = np.sort(pair.closeness.of_real())
    place = int(NEAR_SHARE * len(usual))
    near = (close < min(float(usual[place]), MOST_NEAR)) & ~_copied(pair)
    # neighbours are close to each other: the real rows tell about half as many cases
    cases = len(usual) // 2
    value = float(near.mean())
    bar = share_bar((place + 1) / (cases + 1), cases, len(near))
    words = counted(int(near.sum()), "nearly copies a real row", "nearly copy a real row")
    return at_most("near_copies", value, bar, words, near & (value > bar))
