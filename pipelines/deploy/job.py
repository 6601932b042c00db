"""What processes are asked to try out, and what they report."""

from dataclasses import dataclass
from typing import Literal, get_args

from pipelines.deploy.link import Link

Layout = Literal["centralised", "distributed", "hybrid"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

# The folder of the hub, beside those of the sites; of each, the folders of its rows.
HUB = "hub"
TRAIN, TEST, MADE = "train", "test", "made"


@dataclass(frozen=True)
class Job:
    """What a hub and one process a site try out. ``batch``: rows that are judged at once."""

    model: str
    masks: list[str]
    seed: int
    link: Link
    batch: int
    sites: list[str]


@dataclass(frozen=True)
class SiteReport:
    """What a site did in one layout. ``verdicts``: a class a test row, None if it has no model."""

    trained: bool
    """Whether it trained a model of its own."""
    seconds: float
    """Its part of learning: training, or sending its rows, or both training and sending."""
    verdicts: list[str] | None
    latency_ms: list[float]
    """From rows at the site to verdicts at the site, a value a batch."""
    bytes_train: int
    bytes_judge: int


@dataclass(frozen=True)
class HubReport:
    """What the hub did in one layout. ``seconds``: its training, or giving models back."""

    trained: bool
    seconds: float
    bytes_sent: int
