"""How a training by epochs went: line by line, and in little for a person or a planner."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from pipelines.models.base import Epoch

MOST_POINTS = 50


class CnnEpoch(Epoch):
    """A line of the learning curve that also says how sure the network was on validation.

    Both losses weigh classes alike; dropout makes that of training the higher one at first.
    ``validation_loss`` is None without validation rows of known classes.
    """

    validation_loss: float | None = None


class Learning(BaseModel):
    """A training that was watched on validation.

    ``curve`` is its lines, thinned to ``MOST_POINTS``, with four digits. ``best_epoch`` is the
    first of the best, for which the model is then trained on all rows; the last one if nothing was
    watched. It ``stopped_early`` if it ended before the last epoch that was planned.
    """

    curve: list[dict[str, Any]]
    best_epoch: int
    stopped_early: bool


def best_epoch(curve: Sequence[Epoch]) -> int | None:
    """The first epoch, from 1, after which validation was best; None if nothing was watched."""
    scores = [epoch.validation_macro_f1 for epoch in curve]
    known = [score for score in scores if score is not None]
    return scores.index(max(known)) + 1 if known else None


def learning_of(curve: Sequence[Epoch], planned: int) -> Learning:
    """The summary of a learning curve, at least one epoch, of ``planned`` ones."""
    best = best_epoch(curve) or len(curve)
    lines = [curve[place].model_dump(mode="json") for place in _thinned(len(curve), best - 1)]
    return Learning(
        curve=[{key: _short(value) for key, value in line.items()} for line in lines],
        best_epoch=best,
        stopped_early=len(curve) < planned,
    )


def _thinned(count: int, kept: int) -> list[int]:
    """At most ``MOST_POINTS`` places of ``count``, evenly: the first, the last and ``kept`` too."""
    if count <= MOST_POINTS:
        return list(range(count))
    apart = (count - 1) / (MOST_POINTS - 2)
    return sorted({round(number * apart) for number in range(MOST_POINTS - 1)} | {kept})


def _short(value: float | None) -> float | None:
    return float(f"{value:.4g}") if isinstance(value, float) else value
