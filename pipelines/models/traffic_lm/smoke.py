"""A few rows through the real code: whether a tuning works, and what all of it will take."""

import resource
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from pydantic import BaseModel, ConfigDict, Field

from pipelines.models.base import labels_of
from pipelines.models.cnn.training import best_device
from pipelines.models.traffic_lm.classifier import TrafficLm
from pipelines.models.traffic_lm.cost import MEGABYTE, Passes
from pipelines.models.traffic_lm.settings import TrafficLmSettings
from pipelines.progress import Progress, silent
from pipelines.represent.traffic_text import row_texts

EPOCHS = 3
# Rows whose tokens are counted: the mean of as many is known to about one in fifty.
COUNTED_ROWS = 500
LOOK_SECONDS = 0.01


class Smoke(BaseModel):
    """What a small tuning was like. Speeds are clock readings: they belong into no artefact."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int
    classes: int
    steps: int
    loss: list[float] = Field(description="Of the first epoch and of the last")
    tokens_per_row: float = Field(description="Of the training rows, the prompt's head included")
    train_tokens_per_second: float
    score_tokens_per_second: float
    memory_mb: int = Field(description="The most beyond what the process held before")
    device: str

    def seconds(self, passes: Passes) -> float:
        """What ``passes`` over rows like these would take."""
        trained = passes.trained / self.train_tokens_per_second
        return self.tokens_per_row * (trained + passes.scored / self.score_tokens_per_second)


def smoke(
    settings: TrafficLmSettings,
    rows: pa.Table,
    *,
    masks: Sequence[str],
    seed: int,
    most_rows: int,
    progress: Progress = silent,
) -> Smoke:
    """Tune on a few of the training ``rows`` of every class, and score them.

    Base, method, batches and texts are those of ``settings``, the epochs are three. Raises as
    ``TrafficLm.fit`` does.
    """
    few = rows.take(few_of_each(labels_of(rows), most_rows, seed))
    model = TrafficLm(settings.model_copy(update={"epochs": EPOCHS}))
    clock = _Clock(progress)
    with peak_memory() as memory:
        model.fit(few, labels_of(few), masks=masks, seed=seed, validation=None, progress=clock)
        begun = time.perf_counter()
        model.predict_proba(few)
        scored = time.perf_counter() - begun
    return Smoke(
        rows=few.num_rows,
        classes=len(model.classes),
        steps=len(clock.readings),
        loss=[model.curve[0].loss, model.curve[-1].loss],
        tokens_per_row=float(_lengths(model, _some(rows, seed)).mean()),
        train_tokens_per_second=clock.rate(),
        score_tokens_per_second=_lengths(model, few).sum() / scored,
        memory_mb=round(memory.bytes / MEGABYTE),
        device=best_device().type,
    )


def few_of_each(labels: Sequence[str], most: int, seed: int) -> np.ndarray:
    """Places of at most ``most`` rows, as many of every class as of the others, ascending.

    Two at least: with fewer places than classes, rows of some classes only.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    seen: dict[str, int] = {}
    turns = []
    for place in order.tolist():
        turns.append(seen.setdefault(labels[place], 0))
        seen[labels[place]] += 1
    taken = order[np.argsort(turns, kind="stable")][: max(2, most)]
    return np.sort(taken)


@dataclass
class Memory:
    """The most ``bytes`` that were taken since the beginning."""

    bytes: int = 0


@contextmanager
def peak_memory() -> Iterator[Memory]:
    """The most memory that is taken inside: of the GPU, or of the process where there is none."""
    found = Memory()
    if best_device().type == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        yield found
        found.bytes = torch.cuda.max_memory_allocated() - before
        return
    before, ended = _resident(), threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            found.bytes = max(found.bytes, _resident() - before)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield found
    finally:
        ended.set()
        looking.join()


@dataclass
class _Clock:
    """A progress that notes how many tokens were done when, after each step."""

    progress: Progress
    readings: list[tuple[float, float]] = field(default_factory=list)

    def __call__(self, what: str, done: float, total: float | None, unit: str) -> None:
        self.readings.append((time.perf_counter(), done))
        self.progress(what, done, total, unit)

    def rate(self) -> float:
        """Tokens a second after the first step, which has everything to set up."""
        (begun, first), (ended, last) = self.readings[0], self.readings[-1]
        return (last - first) / (ended - begun)


def _some(rows: pa.Table, seed: int) -> pa.Table:
    places = np.random.default_rng(seed).permutation(rows.num_rows)[:COUNTED_ROWS]
    return rows.take(np.sort(places))


def _lengths(model: TrafficLm, rows: pa.Table) -> np.ndarray:
    """Tokens of each row as it is trained on."""
    settings, prompts = model.settings, model.prompts
    beside = len(prompts.head(settings.task)) + max(map(len, model.labels))
    texts = row_texts(rows, model.card.masks)
    return np.array([beside + len(each) for each in prompts.traffic(texts, settings.most_tokens)])


def _resident() -> int:
    """Bytes of memory that the process holds; the most that it ever held where /proc is missing."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * resource.getpagesize()
