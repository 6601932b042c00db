"""The optimisers that a specification may name, and how their rate falls."""

import math

import torch
from torch import nn

from pipelines.models.cnn.architecture import Optimiser

LEAST_RATE = 0.01


def new_optimiser(network: nn.Module, wanted: Optimiser) -> torch.optim.Optimizer:
    """An optimiser of the network's weights."""
    weights, rate, decay = network.parameters(), wanted.learning_rate, wanted.weight_decay
    if wanted.name == "sgd":
        return torch.optim.SGD(weights, rate, momentum=0.9, nesterov=True, weight_decay=decay)
    kind = torch.optim.Adam if wanted.name == "adam" else torch.optim.AdamW
    return kind(weights, rate, weight_decay=decay)


def rate_in(epoch: int, wanted: Optimiser) -> float:
    """The learning rate of an epoch, counted from 1: from the whole to a hundredth of it."""
    if wanted.schedule == "constant":
        return wanted.learning_rate
    gone = min(1.0, (epoch - 1) / wanted.schedule_epochs)
    left = 1 - gone if wanted.schedule == "linear" else (1 + math.cos(math.pi * gone)) / 2
    return wanted.learning_rate * (LEAST_RATE + (1 - LEAST_RATE) * left)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Make ``rate`` the learning rate of all weights."""
    for group in optimiser.param_groups:
        group["lr"] = rate
