"""AdamW and its learning rate."""

import math

import torch
from torch import nn

from pipelines.models.traffic_lm.train_settings import TrainSettings

# Parts of the names of PEFT's parameters that stand for tokens.
EMBEDDINGS = ("lora_embedding", "trainable_tokens")

# Those of GPT-3 (Brown et al. 2020, appendix B). With AdamW's usual 0.999 the large gradients of
# the first steps would hold back a training of some hundred steps to its end.
BETAS = (0.9, 0.95)


def learning_rate(step: int, steps: int, settings: TrainSettings) -> float:
    """The learning rate of a ``step``, from 0: a linear warm-up, then half a cosine to a tenth.

    The cosine is that of Loshchilov and Hutter 2017, SGDR.
    """
    warm = round(settings.warmup * steps)
    if step < warm:
        return settings.learning_rate * (step + 1) / warm
    done = (step + 1 - warm) / (steps - warm)
    return settings.learning_rate * (0.1 + 0.9 * (1 + math.cos(math.pi * done)) / 2)


def new_optimiser(model: nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019) that decays matrices, but no embedding of a token."""
    modules = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    embeddings = {id(weight) for module in modules for weight in module.parameters()}
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            is_embedding = id(weight) in embeddings or any(part in name for part in EMBEDDINGS)
            groups[weight.ndim > 1 and not is_embedding].append(weight)
    return torch.optim.AdamW(
        [{"params": groups[True], "weight_decay": weight_decay}, {"params": groups[False]}],
        betas=BETAS,
        weight_decay=0.0,
    )
