"""What networks are made of: blocks over a sequence, the pooling of a whole one, the head."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from pipelines.models.cnn.architecture import Architecture, Norm, Pooling
from pipelines.models.cnn.cost import Convolution


class Residual(nn.Module):  # type: ignore[misc]
    """The sum of what layers make of a sequence and the sequence itself, through a layer of one
    place where widths or lengths differ."""

    def __init__(self, place: Convolution, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers
        width, stride = place.block.width, place.block.stride
        self.skip = nn.Conv1d(place.inputs, width, 1, stride) if place.projects else nn.Identity()

    def forward(self, sequence: Tensor) -> Tensor:
        """(rows, width, places) of (rows, inputs, length)."""
        return self.layers(sequence) + self.skip(sequence)


class WholeSequence(nn.Module):  # type: ignore[misc]
    """A sequence (rows, width, places) as one vector (rows, ``made``): its maximum, its mean, both,
    or a mean in which each place weighs as much as a learnt score says. Of no blocks nothing is
    ``made``."""

    def __init__(self, pooling: Pooling, blocks: Sequence[Convolution]) -> None:
        super().__init__()
        width = blocks[-1].block.width if blocks else 0
        self.pooling = pooling
        self.made = 2 * width if pooling == "both" else width
        learnt = pooling == "attention" and width > 0
        self.score = nn.Linear(width, 1, bias=False) if learnt else None

    def forward(self, sequence: Tensor) -> Tensor:
        if self.score is not None:
            weights = torch.softmax(self.score(sequence.transpose(1, 2)), dim=1)
            return (sequence @ weights).squeeze(2)
        maximum = [sequence.amax(dim=2)] if self.pooling != "mean" else []
        mean = [sequence.mean(dim=2)] if self.pooling != "max" else []
        return torch.cat([*maximum, *mean], dim=1)


def convolutions(places: Sequence[Convolution]) -> nn.Sequential:
    """The blocks, one behind the other. A plain one is a convolution and a ReLU and nothing else:
    the names of its weights are as they were before there were others."""
    return nn.Sequential(*(layer for place in places for layer in _layers(place)))


def head(features: int, classes: int, architecture: Architecture) -> nn.Sequential:
    """Logits (rows, classes) of joined features (rows, features)."""
    return nn.Sequential(
        nn.Dropout(architecture.dropout),
        nn.Linear(features, architecture.head),
        nn.ReLU(),
        nn.Dropout(architecture.dropout),
        nn.Linear(architecture.head, classes),
    )


def _layers(place: Convolution) -> Iterator[nn.Module]:
    block = place.block
    convolved = [_convolution(place), *_norm(block.norm, block.width), nn.ReLU(inplace=True)]
    if block.residual:
        yield Residual(place, nn.Sequential(*convolved))
    else:
        yield from convolved
    if block.pool > 1:
        yield nn.MaxPool1d(block.pool)
    if block.dropout:
        yield nn.Dropout(block.dropout)


def _convolution(place: Convolution) -> nn.Conv1d:
    block = place.block
    padding = block.dilation * (block.kernel // 2)
    return nn.Conv1d(
        place.inputs, block.width, block.kernel, block.stride, padding, dilation=block.dilation
    )


def _norm(norm: Norm, width: int) -> list[nn.Module]:
    if norm == "none":
        return []
    return [nn.BatchNorm1d(width) if norm == "batch" else nn.GroupNorm(1, width)]
