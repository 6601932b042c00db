"""What a language model learns from, in batches of like lengths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Batches that are cut from one sorted pool: more would save some padding, but rows of like lengths
# are often of one class, and batches of few classes teach badly.
POOL_BATCHES = 4


@dataclass(frozen=True)
class Example:
    """A prompt with its answer; raises ValueError where there is nothing to learn.

    ``answer`` is how many of the last ``tokens`` are learned, each from all tokens before it: from
    1 to one less than there are. Each counts ``weight`` times.
    """

    tokens: Sequence[int] | np.ndarray
    answer: int
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.answer < len(self.tokens):
            raise ValueError(f"{self.answer} of {len(self.tokens)} tokens cannot be learned")
        if not 0 < self.weight < np.inf:
            raise ValueError(f"a weight is above 0, not {self.weight}")


@dataclass(frozen=True)
class Padded:
    """Some examples as tensors; ``learned`` stands for the number of answer tokens of all of them.

    Zeros stand behind shorter rows: causal attention looks back only, so no answer sees them and
    no mask is needed, which lets attention take its fastest kernel.
    """

    tokens: Tensor
    """Shape (rows, longest - 1): the last token of the longest row is only ever predicted."""
    positions: Tensor
    """The positions, ascending, at which the next token is learned in any row."""
    places: Tensor
    """Shape (learned,): where the answers are among (rows * positions) predictions."""
    targets: Tensor
    """Shape (learned,): the tokens to predict there."""
    weights: Tensor
    """Shape (learned,), float32: what each of them counts."""

    def to(self, device: torch.device) -> "Padded":
        """The same on ``device``."""
        return Padded(**{name: value.to(device) for name, value in vars(self).items()})


def padded(examples: Sequence[Example]) -> Padded:
    """Examples side by side, padded on the right to the longest."""
    shape = len(examples), max(len(example.tokens) for example in examples)
    tokens, learned = np.zeros(shape, np.int64), np.zeros(shape, bool)
    for row, example in enumerate(examples):
        length = len(example.tokens)
        tokens[row, :length] = example.tokens
        learned[row, length - example.answer : length] = True
    before = learned[:, 1:]  # the answers' predictions stand one place earlier
    positions = np.flatnonzero(before.any(axis=0))
    answers = [example.answer for example in examples]
    weights = np.repeat([example.weight for example in examples], answers)
    return Padded(
        tokens=torch.from_numpy(tokens[:, :-1]),
        positions=torch.from_numpy(positions),
        places=torch.from_numpy(np.flatnonzero(before[:, positions])),
        targets=torch.from_numpy(tokens[learned]),
        weights=torch.from_numpy(weights.astype(np.float32)),
    )


def plan_epoch(
    lengths: Sequence[int] | np.ndarray, batch_rows: int, seed: int, epoch: int
) -> list[np.ndarray]:
    """The batches of one epoch: numbers of rows, every row once, like lengths together.

    Rows are shuffled and cut into pools; a pool is sorted by length and cut into batches, and the
    batches of all pools are shuffled. Equal arguments give equal batches.
    """
    random = np.random.default_rng([seed, epoch])
    lengths, order = np.asarray(lengths), random.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), POOL_BATCHES * batch_rows):
        pool = order[start : start + POOL_BATCHES * batch_rows]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[cut : cut + batch_rows] for cut in range(0, len(pool), batch_rows)]
    return [batches[place] for place in random.permutation(len(batches))]


def micro_batches(lengths: Sequence[int] | np.ndarray, micro_tokens: int) -> list[np.ndarray]:
    """Places of a batch's rows in groups whose rows * longest row is at most ``micro_tokens``.

    The longest rows come first, so that what does not fit into memory shows at once. A row that is
    longer than ``micro_tokens`` stands alone.
    """
    lengths = np.asarray(lengths)
    order = np.argsort(-lengths, kind="stable")
    groups, start = [], 0
    while start < len(order):
        rows = max(1, micro_tokens // int(lengths[order[start]]))
        groups.append(order[start : start + rows])
        start += rows
    return groups
