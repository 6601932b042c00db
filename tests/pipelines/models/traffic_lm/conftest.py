"""A language model that is small enough to be made anew for every test."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM


@pytest.fixture
def tiny_model() -> LlamaForCausalLM:
    """A random Llama of two layers and 200 tokens: 0 pads, 1 begins, 2 ends. It may be changed.

    Its weights are larger than those of a fresh model, whose scores would hardly differ.
    """
    config = LlamaConfig(
        vocab_size=200,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.2,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(config).eval()
