"""What processes do in the tests of training: they import this module by its name."""

import itertools
import os
import resource
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import safetensors.torch
import torch
from accelerate import PartialState
from torch import Tensor, nn

from pipelines.errors import NetloopError
from pipelines.models.cnn.training import seeded
from pipelines.models.traffic_lm.batches import Example
from pipelines.models.traffic_lm.training import TrainSettings, train

TOKENS = 60
SETTINGS = TrainSettings(epochs=3, batch_rows=8, learning_rate=1e-3, patience=2)
LONG = SETTINGS.model_copy(update={"epochs": 6})
EVERY_STEP = {"checkpoint_seconds": 0}
# So many tokens that their logits are what memory is needed for.
WIDE = 20_000
WHOLE = TrainSettings(epochs=1, batch_rows=16)

Say = Callable[[object], None]


class SmallModel(nn.Module):
    """Causal attention with dropout, called as models of transformers are, imported in no time."""

    def __init__(self, dropout: float = 0.0, tokens: int = TOKENS) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, 16)
        self.query_key_value = nn.Linear(16, 48, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, tokens)

    def forward(
        self, input_ids: Tensor, logits_to_keep: Tensor, use_cache: bool
    ) -> SimpleNamespace:
        hidden = self.embedding(input_ids)
        query, key, value = self.query_key_value(hidden)[:, None].chunk(3, dim=-1)
        attended = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        hidden = self.norm(hidden + self.dropout(attended[:, 0]))
        return SimpleNamespace(logits=self.head(hidden[:, logits_to_keep]))


def new_model(dropout: float = 0.0, tokens: int = TOKENS) -> SmallModel:
    with seeded(0):
        return SmallModel(dropout, tokens)


def examples(count: int = 41) -> list[Example]:
    """Six batches of eight, of which one has a single row."""
    random = np.random.default_rng(0)
    rows = [random.integers(0, TOKENS, length) for length in random.integers(5, 15, count)]
    return [Example(row, 1 + place % 4, 1 + place % 2) for place, row in enumerate(rows)]


def wide_examples() -> list[Example]:
    return [Example(np.arange(100) + row, 99) for row in range(16)]


def begin(task: Callable[..., None], said: Connection, *arguments: object) -> None:
    """Do ``task`` on one core, with warnings as errors."""
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    task(said.send, *arguments)


def together(say: Say, rank: int, port: int, folder: Path) -> None:
    """One of two processes: it begins with weights of its own and validates for itself."""
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ |= world | {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"}
    model = new_model()
    with torch.no_grad():
        model.norm.bias.add_(rank)
    scores = iter([[0.5, 0.4, 0.3], [0.1, 0.2, 0.3]][rank])
    told: list[str] = []
    curve = train(
        model,
        examples(),
        SETTINGS,
        seed=0,
        validate=lambda: next(scores),
        checkpoints=folder / "checkpoints",
        progress=lambda *call: told.append(call[3]),
    )
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    safetensors.torch.save_file(weights, folder / f"{rank}.safetensors")
    say((curve, len(told)))
    PartialState().destroy_process_group()


def long(say: Say, folder: Path) -> None:
    """A training that says after each of its 36 steps that it lives."""
    settings = LONG.model_copy(update=EVERY_STEP)
    model = new_model(dropout=0.3)
    train(model, examples(), settings, seed=0, checkpoints=folder, progress=lambda *call: say(call))


def full_disk(say: Say, folder: Path) -> None:
    """A training whose files may be 20 kB at most from its third step on."""
    steps = itertools.count(1)

    def limit(*_: object) -> None:
        if next(steps) == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    settings = LONG.model_copy(update=EVERY_STEP)
    try:
        train(new_model(), examples(), settings, seed=0, checkpoints=folder, progress=limit)
    except NetloopError as error:
        say(str(error))


def little_memory(say: Say) -> None:
    """A training with 250 MB more than it has at its start: 128 MB are the logits of its batch."""
    train(new_model(tokens=WIDE), wide_examples()[:1], WHOLE, seed=0)
    model = new_model(tokens=WIDE)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + 250_000_000
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    told: list[str] = []
    curve = train(model, wide_examples(), WHOLE, seed=0, warn=told.append)
    say((told, curve))
