"""What the models of the ladder share: features, a scikit-learn estimator, two files."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from pipelines.errors import InputError
from pipelines.models.base import Epoch, class_numbers, in_batches
from pipelines.models.card import Card, new_card, read_card, write_card
from pipelines.models.skops_file import read_skops, write_skops
from pipelines.models.threads import threads_for, while_fitting
from pipelines.progress import Progress
from pipelines.represent.features import FeatureEncoder
from pipelines.represent.scaling import Scaler
from pipelines.store.files import write_atomic

ESTIMATOR = "estimator.skops"
ENCODER = "encoder.json"
SCALER = "scaler.json"
BATCH_ROWS = 16384


class Baseline(ABC):
    """A scikit-learn estimator over encoded rows.

    A subclass gives ``name``, whether features are ``scaled``, and how to ``train``.
    """

    name: ClassVar[str]
    scaled: ClassVar[bool] = False

    card: Card
    encoder: FeatureEncoder
    scaler: Scaler | None
    fitted: Any

    def __init__(self) -> None:
        self.curve: list[Epoch] = []

    @classmethod
    def configured(cls, settings: Mapping[str, Any]) -> Self:
        """A baseline; it has no settings, so as to be the same everywhere, and refuses any."""
        if settings:
            raise InputError(
                f"The model {cls.name!r} has no setting {min(settings)!r}.",
                "Baselines are the same everywhere: leave their settings out.",
            )
        return cls()

    @property
    def classes(self) -> list[str]:
        """The classes in the order of the probabilities' columns."""
        return self.card.classes

    @abstractmethod
    def train(self, features: np.ndarray, numbers: np.ndarray, seed: int) -> Any:
        """An estimator fitted on features (rows, features) and class numbers (rows,)."""

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
        """Learn from ``rows``; a baseline does not stop early, so ``validation`` is not read."""
        progress(f"fitting {self.name}", 0, 1, "models")
        _, numbers = class_numbers(labels, rows)
        self.card = new_card(self.name, rows, labels, masks=masks, seed=seed, settings={})
        self.encoder = FeatureEncoder.fit(rows, masks)
        features = self.encoder.transform(rows)
        self.scaler = Scaler.fit(features) if self.scaled else None
        with while_fitting(features.size):
            self.fitted = self.train(self._scale(features), numbers, seed)
        progress(f"fitting {self.name}", 1, 1, "models")

    def predict_proba(self, rows: pa.Table) -> np.ndarray:
        """Probabilities of shape (rows, classes)."""
        return in_batches(rows, BATCH_ROWS, len(self.classes), self._probabilities)

    def for_refit(self) -> Self:
        """A baseline needs nothing from its first fit."""
        return type(self)()

    def save(self, folder: Path) -> None:
        """Write the estimator, the encoder, the scaler where there is one, and the card."""
        write_skops(folder / ESTIMATOR, self.fitted)
        write_atomic(folder / ENCODER, self.encoder.model_dump_json())
        if self.scaler is not None:
            write_atomic(folder / SCALER, self.scaler.model_dump_json())
        write_card(folder, self.card)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote. Raises InputError if the folder is not such a model."""
        model = cls()
        model.card = read_card(folder, cls.name)
        try:
            model.encoder = FeatureEncoder.model_validate_json((folder / ENCODER).read_bytes())
            scaler = (folder / SCALER).read_bytes() if cls.scaled else None
            model.scaler = Scaler.model_validate_json(scaler) if scaler else None
        except (OSError, ValidationError) as error:
            raise InputError(
                f"{folder} lacks a readable encoder or scaler.", "Train the model again."
            ) from error
        model.fitted = read_skops(folder / ESTIMATOR)
        sizes = (
            getattr(model.fitted, "n_features_in_", 0),
            len(getattr(model.fitted, "classes_", ())),
        )
        if sizes != (len(model.encoder.names), len(model.classes)):
            raise InputError(
                f"The estimator in {folder} is not the one that its encoder and card belong to.",
                "Use a model folder that netloop wrote and nobody changed.",
            )
        return model

    def _scale(self, features: np.ndarray) -> np.ndarray:
        return features if self.scaler is None else self.scaler.transform(features)

    def _probabilities(self, rows: pa.Table) -> np.ndarray:
        features = self._scale(self.encoder.transform(rows))
        with threads_for(features.size):
            return np.asarray(self.fitted.predict_proba(features), dtype=np.float64)
