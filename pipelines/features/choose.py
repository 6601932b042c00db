"""Which proposed features are worth a column: those that validation surely gains by.

Every proposal is first tried alone: the model is fitted with and without it, and both are scored on
the same resamples of validation groups. Of those whose gain in macro-F1 is above 0 by its whole
interval, the best is kept; the others must gain as surely on top of those kept, best first.

The intervals are Bonferroni's: with m proposals tried each has the level 1 - 0.05 / m, so that the
chance that any useless one gets past the first trial is at most one in twenty. The second trial can
only take more away. That holds for models whose fit has no randomness: one fit of a random forest
may be lucky, and its interval cannot know it; five or more repeats average over that.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, Field

from pipelines.errors import InputError
from pipelines.evaluate.intervals import LEVEL, Interval
from pipelines.features.expression import Expression
from pipelines.features.screen import screened
from pipelines.features.trial import Fits, Trial
from pipelines.progress import Progress

Verdict = Literal[
    "kept", "redundant", "not beyond its interval", "worse", "constant", "copy", "not computed"
]
WORDS = {
    "kept": "Validation gains by it beyond its interval.",
    "redundant": "It helps alone, but not beyond its interval on top of those kept.",
    "not beyond its interval": "The interval of its gain holds 0: it may be luck.",
    "worse": "Validation loses by it beyond its interval.",
}


class Outcome(BaseModel):
    """What became of one proposal. ``difference`` and ``ci`` are None if it was not tried, else
    those of its last trial."""

    expression: str
    name: str
    verdict: Verdict
    reason: str
    difference: float | None = Field(default=None, description="Macro-F1 with it minus without it")
    ci: Interval | None = None


class Choice(BaseModel):
    """All proposals, in their order. The scores are of the validation rows that chose, hence
    flattering."""

    model: str
    tried: int = Field(description="Proposals that the model was fitted with")
    level: float = Field(description="Of each interval")
    macro_f1_without: float
    macro_f1_with: float = Field(description="With all that were kept")
    outcomes: list[Outcome]

    @property
    def kept(self) -> list[str]:
        """The expressions that are worth a column."""
        return [outcome.expression for outcome in self.outcomes if outcome.verdict == "kept"]


def choose_features(
    train: pa.Table,
    validation: pa.Table,
    proposals: Sequence[Expression],
    *,
    model: str,
    masks: Sequence[str],
    seed: int,
    repeats: int,
    progress: Progress,
    groups: Sequence[object] | None = None,
) -> Choice:
    """Fit ``model`` with and without each proposal, ``repeats`` times with seeds from ``seed``.

    ``groups``: the split group of every validation row; by default its flow, or the row itself.
    Memory beside the rows grows with the square of the number of proposals.

    Raises InputError without validation rows or repeats, and for what the model refuses.
    """
    if repeats < 1 or validation.num_rows == 0:
        raise InputError(
            "Features are chosen by validation rows and at least one fit with each.",
            "Give the validation side a larger share, or repeats a number above 0.",
        )
    faults = screened(train, validation, proposals, masks)
    tried = [place for place, fault in enumerate(faults) if fault is None]
    level = 1 - (1 - LEVEL) / max(len(tried), 1)
    trial = Trial(train, validation, _numbered(validation, groups), model, masks, seed, repeats)
    alone: dict[int, Fits] = {}
    for done, place in enumerate(tried):
        progress("trying features", done, len(tried), "features")
        alone[place] = trial.fit([proposals[place]])
    progress("trying features", len(tried), len(tried), "features")

    without = best = trial.fit([])
    gains = dict(zip(tried, trial.gains(without, list(alone.values()), level), strict=True))
    promising = [place for place in tried if gains[place].ci[0] > 0]
    kept: list[int] = []
    for place in sorted(promising, key=lambda place: -gains[place].difference):
        fits = trial.fit([proposals[p] for p in (*kept, place)]) if kept else alone[place]
        (gains[place],) = trial.gains(best, [fits], level)
        if gains[place].ci[0] > 0:
            kept.append(place)
            best = fits

    def outcome(place: int) -> Outcome:
        text, name = str(proposals[place]), proposals[place].name
        if fault := faults[place]:
            return Outcome(expression=text, name=name, verdict=fault.verdict, reason=fault.reason)
        gain = gains[place]
        verdict: Verdict = "worse" if gain.ci[1] < 0 else "not beyond its interval"
        if place in promising:
            verdict = "kept" if place in kept else "redundant"
        return Outcome(
            expression=text,
            name=name,
            verdict=verdict,
            reason=WORDS[verdict],
            difference=gain.difference,
            ci=gain.ci,
        )

    return Choice(
        model=model,
        tried=len(tried),
        level=level,
        macro_f1_without=trial.score(without),
        macro_f1_with=trial.score(best),
        outcomes=[outcome(place) for place in range(len(proposals))],
    )


def _numbered(validation: pa.Table, groups: Sequence[object] | None) -> npt.NDArray[np.int64]:
    """The number of each validation row's split group, shape (rows,)."""
    if groups is not None:
        return np.unique(np.asarray(groups), return_inverse=True)[1]
    if "flow" in validation.column_names:
        return np.unique(validation["flow"].to_numpy(), return_inverse=True)[1]
    return np.arange(validation.num_rows)
