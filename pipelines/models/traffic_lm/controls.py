"""Controls: what a tuned traffic language model must beat for its training to mean something."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipelines.models.base import Epoch, class_numbers, in_batches
from pipelines.models.card import Card, new_card, read_card, write_card
from pipelines.models.cnn.training import best_device
from pipelines.models.skops_file import read_skops, write_skops
from pipelines.models.threads import threads_for
from pipelines.models.traffic_lm.base import Base, check_same
from pipelines.models.traffic_lm.batches import micro_batches
from pipelines.models.traffic_lm.classifier import TrafficLm, checked_settings, extended_base
from pipelines.models.traffic_lm.prompts import Prompts
from pipelines.models.traffic_lm.settings import TrafficLmSettings
from pipelines.progress import Progress
from pipelines.represent.traffic_text import row_texts
from pipelines.store.files import write_atomic

ESTIMATOR = "estimator.skops"
BASE = "base.txt"
BATCH_ROWS = 4096


class RandomTrafficLm(TrafficLm):
    """The same network tuned in the same way from random weights: what pre-training adds."""

    name: ClassVar[str] = "traffic_lm_random"
    fixed: ClassVar[Mapping[str, Any]] = {"initial": "random", "method": "full"}


class FrozenTrafficLm:
    """Logistic regression on what the untuned base makes of a row: what tuning adds.

    Its features are the base's last hidden states at the mark before the answer.
    """

    name: ClassVar[str] = "traffic_lm_frozen"

    card: Card
    base: Base
    fitted: Any

    def __init__(self, settings: TrafficLmSettings | None = None) -> None:
        self.settings = settings or TrafficLmSettings()
        self.curve: list[Epoch] = []

    @classmethod
    def configured(cls, settings: Mapping[str, Any]) -> Self:
        """A control with ``settings`` (see TrafficLmSettings); those of the training do nothing.

        Raises InputError for a wrong one.
        """
        return cls(checked_settings(cls.name, settings))

    @property
    def classes(self) -> list[str]:
        """The classes in the order of the probabilities' columns."""
        return self.card.classes

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
        """Learn from ``rows``; it does not stop early, so ``validation`` is not read."""
        _, numbers = class_numbers(labels, rows)
        settings = self.settings.model_dump()
        self.card = new_card(self.name, rows, labels, masks=masks, seed=seed, settings=settings)
        self.base = extended_base(self.settings)
        self.base.model.to(best_device()).eval()
        features = self._features(rows, progress)
        self.fitted = make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=2000, class_weight="balanced")
        )
        with threads_for(features.size):
            self.fitted.fit(features, numbers)

    def predict_proba(self, rows: pa.Table) -> np.ndarray:
        """Probabilities of shape (rows, classes)."""
        return in_batches(rows, BATCH_ROWS, len(self.classes), self._probabilities)

    def for_refit(self) -> Self:
        """It needs nothing from its first fit."""
        return type(self)(self.settings)

    def save(self, folder: Path) -> None:
        """Write the estimator, which base it belongs to, and the card."""
        write_skops(folder / ESTIMATOR, self.fitted)
        write_atomic(folder / BASE, self.base.fingerprint)
        write_card(folder, self.card)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote. Raises InputError if the folder is not such a model."""
        card = read_card(folder, cls.name)
        control = cls.configured(card.settings)
        control.card = card
        control.fitted = read_skops(folder / ESTIMATOR)
        control.base = extended_base(control.settings)
        check_same(control.base, (folder / BASE).read_text(), folder)
        control.base.model.to(best_device()).eval()
        return control

    def _probabilities(self, rows: pa.Table) -> np.ndarray:
        features = self._features(rows)
        with threads_for(features.size):
            return np.asarray(self.fitted.predict_proba(features), dtype=np.float64)

    def _features(self, rows: pa.Table, progress: Progress | None = None) -> np.ndarray:
        """The last hidden states of the last tokens, float32 of shape (rows, hidden size)."""
        prompts, settings, model = Prompts(self.base.tokenizer), self.settings, self.base.model
        head = prompts.head(settings.task)
        texts = row_texts(rows, self.card.masks)
        asked = [[*head, *tokens] for tokens in prompts.traffic(texts, settings.most_tokens)]
        lengths = np.array([len(tokens) for tokens in asked])
        features = np.empty((len(asked), model.config.hidden_size), np.float32)
        done, decoder = 0, model.get_decoder()
        with torch.inference_mode():
            for places in micro_batches(lengths, settings.tokens_at_once()):
                padded = np.zeros((len(places), lengths[places].max()), np.int64)
                for row, place in enumerate(places):
                    padded[row, : lengths[place]] = asked[place]
                tokens = torch.from_numpy(padded).to(model.device)
                states = decoder(input_ids=tokens, use_cache=False).last_hidden_state
                ends = torch.from_numpy(lengths[places] - 1).to(model.device)
                last = states[torch.arange(len(places), device=model.device), ends]
                features[places] = last.float().cpu().numpy()
                done += len(places)
                if progress is not None:
                    progress(f"fitting {self.name}", done, len(asked), "rows")
        return features
