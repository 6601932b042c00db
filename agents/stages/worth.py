"""What validation says of a model's price: whether a cheaper one is as good.

As good means within one standard error of the best score (L. Breiman et al., Classification and
Regression Trees, 1984, section 3.4.3). The error is that of a share of the validation rows, with
two right and two wrong ones added, so that a perfect score is not taken for certain (A. Agresti,
B. Coull, The American Statistician 52, 1998). Rows of one flow or capture are alike, and rare
classes weigh more in macro-F1: the true error is larger, so that this is said too seldom rather
than too often.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.models.registry import BASELINES

# How many times faster a model must have been trained to be called cheaper.
CHEAPER = 10
CONTROLS = {
    "traffic_lm_random": "Pre-training added nothing here: traffic_lm_random, the same network "
    "from random weights, is as good",
    "traffic_lm_frozen": "Tuning added nothing here: traffic_lm_frozen, a regression on what the "
    "base makes of a row, is as good",
}


def worth(scores: Mapping[str, float], trainings: Sequence[Mapping[str, Any]]) -> list[str]:
    """What to say beside the choice; ``scores`` is macro-F1 on validation, the best model first.

    ``trainings`` are the numbers of the steps that trained, with the ``seconds`` of each model.
    """
    rows = max((found.get("validation_rows", 0) for found in trainings), default=0)
    seconds: dict[str, float] = {}
    for found in trainings:
        seconds |= found.get("seconds", {})
    return [*_cheaper(scores, seconds, rows), *_controls(scores, rows)] if rows else []


def standard_error(score: float, rows: int) -> float:
    """Of a score that is taken for a share of ``rows``."""
    share = (score * rows + 2) / (rows + 4)
    return math.sqrt(share * (1 - share) / (rows + 4))


def _cheaper(scores: Mapping[str, float], seconds: Mapping[str, float], rows: int) -> list[str]:
    """A plainer model that is as good as a network, and far quicker to train."""
    best, top = next(iter(scores.items()))
    if best in BASELINES or best not in seconds:
        return []
    for name, score in scores.items():
        times = seconds[best] / max(seconds.get(name, math.inf), 1e-3)
        if _as_good(score, top, rows) and times >= CHEAPER and not name.startswith("traffic_lm"):
            faster = f"trained {float(f'{times:.2g}'):,.0f} times faster"
            return [f"{name} is as good {_against(score, top, rows)} and {faster}: prefer it."]
    return []


def _controls(scores: Mapping[str, float], rows: int) -> list[str]:
    top = scores.get("traffic_lm")
    if top is None:
        return []
    return [
        f"{words} {_against(scores[name], top, rows)}."
        for name, words in CONTROLS.items()
        if name in scores and _as_good(scores[name], top, rows)
    ]


def _as_good(score: float, top: float, rows: int) -> bool:
    return score >= top - standard_error(top, rows)


def _against(score: float, top: float, rows: int) -> str:
    return f"on validation ({score:.3f} against {top:.3f}, {rows:,} rows)"
