"""What every detector model is: fit on rows, give class probabilities, live in a folder without pickle."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import pyarrow as pa

from pipelines.progress import Progress


class Classifier(Protocol):
    """A model over dataset rows. Rows are pyarrow tables as the loaders make them, labels are strings.

    ``name`` is the model's name in reports (``random_forest``, ``cnn``); ``classes`` is sorted and
    fixed by ``fit``. Everything that a fit learns (encoders, scales, vocabularies) comes from the
    rows given to it and from nothing else.
    """

    name: str
    classes: list[str]

    def fit(
        self,
        rows: pa.Table,
        labels: Sequence[str],
        *,
        masks: Sequence[str],
        seed: int,
        validation: tuple[pa.Table, Sequence[str]] | None,
        progress: Progress,
    ) -> None:
        """Learn from ``rows``. ``validation`` serves early stopping only."""

    def predict_proba(self, rows: pa.Table) -> np.ndarray:
        """Probabilities of shape (rows, classes), float64, each row summing to 1."""

    def save(self, folder: Path) -> None:
        """Write the model into an existing empty folder: safetensors, skops and JSON only."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote. Raises InputError if the folder is not such a model."""
