"""What processes are asked and what they report: JSON files in a folder that they share."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipelines.deploy.link import Link

Layout = Literal["centralised", "distributed", "hybrid"]
LAYOUTS: tuple[Layout, ...] = ("centralised", "distributed", "hybrid")

TRAIN, TEST = "train", "test"  # the folders of a site's rows


class Job(BaseModel):
    """What a hub and one process a site try out: ``layouts``, one after the other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layouts: list[Layout]
    model: str
    masks: list[str]
    seed: int
    link: Link
    batch: int
    """Rows that are judged at once."""
    timeout_s: float
    sites: list[str]


class SiteReport(BaseModel):
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


class HubReport(BaseModel):
    """What the hub did in one layout. ``seconds``: its training, or giving models back."""

    trained: bool
    seconds: float
    bytes_sent: int
