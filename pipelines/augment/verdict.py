"""What follows from a study: a generator and an amount, none, or that more draws are needed."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel

from pipelines.augment.exchange import Rate
from pipelines.augment.names import REAL
from pipelines.evaluate.few_labels import Spread
from pipelines.evaluate.intervals import Interval

# A gain that is worth the trouble: one point in a hundred.
WORTH = 0.01


class Gain(BaseModel):
    """What was added brings. ``gain`` is over the real rows alone; its interval holds together with
    those of all other outcomes of the model."""

    score: Spread
    gain: float
    ci: Interval

    @property
    def gained(self) -> str:
        """The gain and its interval, in points."""
        low, high = (100 * end for end in self.ci)
        return f"{100 * self.gain:+.1f} [{low:+.1f}, {high:+.1f}]"


class Outcome(Gain):
    """One amount of one arm. ``rows`` is the mean of what was added, ``rate`` what a row of the arm
    is worth over all its amounts; None where nobody can tell. ``absent``: what it brings on judged
    rows of absent families, in accuracy."""

    arm: str
    amount: float
    screened: bool
    rows: float
    rate: Rate | None
    absent: Gain | None = None

    @property
    def name(self) -> str:
        """The arm as a person reads it."""
        return f"{self.arm.replace('_', ' ')}{', screened' if self.screened else ''}"

    @property
    def worth(self) -> str:
        """What a row is worth in real ones, which are worth 1; a dash where nobody can tell."""
        if self.arm == REAL:
            return "1"
        return "-" if self.rate is None else f"{self.rate.rate:.2f}"


class Verdict(BaseModel):
    """What to do. ``gain`` and ``ci`` are of the arm that is used, or else of the likeliest one.

    ``draws_needed`` is how many draws would decide, where these do not.
    """

    kind: Literal["use", "none", "undecided"]
    arm: str | None = None
    amount: float | None = None
    screened: bool = False
    gain: float
    ci: Interval
    draws_needed: int | None = None
    words: str


def verdict_of(
    outcomes: Sequence[Outcome],
    real: Sequence[Outcome],
    *,
    draws: int,
    needed: int,
) -> Verdict:
    """The arm whose gain is the surest, if any gain is above 0 beyond the intervals.

    None where no arm gains WORTH or more by its interval. Between both, more draws are needed.
    """
    best = max(outcomes, key=lambda outcome: outcome.ci[0])
    instead = _instead(real)
    if best.ci[0] > 0:
        rate = f" One such row is worth {best.rate.rate:.2f} real ones." if best.rate else ""
        words = f"Use {best.name}, {best.amount:g} rows to each real one: {points(best)}."
        return use(best, f"{words}{rate}{instead}")
    likely = max(outcomes, key=lambda outcome: outcome.ci[1])
    if likely.ci[1] < WORTH:
        words = f"No benefit: no arm gains {100 * WORTH:g} points or more.{instead}"
        return Verdict(kind="none", gain=likely.gain, ci=likely.ci, words=words)
    more = max(needed, draws + 1)
    words = (
        f"Undecided: {likely.name}, {likely.amount:g} to one, may still gain "
        f"({points(likely)}). About {more} draws would tell.{instead}"
    )
    return Verdict(kind="undecided", draws_needed=more, gain=likely.gain, ci=likely.ci, words=words)


def use(best: Outcome, words: str) -> Verdict:
    """The verdict that an arm is to be used, with this amount."""
    return Verdict(
        kind="use",
        arm=best.arm,
        amount=best.amount,
        screened=best.screened,
        gain=best.gain,
        ci=best.ci,
        words=words,
    )


def _instead(real: Sequence[Outcome]) -> str:
    """What the first amount of more real rows that surely helps would bring."""
    helps = [outcome for outcome in real if outcome.ci[0] > 0]
    if not helps:
        return ""
    least = min(helps, key=lambda outcome: outcome.rows)
    which = "netloop data next says which"
    return f" Labelling {least.rows:.0f} more rows would bring {points(least)}; {which}."


def points(outcome: Gain) -> str:
    """A gain and its interval, in points of a hundred."""
    low, high = (100 * end for end in outcome.ci)
    return f"{100 * outcome.gain:+.1f} points [{low:+.1f}, {high:+.1f}]"
