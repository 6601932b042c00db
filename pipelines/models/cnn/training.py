"""Training a network on arrays that fit into memory, with early stopping."""

import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.evaluate.metrics import macro_f1
from pipelines.models.base import Epoch
from pipelines.models.cnn.settings import CnnSettings
from pipelines.progress import Progress

# What a network reads: arrays of shape (rows, ...), whole numbers for embeddings or float32.
Inputs = Sequence[np.ndarray]

PREDICT_ROWS = 512


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Reproducible random numbers inside, the caller's own outside."""
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one core: batches are small, so threads would mostly wait for each other.

    It also makes sums come out the same on machines with more cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def best_device() -> torch.device:
    """The GPU, or the processor where there is none. Of several processes each has its own GPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def class_weights(numbers: np.ndarray, most: float) -> np.ndarray:
    """The weight of each class's rows: rows / (classes * rows of the class), at most ``most``."""
    counts = np.bincount(numbers)
    return np.asarray(np.minimum(len(numbers) / (len(counts) * counts), most))


def train(
    network: nn.Module,
    inputs: Inputs,
    numbers: np.ndarray,
    *,
    validation: tuple[Inputs, np.ndarray] | None,
    settings: CnnSettings,
    progress: Progress,
) -> list[Epoch]:
    """Train ``network`` in place on class ``numbers`` (rows,) and return its learning curve.

    With ``validation`` it stops when macro-F1 there has not risen for ``patience`` epochs, and
    keeps the weights of the best one; without, it runs all epochs. Call it inside ``seeded`` and
    ``one_thread``.
    """
    trainer = _Trainer(network, inputs, numbers, settings, progress)
    curve: list[Epoch] = []
    best, best_score, best_weights = 0, -1.0, None
    for number in range(1, settings.epochs + 1):
        loss = trainer.epoch(number)
        if validation is None:
            curve.append(Epoch(epoch=number, loss=loss, validation_macro_f1=None))
            continue
        score = macro_f1(validation[1], logits(network, validation[0]).argmax(axis=1))
        curve.append(Epoch(epoch=number, loss=loss, validation_macro_f1=score))
        if score > best_score:
            best, best_score, best_weights = number, score, copy.deepcopy(network.state_dict())
        elif number - best >= settings.patience:
            break
    if best_weights is not None:
        network.load_state_dict(best_weights)
    return curve


def logits(network: nn.Module, inputs: Inputs) -> np.ndarray:
    """What the network says of each row, at least one: float64 of shape (rows, classes)."""
    device = next(network.parameters()).device
    network.eval()
    with one_thread(), torch.inference_mode(), _mixed_precision(device):
        pieces = [
            network(*_tensors([array[start : start + PREDICT_ROWS] for array in inputs], device))
            for start in range(0, len(inputs[0]), PREDICT_ROWS)
        ]
        return np.asarray(torch.cat(pieces).double().cpu())


class _Trainer:
    """The optimiser's state, and one pass over the rows at a time."""

    def __init__(
        self,
        network: nn.Module,
        inputs: Inputs,
        numbers: np.ndarray,
        settings: CnnSettings,
        progress: Progress,
    ) -> None:
        self.network, self.inputs, self.numbers = network, inputs, numbers
        self.settings, self.progress = settings, progress
        self.device = next(network.parameters()).device
        weights = class_weights(numbers, settings.most_class_weight)
        self.criterion = nn.CrossEntropyLoss(torch.tensor(weights).float().to(self.device))
        self.optimiser = torch.optim.AdamW(
            network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )

    def epoch(self, number: int) -> float:
        """Train on every row once, in random order; the mean loss of its batches."""
        self.network.train()
        rows, losses = len(self.numbers), []
        for batch in torch.randperm(rows).split(self.settings.batch_size):
            losses.append(self._step(batch.numpy()))
            done = (number - 1) * rows + min(len(losses) * self.settings.batch_size, rows)
            total = self.settings.epochs * rows
            self.progress("training cnn", done, total, f"rows, loss {losses[-1]:.3f}")
        return float(np.mean(losses))

    def _step(self, batch: np.ndarray) -> float:
        inputs = _tensors([array[batch] for array in self.inputs], self.device)
        targets = torch.from_numpy(self.numbers[batch]).to(self.device)
        with _mixed_precision(self.device):
            loss = self.criterion(self.network(*inputs), targets)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())


def _tensors(arrays: Inputs, device: torch.device) -> list[Tensor]:
    """Arrays on the device; whole numbers as the 64-bit ones that embeddings ask for."""
    tensors = [torch.from_numpy(array).to(device) for array in arrays]
    return [tensor if tensor.is_floating_point() else tensor.long() for tensor in tensors]


def _mixed_precision(device: torch.device) -> torch.autocast:
    """bfloat16 on a GPU; processors compute in float32, the same everywhere."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
