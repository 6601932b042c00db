"""How well a language model foretells what it did not learn."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from pipelines.models.traffic_lm.batches import Example, micro_batches, padded

MICRO_TOKENS = 8192


def mean_loss(model: nn.Module, examples: Sequence[Example]) -> float:
    """Mean cross entropy in nats of the answer tokens of ``examples``, each token counting once."""
    device = next(model.parameters()).device
    lengths = np.array([len(example.tokens) for example in examples])
    training, total, tokens = model.training, 0.0, 0
    model.eval()
    with torch.inference_mode():
        for rows in micro_batches(lengths, MICRO_TOKENS):
            batch = padded([examples[row] for row in rows]).to(device)
            logits = model(
                input_ids=batch.tokens, logits_to_keep=batch.positions, use_cache=False
            ).logits
            answers = logits.flatten(0, 1).index_select(0, batch.places).float()
            total += float(cross_entropy(answers, batch.targets, reduction="sum"))
            tokens += len(batch.targets)
    model.train(training)
    return total / tokens
