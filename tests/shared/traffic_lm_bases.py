"""Tiny bases with random weights, saved as Hugging Face saves them."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipelines.models.traffic_lm.base import save_base
from pipelines.models.traffic_lm.nano import text_tokenizer
from pipelines.models.traffic_lm.vocabulary import extend
from pipelines.represent.traffic_tokens import SIGNS

TEXTS = ["Is this malware?", "Which application made this traffic", "tcp4 n=12>3 b=900>5120 t=1.2s"]


def tiny_llama(tokens: int, *, tied: bool = True, seed: int = 0) -> LlamaForCausalLM:
    """A Llama of 2 layers of 32 numbers; its random weights are as large as trained ones."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=tokens,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        initializer_range=0.2,
        tie_word_embeddings=tied,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


def plain_base(*, tied: bool = True) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """A base that knows nothing of traffic."""
    tokenizer = text_tokenizer(TEXTS)
    return tiny_llama(len(tokenizer), tied=tied), tokenizer


def traffic_base(folder: Path, *, tied: bool = True) -> Path:
    """A base with traffic tokens and marks, saved in a new ``folder``."""
    model, tokenizer = plain_base(tied=tied)
    extend(model, tokenizer, SIGNS)
    folder.mkdir()
    save_base(folder, model, tokenizer)
    return folder
