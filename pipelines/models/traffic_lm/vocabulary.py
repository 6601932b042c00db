"""The vocabulary of a traffic language model: a base's own, and what is added to it.

Added are the traffic tokens, a mark before the traffic and one before the answer, one token for
each task and reserved tokens that stand for labels. The rows of the new tokens in the embedding
(and in the output layer, where that is another) begin as the mean of the pieces that they replace;
a token that replaces nothing begins as a random row of the same size as the others.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AddedToken, PreTrainedModel, PreTrainedTokenizerBase

from pipelines.instructions.tasks import NONE, TASKS

TRAFFIC = "<|traffic|>"
ANSWER = "<|answer|>"
LABELS = tuple(f"<|label_{number}|>" for number in range(256))
MULTIPLE = 64  # of the vocabulary's size: matrix kernels like it
SEED = 0


def task_token(code: str) -> str:
    """The token that names a task of ``pipelines.instructions``."""
    return f"<|task_{code}|>"


TASK_TOKENS = tuple(task_token(task.code) for task in (*TASKS, NONE))
MARKS = (TRAFFIC, ANSWER, *TASK_TOKENS, *LABELS)


def is_extended(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a tokenizer has the marks of a traffic language model."""
    vocabulary = tokenizer.get_vocab()
    return all(mark in vocabulary for mark in MARKS)


def extend(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, traffic_tokens: Sequence[str]
) -> list[int]:
    """Add marks and traffic tokens to both, in place; returns the numbers of the new tokens.

    What is there already stays as it is, so that extending twice changes nothing.
    """
    known = tokenizer.get_vocab()
    marks = [token for token in MARKS if token not in known]
    learned = [token for token in traffic_tokens if token not in known]
    pieces = [tokenizer.encode(token, add_special_tokens=False) for token in learned]
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=True) for t in marks])
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=False) for t in learned])
    mark_numbers = _numbers(tokenizer, marks)
    learned_numbers = _numbers(tokenizer, learned)
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(
            len(tokenizer), pad_to_multiple_of=MULTIPLE, mean_resizing=False
        )
    old = sorted(set(range(len(tokenizer))) - {*mark_numbers, *learned_numbers})
    for matrix in _matrices(model):
        _fill(matrix, old, mark_numbers, learned_numbers, pieces)
    return [*mark_numbers, *learned_numbers]


def renew_labels(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Give the reserved labels random rows, as they had when they were added.

    No text holds them. Training on texts therefore pushes their rows away from everything, all in
    one direction, until an adapter can hardly tell one label from another.
    """
    labels = _numbers(tokenizer, LABELS)
    others = sorted(set(range(len(tokenizer))) - set(labels))
    for matrix in _matrices(model):
        _fill(matrix, others, labels, [], [])


def _numbers(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[str]) -> list[int]:
    return [int(number) for number in tokenizer.convert_tokens_to_ids(list(tokens))]


def _matrices(model: Any) -> list[Tensor]:
    """The embedding, and the output layer's weights where these are others."""
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    found = [inputs.weight]
    if isinstance(outputs, nn.Module) and outputs.weight is not inputs.weight:
        found.append(outputs.weight)
    return found


@torch.no_grad()  # type: ignore[untyped-decorator]
def _fill(
    matrix: Tensor,
    old: Sequence[int],
    marks: Sequence[int],
    learned: Sequence[int],
    pieces: Sequence[Sequence[int]],
) -> None:
    spread = matrix[list(old)].float().std()
    noise = torch.Generator().manual_seed(SEED)
    rows = torch.randn(len(marks), matrix.shape[1], generator=noise) * spread.cpu()
    matrix[list(marks)] = rows.to(matrix)
    means = [matrix[list(piece)].float().mean(dim=0).to(matrix) for piece in pieces]
    for number, mean in zip(learned, means, strict=True):
        matrix[number] = mean
