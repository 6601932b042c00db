"""Exact probabilities of labels under a causal language model; each token is computed once.

What all rows begin with is computed once into a key/value cache. Behind each prompt lie the tokens
of all labels as a trie, shared beginnings once, and a mask lets each see only what comes before it
in its label (the tree attention of SpecInfer, Miao et al. 2024). So a row takes one forward pass,
and the result is that of one sequence for each label. Greedy decoding of a label costs as much and
may find another than the most probable one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from peft import PeftModel, PeftType
from scipy.special import softmax
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from pipelines.errors import InputError
from pipelines.progress import Progress, silent

# The most logits at once: 256 MB in float32. It binds where vocabularies are large.
MOST_LOGITS = 2**26
# More tokens at once are slower on a processor: they fall out of its caches.
CPU_TOKENS = 2048


def label_log_probabilities(
    model: PreTrainedModel | PeftModel,
    prompts: Sequence[Sequence[int]],
    labels: Sequence[Sequence[int]],
    *,
    prefix: Sequence[int] = (),
    micro_tokens: int = 16384,
    progress: Progress = silent,
) -> np.ndarray:
    """log p(label | prefix + prompt), natural, float64 of shape (prompts, labels).

    ``prompts`` and ``labels`` are sequences of token numbers. ``model`` is a causal language model
    or a PEFT model around one: LoRA, trainable tokens or prefix tuning. A batch computes at most
    ``micro_tokens`` tokens, or one row. A row's probabilities need not sum to 1: other answers have
    some, too.

    No label may begin with another one, whose probability would contain its own: where names can,
    end each with an end token. Raises InputError if a label does, for an empty prompt or label, for
    no labels, and for a model that has other layers than attention or attention without masks.
    """
    _check(prompts, labels)
    trie = _trie(labels)
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    _check_layers(base)
    scores = np.empty((len(prompts), len(labels)))
    with _evaluating(model), torch.no_grad():
        beginning = _beginning(model, base, prefix)
        lengths, done = [len(prompt) for prompt in prompts], 0
        if len(trie.tokens):
            _check_mask(base, _length(beginning) + max(lengths, default=0) + max(map(len, labels)))
        for rows in _batches(lengths, trie, base, micro_tokens):
            scores[rows] = _scores(base, [prompts[row] for row in rows], trie, beginning)
            done += len(rows)
            progress("scoring labels", done, len(prompts), "rows")
    return scores


def label_probabilities(log_probabilities: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities of shape (rows, labels) if the answer is one of the labels: rows sum to 1."""
    return np.asarray(softmax(log_probabilities / temperature, axis=1))


@dataclass(frozen=True)
class _Trie:
    """All tokens of labels but each one's last: what has to be computed behind a prompt.

    Slot 0 is the prompt's last token, slot n the trie's n-th node. A step of a label is the
    probability of one of its tokens in the slot before it.
    """

    tokens: Tensor  # of the nodes, shape (nodes,)
    depths: Tensor  # their distances from the prompt's end, 0 for a label's first token
    sees: Tensor  # (nodes, nodes): whether one sees another, itself or what comes before it
    slots: Tensor  # where each step is said, shape (steps,)
    targets: Tensor  # the token that the step is about
    owners: Tensor  # the label that the step is part of


def _trie(labels: Sequence[Sequence[int]]) -> _Trie:
    slots: dict[tuple[int, ...], int] = {(): 0}
    steps = []
    for owner, label in enumerate(labels):
        for end, token in enumerate(label):
            slot = slots.setdefault(tuple(label[:end]), len(slots))
            steps.append((slot, token, owner))
    nodes = [node for node in slots if node]
    sees = torch.zeros(len(slots), len(slots), dtype=torch.bool)
    for node in nodes:
        sees[slots[node], [slots[node[:end]] for end in range(1, len(node) + 1)]] = True
    return _Trie(
        torch.tensor([node[-1] for node in nodes], dtype=torch.long),
        torch.tensor([len(node) - 1 for node in nodes], dtype=torch.long),
        sees[1:, 1:],
        *torch.tensor(steps).unbind(1),
    )


