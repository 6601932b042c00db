"""What every model is: fit on rows, give class probabilities, live in a folder without pickle."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from pipelines.errors import InputError
from pipelines.evaluate.metrics import places
from pipelines.progress import Progress

# Of a cross-validation within few rows.
FOLDS = 5


class Epoch(BaseModel):
    """One pass over the training rows, as a line of the learning curve."""

    epoch: int
    loss: float
    validation_macro_f1: float | None


class Classifier(Protocol):
    """A model over dataset rows: pyarrow tables as the loaders make them, with labels as strings.

    ``name`` is the model's name in reports (``random_forest``, ``cnn``); ``classes`` is sorted and
    fixed by ``fit``. Everything that a fit learns (encoders, scales, vocabularies) comes from the
    rows given to it and from nothing else. ``curve`` is empty for models without epochs.
    """

    name: str

    @property
    def classes(self) -> list[str]:
        """What it tells apart."""

    @property
    def curve(self) -> list[Epoch]:
        """How its last fit went."""

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
        """Learn from ``rows``. ``validation`` serves early stopping only.

        Raises InputError without rows, with fewer than two classes or with unreadable columns.
        """

    def predict_proba(self, rows: pa.Table) -> np.ndarray:
        """Probabilities of shape (rows, classes), float64, each row summing to 1."""

    def for_refit(self) -> Self:
        """An unfitted model with these settings that trains, without validation rows, as long as
        this one needed to be at its best."""

    def save(self, folder: Path) -> None:
        """Write the model into an existing empty folder: safetensors, skops and JSON only."""


class NamedModel(Classifier, Protocol):
    """A classifier that is made by its name: from settings, or from a folder."""

    @classmethod
    def configured(cls, settings: Mapping[str, Any]) -> Self:
        """An unfitted model. Raises InputError for a setting that it does not have."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote. Raises InputError if the folder is not such a model."""


@runtime_checkable
class Resumable(Protocol):
    """A model whose training takes long, and goes on from a folder after it was killed.

    ``warnings`` are what a person should know of the last fit.
    """

    checkpoints: Path | None
    warnings: list[str]


def predict(model: Classifier, rows: pa.Table) -> np.ndarray:
    """The most probable class of each row: strings in an array of objects, shape (rows,)."""
    return np.asarray(np.array(model.classes, object)[model.predict_proba(rows).argmax(axis=1)])


def labels_of(rows: pa.Table) -> list[str]:
    """The classes of the rows. Raises InputError if they have none."""
    if "label" not in rows.column_names or rows.column("label").null_count:
        raise InputError("There are rows without a label.", "Say where the labels come from.")
    labels: list[str] = rows.column("label").to_pylist()
    return labels


def class_numbers(labels: Sequence[str], rows: pa.Table) -> tuple[list[str], np.ndarray]:
    """The sorted classes, and each label's position among them.

    Raises InputError if the labels do not fit the rows or there are fewer than two classes.
    """
    if len(labels) != rows.num_rows:
        raise InputError(f"There are {rows.num_rows} rows but {len(labels)} labels.")
    classes = sorted(set(labels))
    if len(classes) < 2:
        found = f"only the class {classes[0]!r}" if classes else "no rows at all"
        raise InputError(
            f"The training side has {found}.", "A model needs rows of at least two classes."
        )
    return classes, places(labels, classes)


def stratified_folds(numbers: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each row, so that every class is spread as evenly over the folds as it can be.

    Works for classes with a single row too, where scikit-learn's splitter refuses.
    """
    shuffled = np.random.default_rng(seed).permutation(len(numbers))
    by_class = shuffled[np.argsort(numbers[shuffled], kind="stable")]
    fold = np.empty(len(numbers), dtype=np.int64)
    fold[by_class] = np.arange(len(numbers)) % folds
    return fold


def folds_of(numbers: np.ndarray) -> int:
    """How many folds have every class in each: FOLDS, or as many as the rarest class has rows.

    Raises InputError if a class has a single row.
    """
    folds = min(FOLDS, int(np.bincount(numbers).min()))
    if folds < 2:
        raise InputError(
            "A class has a single row, so nothing can be checked within these rows.",
            "Give at least two rows of every class.",
        )
    return folds


def in_batches(
    rows: pa.Table, size: int, classes: int, probabilities: Callable[[pa.Table], np.ndarray]
) -> np.ndarray:
    """``probabilities`` of pieces of ``size`` rows, one below the other: memory stays bounded."""
    pieces = [probabilities(rows.slice(start, size)) for start in range(0, rows.num_rows, size)]
    return np.vstack([np.empty((0, classes)), *pieces])
