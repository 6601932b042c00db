"""What the layouts came to, which of them no other beats, and both as lines of text."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipelines.deploy.job import Layout
from pipelines.deploy.link import Link
from pipelines.evaluate.intervals import (
    Interval,
    group_confusions,
    percentile_interval,
    resampled_macro_f1,
)
from pipelines.evaluate.metrics import mean_f1, places


class Score(BaseModel):
    """Verdicts on held-out rows. ``ci``: of macro-F1, over resamples of flows within classes."""

    accuracy: float
    macro_f1: float
    ci: Interval


class Latency(BaseModel):
    """Milliseconds from a batch of rows at a site to their verdicts at that site."""

    median_ms: float
    p95_ms: float


class Asked(BaseModel):
    """What a language model was asked for synthetic rows: requests (failed ones too), their tokens,
    bytes that left for its server, and minutes of waiting for answers."""

    model_config = ConfigDict(frozen=True)

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    bytes_sent: int = 0
    minutes: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens both ways."""
        return self.tokens_in + self.tokens_out

    def __add__(self, other: "Asked") -> "Asked":
        return Asked(**{name: mine + getattr(other, name) for name, mine in self})

    def __sub__(self, other: "Asked") -> "Asked":
        return Asked(**{name: mine - getattr(other, name) for name, mine in self})


class SiteResult(BaseModel):
    """One site in one layout. ``score`` and ``latency`` are None where it cannot judge or has
    nothing to judge: no model, or no held-out rows."""

    site: str
    train_rows: int
    test_rows: int
    score: Score | None
    latency: Latency | None
    bytes_train: int
    """Bytes that left the site before it could judge, and ``bytes_judge`` while it judged."""
    bytes_judge: int
    made_rows: int = 0
    """Synthetic rows that the site itself learned from, and what was ``asked`` for them; nothing
    of that is in its bytes above."""
    asked: Asked = Asked()


class LayoutResult(BaseModel):
    """One layout. ``score`` is over all sites' rows; rows of a site that cannot judge are wrong."""

    layout: Layout
    sites: list[SiteResult]
    score: Score
    training_minutes: float
    """Until the last site could judge, were every site's work done at the same time: the slowest
    site's part and the hub's."""
    latency: Latency | None
    trainings: int
    bytes_train: int
    """Bytes that left all sites, before and while they judged; ``bytes_hub`` left the hub."""
    bytes_judge: int
    bytes_hub: int
    made_rows: int = 0
    """Synthetic rows of all that trained, the hub or the sites, and what they ``asked`` for; its
    bytes went elsewhere than over the links."""
    asked: Asked = Asked()

    @property
    def bytes_moved(self) -> int:
        """All bytes that crossed the links, both ways."""
        return self.bytes_train + self.bytes_judge + self.bytes_hub


class DeploymentStudy(BaseModel):
    """Layouts of learning and judging, tried out on the same rows over the same links."""

    model: str
    seed: int
    link: Link
    batch: int
    classes: list[str]
    layouts: list[LayoutResult]
    arm: str | None = None
    """The generator whose rows every trainer added, ``amount`` to each real one."""
    amount: float = 0.0


def score_verdicts(
    truth: Sequence[str], verdicts: Sequence[str], groups: np.ndarray, seed: int
) -> Score:
    """Score verdicts; ``groups`` holds the number of each row's flow, shape (rows,)."""
    classes = sorted({*truth, *verdicts})
    cells = places(truth, classes), places(verdicts, classes)
    group = np.unique(groups, return_inverse=True)[1]
    counts = group_confusions(group, *cells, len(classes))
    confusion = counts.sum(axis=0).reshape(len(classes), len(classes))
    resampled = resampled_macro_f1([counts], len(classes), seed)[0]
    return Score(
        accuracy=float(np.trace(confusion) / confusion.sum()),
        macro_f1=float(mean_f1(confusion)),
        ci=percentile_interval(resampled, bounds=(0.0, 1.0)),
    )


def latency_of(milliseconds: Sequence[float]) -> Latency | None:
    """Median and 95th percentile; None where nothing was judged."""
    if not milliseconds:
        return None
    median, p95 = np.quantile(milliseconds, [0.5, 0.95])
    return Latency(median_ms=float(median), p95_ms=float(p95))


def pareto(study: DeploymentStudy) -> list[Layout]:
    """The layouts that no other beats in macro-F1, bytes moved, median latency and tokens.

    A layout beats another if it is as good in all four and better in one. Tokens are those of a
    language model; all are equal in them where it was not asked.
    """
    costs = {result.layout: _costs(result) for result in study.layouts}
    return [
        layout
        for layout, mine in costs.items()
        if not any(_beats(other, mine) for other in costs.values())
    ]


def _costs(result: LayoutResult) -> tuple[float, ...]:
    latency = result.latency.median_ms if result.latency else float("inf")
    return 1 - result.score.macro_f1, result.bytes_moved, latency, result.asked.tokens


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