class _Beginning(DynamicCache):  # type: ignore[misc]
    """Keys and values of what all rows begin with. Batches read it and leave nothing in it."""

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Keys and values of the beginning and of a batch, (rows, heads, tokens, size) each."""
        layer, rows = self.layers[layer_idx], len(key_states)
        keys = torch.cat([layer.keys.expand(rows, -1, -1, -1), key_states], dim=2)
        values = torch.cat([layer.values.expand(rows, -1, -1, -1), value_states], dim=2)
        return keys, values


def _beginning(
    model: PreTrainedModel | PeftModel, base: PreTrainedModel, prefix: Sequence[int]
) -> _Beginning | None:
    """What tuning has learnt as keys and values, then ``prefix``; None if there is neither."""
    cache = _learnt(model) if isinstance(model, PeftModel) else DynamicCache()
    if len(prefix):
        tokens = torch.tensor([list(prefix)], device=base.device)
        base(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
    if not cache.get_seq_length():
        return None
    return _Beginning([(layer.keys, layer.values) for layer in cache.layers])


def _learnt(model: PeftModel) -> DynamicCache:
    """Keys and values of prefix tuning for one row; empty for LoRA, which is in the base model.

    PEFT's own forward drops every cache that it is given, so the base model gets these with ours.
    """
    config = model.active_peft_config
    if not (config.is_prompt_learning and model.has_active_enabled_adapter):
        return DynamicCache()
    if config.peft_type != PeftType.PREFIX_TUNING:
        raise InputError(
            f"Labels cannot be scored with a model tuned by {config.peft_type.value}.",
            "Tune it by LoRA or by prefix tuning.",
        )
    return model.get_prompt(batch_size=1)


def _length(beginning: _Beginning | None) -> int:
    return 0 if beginning is None else int(beginning.get_seq_length())


def _batches(
    lengths: Sequence[int], trie: _Trie, model: PreTrainedModel, micro_tokens: int
) -> Iterator[list[int]]:
    """Rows by length, the longest first: what does not fit into memory fails at once."""
    order = sorted(range(len(lengths)), key=lambda row: lengths[row], reverse=True)
    nodes = len(trie.tokens)
    most_tokens = min(micro_tokens, CPU_TOKENS) if model.device.type == "cpu" else micro_tokens
    most_rows = MOST_LOGITS // (model.config.get_text_config().vocab_size * (1 + nodes))
    start = 0
    while start < len(order):
        rows = max(1, min(most_rows, most_tokens // (lengths[order[start]] + nodes)))
        yield order[start : start + rows]
        start += rows


def _scores(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    trie: _Trie,
    beginning: _Beginning | None,
) -> np.ndarray:
    """log p of each label behind each prompt of one batch, shape (prompts, labels)."""
    rows, nodes = len(prompts), len(trie.tokens)
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    longest = int(lengths.max())
    # Prompts are padded at the right, where causal attention makes nobody see it.
    tokens = torch.zeros(rows, longest + nodes, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = torch.tensor(prompt)
    tokens[:, longest:] = trie.tokens
    packed = torch.arange(longest, longest + nodes).expand(rows, -1)
    slots = torch.cat([lengths[:, None] - 1, packed], dim=1)
    with _head_reads(model, slots):
        logits = model(
            input_ids=tokens.to(model.device),
            past_key_values=beginning,
            use_cache=beginning is not None,
            **(_layout(model, lengths, trie, _length(beginning)) if nodes else {}),
        ).logits
    steps = logits.float().log_softmax(-1)[:, trie.slots, trie.targets].cpu().double()
    sums = torch.zeros(rows, int(trie.owners.max()) + 1, dtype=torch.double)
    return np.asarray(sums.index_add_(1, trie.owners, steps))


@contextmanager
def _head_reads(model: PreTrainedModel, columns: Tensor) -> Iterator[None]:
    """Inside, the model has logits of ``columns`` (rows, n) only: shape (rows, n, vocabulary).

    Its own argument ``logits_to_keep`` takes the same columns of all rows, so that rows of other
    lengths would cost logits of columns that nobody asked for.
    """
    rows = torch.arange(len(columns))[:, None]

    def only(_: nn.Module, inputs: tuple[Tensor]) -> Tensor:
        return inputs[0][rows, columns]

    hook = model.get_output_embeddings().register_forward_pre_hook(only)
    try:
        yield
    finally:
        hook.remove()


def _layout(model: PreTrainedModel, lengths: Tensor, trie: _Trie, before: int) -> dict[str, Tensor]:
    """Mask and positions of prompts of ``lengths`` (rows,) with the trie behind each.

    The mask has the shape (rows, 1, computed, before + computed).
    """
    rows, longest, nodes = len(lengths), int(lengths.max()), len(trie.tokens)
    prompt, packed = torch.arange(longest), before + longest
    sees = torch.zeros(rows, longest + nodes, packed + nodes, dtype=torch.bool)
    sees[:, :, :before] = True
    sees[:, :longest, before:packed] = prompt <= prompt[:, None]
    sees[:, longest:, before:packed] = (prompt < lengths[:, None])[:, None]
    sees[:, longest:, packed:] = trie.sees
    mask = sees[:, None].to(model.device)
    if model.config._attn_implementation == "eager":
        # It adds the mask to its scores.
        mask = torch.zeros(mask.shape, device=mask.device).masked_fill(
            ~mask, torch.finfo(torch.float32).min
        )
    behind = lengths[:, None] + trie.depths
    positions = before + torch.cat([prompt.expand(rows, -1), behind], dim=1)
    return {"attention_mask": mask, "position_ids": positions.to(model.device)}


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """No dropout inside; afterwards each module is in the mode that it was in."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _check(prompts: Sequence[Sequence[int]], labels: Sequence[Sequence[int]]) -> None:
    """Raise InputError for prompts and labels that have no probabilities."""
    if not all(map(len, prompts)):
        raise InputError("A prompt has no tokens.", "Give each row at least one token of text.")
    if not labels or not all(map(len, labels)):
        raise InputError("A label has no tokens.", "Name each class by at least one token.")
    for one, other in pairwise(sorted(map(tuple, labels))):
        if other[: len(one)] == one:
            raise InputError(
                f"The label of tokens {list(other)} is or begins with another one, {list(one)}.",
                "Name classes differently, or end each label with an end token.",
            )


def _check_layers(model: PreTrainedModel) -> None:
    """Raise InputError for layers that carry a state instead of keys and values."""
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
    if other := kinds - {"full_attention", "sliding_attention"}:
        raise InputError(
            f"Labels cannot be scored with a model that has layers of {', '.join(sorted(other))}.",
            "Choose a language model of attention layers alone, like Llama, Qwen2 or GLM4.",
        )


def _check_mask(model: PreTrainedModel, longest: int) -> None:
    """Raise InputError for attention that would not use a mask of one's own as it is."""
    kind = model.config._attn_implementation
    if kind not in ("eager", "sdpa"):
        raise InputError(
            f"Labels of several tokens cannot be scored with attention of the kind {kind!r}.",
            "Load the model with attn_implementation='sdpa', or give each label one token.",
        )
    window = getattr(model.config.get_text_config(), "sliding_window", None)
    if window is not None and longest > window:
        raise InputError(
            f"A text with a label has {longest} tokens; the model looks back {window} at most.",
            "Shorten the texts, or give each label one token.",
        )
