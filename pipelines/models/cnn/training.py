"""Training a network on arrays that fit into memory, with early stopping."""

import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from scipy.special import log_softmax
from torch import Tensor, nn

from pipelines.errors import InputError
from pipelines.evaluate.metrics import macro_f1
from pipelines.models.base import Epoch
from pipelines.models.cnn.cost import PREDICT_ROWS
from pipelines.models.cnn.learning import CnnEpoch
from pipelines.models.cnn.optimiser import new_optimiser, rate_in, set_rate
from pipelines.models.cnn.settings import CnnSettings
from pipelines.progress import Progress

# What a network reads: arrays of shape (rows, ...), whole numbers for embeddings or float32.
Inputs = Sequence[np.ndarray]


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
    ``one_thread``. Raises InputError if the loss grows beyond all numbers.
    """
    trainer = _Trainer(network, inputs, numbers, settings, progress)
    curve: list[Epoch] = []
    best, best_score, best_weights = 0, -1.0, None
    for number in range(1, settings.epochs + 1):
        loss = trainer.epoch(number)
        _check_finite(loss, number, settings)
        if validation is None:
            curve.append(CnnEpoch(epoch=number, loss=loss, validation_macro_f1=None))
            continue
        said, truth = logits(network, validation[0]), validation[1]
        score = macro_f1(truth, said.argmax(axis=1))
        doubt = weighted_loss(said, truth, trainer.weights)
        curve.append(
            CnnEpoch(epoch=number, loss=loss, validation_macro_f1=score, validation_loss=doubt)
        )
        if score > best_score:
            best, best_score, best_weights = number, score, copy.deepcopy(network.state_dict())
        elif number - best >= settings.patience:
            break
    if best_weights is not None:
        network.load_state_dict(best_weights)
    return curve


def weighted_loss(said: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> float | None:
    """The mean cross-entropy of logits (rows, classes), each row with the weight of its class.

    Rows of a class that the network does not know, -1, are left out; None if there are no others.
    """
    known = np.flatnonzero(truth >= 0)
    if not len(known):
        return None
    surprise = -log_softmax(said[known], axis=1)[np.arange(len(known)), truth[known]]
    return float(np.average(surprise, weights=weights[truth[known]]))


def _check_finite(loss: float, epoch: int, settings: CnnSettings) -> None:
    if np.isfinite(loss):
        return
    rate = settings.resolved().optimiser.learning_rate
    raise InputError(
        f"The training of cnn diverged: after epoch {epoch} its loss is no number.",
        f"Take a smaller learning_rate than {rate:g}, or blocks with a norm.",
    )


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
        self.epochs, self.progress = settings.epochs, progress
        self.architecture = settings.resolved()
        self.device = next(network.parameters()).device
        self.weights = class_weights(numbers, settings.most_class_weight)
        self.criterion = nn.CrossEntropyLoss(torch.tensor(self.weights).float().to(self.device))
        self.optimiser = new_optimiser(network, self.architecture.optimiser)

    def epoch(self, number: int) -> float:
        """Train on every row once, in random order; the mean loss of its batches."""
        self.network.train()
        set_rate(self.optimiser, rate_in(number, self.architecture.optimiser))
        rows, losses, done = len(self.numbers), [], (number - 1) * len(self.numbers)
        for batch in self._batches():
            losses.append(self._step(batch.numpy()))
            done += len(batch)
            total = self.epochs * rows
            self.progress("training cnn", done, total, f"rows, loss {losses[-1]:.3f}")
        return float(np.mean(losses))

    def _batches(self) -> list[Tensor]:
        """All rows in random order. A last one that is alone joins the others before it where
        batches are normalised: of one row there is no deviation."""
        batches = list(torch.randperm(len(self.numbers)).split(self.architecture.batch_size))
        if self.architecture.normalises_batches and len(batches[-1]) == 1:
            batches[-2:] = [torch.cat(batches[-2:])]
        return batches

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
