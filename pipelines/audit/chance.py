"""How likely it is that a guess which knows nothing does as well: the guard of small datasets.

Dozens of fields are looked up. On twenty test rows the best of them is far above the majority class
by luck alone, so a field is called a shortcut only where luck is ruled out.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipelines.datasets.keys import Codes
from pipelines.evaluate.metrics import confusion_counts, mean_f1

SHORTCUT_GAIN = 0.5
WEAK_GAIN = 0.2
MOST_CHANCE = 0.01

Verdict = Literal["shortcut", "weak", "none"]


@dataclass(frozen=True)
class HeldOut:
    """What every guess is judged on.

    ``labels``: class codes of all rows. ``known``, ``test``: positions of the rows that are learned
    from and asked. ``units``: codes of the test rows that count as one observation: packets of a
    flow say the same thing many times. ``guesses``: how many are judged in all.
    """

    labels: Codes
    known: Codes
    test: Codes
    units: Codes
    guesses: int

    @property
    def truth(self) -> Codes:
        """Class codes of the test rows."""
        return self.labels[self.test]


@dataclass(frozen=True)
class Judgement:
    """How good a guess was; ``chance`` is what luck does as well, after counting all guesses."""

    accuracy: float
    macro_f1: float
    majority: float
    gain: float
    chance: float
    verdict: Verdict


def judge(predicted: Codes, side: HeldOut) -> Judgement:
    """Judge the guesses of the test rows, shape (test rows,)."""
    truth = side.truth
    right = predicted == truth
    accuracy = float(right.mean())
    majority = float((truth == most_frequent(side.labels[side.known])).mean())
    gain = (accuracy - majority) / (1 - majority) if majority < 1 else 0.0
    best = most_common_share(truth, side.units)
    chance = min(1.0, side.guesses * luck(right, side.units, best))
    return Judgement(
        accuracy=accuracy,
        macro_f1=float(mean_f1(confusion_counts(truth, predicted, int(side.labels.max()) + 1))),
        majority=majority,
        gain=gain,
        chance=chance,
        verdict=verdict_of(gain, chance),
    )


def most_common_share(truth: Codes, units: Codes) -> float:
    """The share of the most frequent class, each unit counting once."""
    weight = 1 / np.bincount(units)[units]
    return float(np.bincount(truth, weights=weight).max() / weight.sum())


def luck(right: npt.NDArray[np.bool_], units: Codes, best: float) -> float:
    """The probability that guesses which know nothing are right as often: a binomial tail.

    They agree with the labels at most as often as the most frequent class occurs, which is
    ``best``. Each unit counts once, by the mean over its rows.
    """
    from scipy.special import bdtrc

    sizes = np.bincount(units)
    hits = int(np.floor((right / sizes[units]).sum() + 1e-6))
    if hits == 0 or best >= 1:
        return 1.0
    return float(bdtrc(hits - 1, int((sizes > 0).sum()), best))


def verdict_of(gain: float, chance: float = 0.0) -> Verdict:
    """Name a gain over the majority class that luck does not explain."""
    if chance > MOST_CHANCE or gain < WEAK_GAIN:
        return "none"
    return "shortcut" if gain >= SHORTCUT_GAIN else "weak"


def most_frequent(labels: Codes) -> int:
    """The most frequent code, the lowest of equally frequent ones."""
    return int(np.bincount(labels).argmax())
