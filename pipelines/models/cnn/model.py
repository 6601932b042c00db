"""The convolutional network as a classifier over rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import safetensors.torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from scipy.special import softmax
from torch import nn

from pipelines.errors import InputError
from pipelines.models.base import Epoch, class_numbers, in_batches
from pipelines.models.card import Card, new_card, read_card, write_card
from pipelines.models.cnn.architecture import Architecture
from pipelines.models.cnn.inputs import CnnInputs, TableInputs, TrafficInputs, fit_inputs
from pipelines.models.cnn.learning import best_epoch
from pipelines.models.cnn.limits import check_architecture, check_size
from pipelines.models.cnn.network import build_network
from pipelines.models.cnn.settings import CnnSettings
from pipelines.models.cnn.training import Inputs, best_device, logits, one_thread, seeded, train
from pipelines.progress import Progress
from pipelines.store.files import write_atomic

WEIGHTS = "model.safetensors"
INPUTS = "inputs.json"
BATCH_ROWS = 16384


class Cnn:
    """A 1-D CNN: over packet tokens and payload bytes of captures, over the columns of tables.

    The card's settings carry the architecture, whether it was given or is the plain one.
    """

    name: ClassVar[str] = "cnn"

    card: Card
    inputs: TrafficInputs | TableInputs
    network: nn.Module

    def __init__(self, settings: CnnSettings | None = None) -> None:
        self.settings = settings or CnnSettings()
        self.curve: list[Epoch] = []

    @classmethod
    def configured(cls, settings: Mapping[str, Any]) -> Self:
        """A network with ``settings`` (see CnnSettings). Raises InputError for a wrong one."""
        try:
            return cls(CnnSettings.model_validate(settings))
        except ValidationError as error:
            wrong = error.errors()[0]
            raise InputError(
                f"The setting {'.'.join(map(str, wrong['loc']))!r} of the model 'cnn' is wrong: "
                f"{wrong['msg']}.",
                f"Its settings are {', '.join(CnnSettings.model_fields)}.",
            ) from error

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
        """Learn from ``rows``; stop early by macro-F1 on ``validation`` where it is given.

        Raises InputError for what Classifier names, an architecture that does not fit the rows or
        is too large, and a training that diverges.
        """
        classes, numbers = class_numbers(labels, rows)
        architecture = self.settings.resolved()
        settings = self.settings.model_copy(update={"architecture": architecture})
        self.card = new_card(
            self.name,
            rows,
            labels,
            masks=masks,
            seed=seed,
            settings=settings.model_dump(mode="json"),
        )
        self.inputs = fit_inputs(rows, masks, architecture)
        shape = self.inputs.shape()
        check_architecture(architecture, shape, len(classes))
        with seeded(seed), one_thread():
            self.network = build_network(architecture, shape, len(classes)).to(best_device())
            self.curve = train(
                self.network,
                self.inputs.arrays(rows),
                numbers,
                validation=self._watched(validation),
                settings=self.settings,
                progress=progress,
            )

    @property
    def parameters(self) -> int:
        """How many numbers the network has learnt."""
        return sum(weights.numel() for weights in self.network.parameters())

    def predict_proba(self, rows: pa.Table) -> np.ndarray:
        """Probabilities of shape (rows, classes)."""
        return in_batches(rows, BATCH_ROWS, len(self.classes), self._probabilities)

    def for_refit(self) -> Self:
        """The same settings, with the epochs after which validation was best."""
        epochs = best_epoch(self.curve) or self.settings.epochs
        return type(self)(self.settings.model_copy(update={"epochs": epochs}))

    def save(self, folder: Path) -> None:
        """Write the weights, how rows are read, and the card."""
        weights = {name: value.cpu() for name, value in self.network.state_dict().items()}
        write_atomic(folder / WEIGHTS, safetensors.torch.save(weights))
        write_atomic(folder / INPUTS, self.inputs.model_dump_json())
        write_card(folder, self.card)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote. Raises InputError if the folder is not such a model."""
        card = read_card(folder, cls.name)
        model = cls.configured(card.settings)
        model.card = card
        try:
            content = (folder / INPUTS).read_bytes()
            model.inputs = TypeAdapter[Any](CnnInputs).validate_json(content)
            model.network = _network(model.settings.resolved(), model.inputs, len(card.classes))
            state = safetensors.torch.load((folder / WEIGHTS).read_bytes())
            model.network.load_state_dict(state)
        except (OSError, RuntimeError, ValidationError, SafetensorError) as error:
            raise InputError(
                f"{folder} does not hold a network that can be read.",
                "Use a model folder that netloop wrote and nobody changed.",
            ) from error
        model.network.to(best_device())
        return model

    def _watched(
        self, validation: tuple[pa.Table, Sequence[str]] | None
    ) -> tuple[Inputs, np.ndarray] | None:
        """What the network reads of validation rows, and their classes' numbers, -1 for unknown."""
        if validation is None or not validation[0].num_rows:
            return None
        numbers = {name: number for number, name in enumerate(self.classes)}
        truth = np.array([numbers.get(label, -1) for label in validation[1]])
        return self.inputs.arrays(validation[0]), truth

    def _probabilities(self, rows: pa.Table) -> np.ndarray:
        return np.asarray(softmax(logits(self.network, self.inputs.arrays(rows)), axis=1))


def _network(
    architecture: Architecture, inputs: TrafficInputs | TableInputs, classes: int
) -> nn.Module:
    """A network that weights can be read into, unless a folder claims one too large to build."""
    check_size(architecture, inputs.shape(), classes)
    return build_network(architecture, inputs.shape(), classes)
