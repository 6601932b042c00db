"""The whole state of a training on disk, so that a killed one goes on as if nothing had happened.

A checkpoint is a folder that is renamed into place when it is complete: whoever reads finds a
whole one at any moment. It holds safetensors and JSON only.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from torch import Tensor

from pipelines.errors import InputError, NetloopError
from pipelines.models.base import Epoch
from pipelines.models.traffic_lm.batches import Example
from pipelines.store.files import canonical_json, hash_text, scratch_folder, write_atomic

STATE = "state.json"
WHOLE, UNFINISHED = "checkpoint-*", ".making-*"


class Parts(NamedTuple):
    """The tensors of a training by name, each part a file."""

    weights: Mapping[str, Tensor]
    optimiser: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    """The weights that validated best so far; none without validation."""


class TrainState(BaseModel):
    """Where a training stands. Random numbers need no place: every step has its own seed."""

    model_config = ConfigDict(extra="forbid")

    fingerprint: dict[str, str]
    """What the training is made from (see ``fingerprint``)."""
    micro_tokens: int
    """The most tokens at once, less than was set once memory did not suffice."""
    epoch: int = 1
    """The epoch in progress, from 1."""
    batch: int = 0
    """How many of its batches are done."""
    tokens: int = 0
    """Tokens that were read in all epochs."""
    loss: float = 0.0
    """The epoch's loss so far, summed over answer tokens times their weights."""
    weight: float = 0.0
    """The sum of these weights."""
    curve: list[Epoch] = []

    def since_best(self) -> int:
        """Epochs since the one that validated best, the first of equals; 0 without validation."""
        scores = [score for epoch in self.curve if (score := epoch.validation_macro_f1) is not None]
        return len(scores) - 1 - scores.index(max(scores)) if scores else 0


def fingerprint(
    settings: Mapping[str, Any],
    seed: int,
    examples: Sequence[Example],
    weights: Mapping[str, Tensor],
) -> dict[str, str]:
    """What must be the same for a checkpoint to be gone on from, hashed by kind.

    Of ``weights``, those that are trained, names and shapes count.
    """
    digest = hashlib.sha256()
    for example in examples:
        tokens = np.asarray(example.tokens, np.int64)
        digest.update(np.array([len(tokens), example.answer]).tobytes())
        digest.update(np.float64(example.weight).tobytes() + tokens.tobytes())
    shapes = [[name, list(weight.shape)] for name, weight in weights.items()]
    return {
        "settings": hash_text(canonical_json(settings)),
        "seed": str(seed),
        "examples": digest.hexdigest(),
        "trained weights": hash_text(canonical_json(shapes)),
    }


def save(folder: Path, state: TrainState, parts: Parts) -> None:
    """Write a checkpoint into ``folder``, then remove the one before.

    Raises NetloopError if it cannot be written; the one before is then as it was.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = sorted(folder.glob(WHOLE))
        number = int(before[-1].name.rpartition("-")[2]) + 1 if before else 1
        with scratch_folder(folder) as scratch:
            for part, tensors in parts._asdict().items():
                held = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
                write_atomic(scratch / f"{part}.safetensors", safetensors.torch.save(held))
            write_atomic(scratch / STATE, state.model_dump_json())
            scratch.rename(folder / f"checkpoint-{number:09}")
        for old in [*before, *folder.glob(UNFINISHED)]:
            shutil.rmtree(old)
    except OSError as error:
        raise NetloopError(
            f"The checkpoint of the training could not be written into {folder}: {error.strerror}.",
            "Make room there and start the training again: it goes on from the checkpoint before, "
            "which is whole, or from the beginning if there is none.",
        ) from error


def load(folder: Path, fingerprint: Mapping[str, str]) -> tuple[TrainState, Parts] | None:
    """The newest checkpoint of ``folder``, its tensors on the CPU; None if there is none.

    Raises InputError for that of another training and for one that cannot be read.
    """
    checkpoints = sorted(folder.glob(WHOLE))
    if not checkpoints:
        return None
    newest = checkpoints[-1]
    try:
        state = TrainState.model_validate_json((newest / STATE).read_bytes())
        files = [newest / f"{part}.safetensors" for part in Parts._fields]
        parts = Parts(*(safetensors.torch.load(file.read_bytes()) for file in files))
    except (OSError, ValidationError, SafetensorError) as error:
        raise InputError(
            f"{newest} is not a checkpoint that can be read.",
            "Remove it to begin the training anew.",
        ) from error
    other = [kind for kind, value in fingerprint.items() if state.fingerprint.get(kind) != value]
    if other:
        raise InputError(
            f"{folder} holds a checkpoint of another training: other {' and '.join(other)}.",
            "Go on with what that training was begun with, or remove the folder to begin anew.",
        )
    return state, parts


def discard(folder: Path) -> None:
    """Remove the checkpoints of ``folder``, and the folder if it holds nothing else."""
    for old in [*folder.glob(WHOLE), *folder.glob(UNFINISHED)]:
        shutil.rmtree(old)
    with contextlib.suppress(OSError):
        folder.rmdir()
