"""How far one distribution has moved from another: the population stability index.

It is the sum, over the bins of both, of (p - q) ln(p / q). Its usual bands are "little" below 0.1
and "large" from 0.25 (N. Siddiqi, Credit Risk Scorecards, 2006). Where nothing has moved it is
about (1/n + 1/m) times a chi-squared variable of as many degrees of freedom as there are bins less
one (B. Yurdakul and J. Naranjo, Statistical properties of the population stability index, Journal
of Risk Model Validation 14(4), 2020): that much is luck. Flows come in bursts and are less
independent than that, so a little more than it may be luck too.
"""

from collections.abc import Sequence
from math import log, sqrt
from typing import Literal

from pydantic import BaseModel, Field

LITTLE, LARGE = 0.1, 0.25
ONE_IN_TWENTY = 1.645  # the normal distribution's, for the chi-squared one


class Drift(BaseModel):
    """How far a distribution is from that of the test side."""

    psi: float
    chance: float = Field(description="What it stays below, 19 times in 20, if nothing has moved")
    verdict: Literal["none", "some", "large", "too_few"]


def drift(now: Sequence[int], before: Sequence[int]) -> Drift | None:
    """The index of two counts over the same bins; None if one of them is empty.

    Half an event is added to every bin that is not empty in both, so that each has a logarithm.
    """
    if not sum(now) or not sum(before):
        return None
    pairs = [(a + 0.5, b + 0.5) for a, b in zip(now, before, strict=True) if a or b]
    n, m = sum(a for a, _ in pairs), sum(b for _, b in pairs)
    psi = sum((a / n - b / m) * log(a * m / (b * n)) for a, b in pairs)
    freedom = len(pairs) - 1
    chance = (1 / n + 1 / m) * (freedom + ONE_IN_TWENTY * sqrt(2 * freedom))
    return Drift(psi=psi, chance=chance, verdict=_verdict(psi, chance))


def _verdict(psi: float, chance: float) -> Literal["none", "some", "large", "too_few"]:
    if psi <= chance:
        return "none" if chance < LITTLE else "too_few"
    return "none" if psi < LITTLE else "some" if psi < LARGE else "large"
