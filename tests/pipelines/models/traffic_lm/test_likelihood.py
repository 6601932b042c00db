"""The mean loss of a language model on examples, against a plain sum."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from pipelines.models.traffic_lm import likelihood
from pipelines.models.traffic_lm.batches import Example
from pipelines.models.traffic_lm.likelihood import mean_loss


def plain(model: LlamaForCausalLM, examples: list[Example]) -> float:
    """One sequence at a time; every answer token counts once."""
    losses = []
    with torch.no_grad():
        for example in examples:
            tokens = torch.tensor(np.asarray(example.tokens))
            logits = model(tokens[None]).logits[0]
            each = cross_entropy(logits[:-1], tokens[1:], reduction="none")
            losses += each[-example.answer :].tolist()
    return float(np.mean(losses))


@pytest.mark.parametrize("micro_tokens", [16, 10_000])
def test_it_is_the_mean_over_answer_tokens(
    tiny_model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch, micro_tokens: int
) -> None:
    monkeypatch.setattr(likelihood, "MICRO_TOKENS", micro_tokens)
    random = np.random.default_rng(0)
    examples = [Example(random.integers(3, 200, n), random.integers(1, n)) for n in range(2, 12)]
    assert mean_loss(tiny_model, examples) == pytest.approx(plain(tiny_model, examples), abs=1e-5)


def test_weights_do_not_count_and_the_mode_stays(tiny_model: LlamaForCausalLM) -> None:
    one, two = Example([5, 6, 7], 2), Example([5, 6, 7], 2, weight=9.0)
    tiny_model.train()
    assert mean_loss(tiny_model, [one]) == mean_loss(tiny_model, [two])
    assert tiny_model.training
