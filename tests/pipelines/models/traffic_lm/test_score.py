"""Scores of labels: equal to one sequence for each label, whatever the model, tuning and labels."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import (
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptTuningConfig,
    get_peft_model,
)
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    Glm4Config,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3NextConfig,
)

from pipelines.errors import InputError
from pipelines.models.traffic_lm import score
from pipelines.models.traffic_lm.score import (
    CPU_TOKENS,
    label_log_probabilities,
    label_probabilities,
)

# PEFT asks for a property that transformers is about to rename.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is:FutureWarning")

Tokens = list[int]

VOCABULARY, END = 200, 2
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": END,
}
CONFIGURATIONS = {
    "llama": LlamaConfig(**SIZES),
    "tied llama": LlamaConfig(**SIZES, tie_word_embeddings=True),
    "qwen2": Qwen2Config(**SIZES),
    "glm4": Glm4Config(**SIZES, head_dim=8, attention_bias=True),
}
LORA: dict[str, Any] = {
    "task_type": "CAUSAL_LM",
    "target_modules": ["q_proj", "v_proj", "o_proj"],
    "init_lora_weights": False,
}

# Labels of 1 to 5 tokens that share beginnings; one token each.
LABELS = [[5, 6, 7], [5, 6, 8, 9], [5, 9, 10, 11, 12], [13], [14, 15], [5, 6, 8, 10]]
RESERVED = [[5], [6], [7], [199]]
PREFIX = [50, 51, 52, 53]


def lora(model: PreTrainedModel) -> PeftModel:
    return get_peft_model(model, LoraConfig(**LORA))


def trainable_tokens(model: PreTrainedModel) -> PeftModel:
    tuned = get_peft_model(model, LoraConfig(**LORA, trainable_token_indices=[5, 6, 60]))
    with torch.no_grad():
        for name, weights in tuned.named_parameters():
            if "trainable_tokens_delta" in name:
                weights.normal_()
    return tuned


def prefix_tuning(model: PreTrainedModel) -> PeftModel:
    config = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=6)
    tuned = get_peft_model(model, config)
    with torch.no_grad():
        tuned.prompt_encoder["default"].embedding.weight.normal_()
    return tuned


TUNINGS: dict[str, Callable[[PreTrainedModel], Any]] = {
    "as it is": lambda model: model,
    "lora": lora,
    "trainable tokens": trainable_tokens,
    "prefix tuning": prefix_tuning,
}


@cache
def model_of(family: str, tuning: str = "as it is") -> Any:
    """A random model, made once. Tests that change a model take ``tiny_model``."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TUNINGS[tuning](AutoModelForCausalLM.from_config(CONFIGURATIONS[family])).eval()


def prompts_of(lengths: Sequence[int], seed: int = 0) -> list[Tokens]:
    rng = np.random.default_rng(seed)
    return [rng.integers(3, VOCABULARY, length).tolist() for length in lengths]


def one_by_one(
    model: Any, prompts: Sequence[Tokens], labels: Sequence[Tokens], prefix: Sequence[int] = ()
) -> np.ndarray:
    """The truth: a sequence for each row and label, through the model's own forward.

    A row's labels are one batch, padded at the right, where causal attention does not look.
    """
    scores = np.empty((len(prompts), len(labels)))
    longest = max(map(len, labels))
    for row, prompt in enumerate(prompts):
        texts = [[*prefix, *prompt, *label, *[0] * (longest - len(label))] for label in labels]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor(texts)).logits
        said = logits.double().log_softmax(-1)[:, -longest - 1 : -1]
        for column, label in enumerate(labels):
            scores[row, column] = said[column, range(len(label)), label].sum()
    return scores


@contextmanager
def recorded(module: nn.Module) -> Iterator[list[Tensor]]:
    """What the module gives, call by call."""
    outputs: list[Tensor] = []
    hook = module.register_forward_hook(lambda _, inputs, output: outputs.append(output))
    try:
        yield outputs
    finally:
        hook.remove()


@pytest.mark.parametrize("labels", [LABELS, RESERVED], ids=["names", "reserved"])
@pytest.mark.parametrize("prefix", [[], PREFIX], ids=["alone", "prefix"])
@pytest.mark.parametrize("tuning", TUNINGS)
@pytest.mark.parametrize("family", CONFIGURATIONS)
def test_it_is_one_sequence_for_each_label(
    family: str, tuning: str, prefix: Tokens, labels: list[Tokens]
) -> None:
    model, prompts = model_of(family, tuning), prompts_of([3, 17, 1, 9, 17])
    scores = label_log_probabilities(model, prompts, labels, prefix=prefix, micro_tokens=64)
    truth = one_by_one(model, prompts, labels, prefix)
    assert scores.dtype == np.float64
    assert scores == pytest.approx(truth, abs=1e-4)
    # Rows differ by far more than that, so that a wrong mask or position would show.
    assert truth.std(axis=0).min() > 0.1


@pytest.mark.parametrize("tuning", ["lora", "trainable tokens", "prefix tuning"])
def test_the_tuning_counts(tuning: str) -> None:
    prompts = prompts_of([4, 8])
    plain = label_log_probabilities(model_of("llama"), prompts, LABELS)
    tuned = label_log_probabilities(model_of("llama", tuning), prompts, LABELS)
    assert np.abs(plain - tuned).max() > 0.1


def test_an_adapter_that_is_switched_off_does_not_count() -> None:
    prompts = prompts_of([4, 8])
    plain = label_log_probabilities(model_of("llama"), prompts, LABELS, prefix=PREFIX)
    for tuning in ("lora", "prefix tuning"):
        tuned = model_of("llama", tuning)
        with tuned.disable_adapter():
            scores = label_log_probabilities(tuned, prompts, LABELS, prefix=PREFIX)
        assert scores == pytest.approx(plain, abs=1e-4)


def test_attention_without_a_fused_kernel(tiny_model: LlamaForCausalLM) -> None:
    tiny_model.set_attn_implementation("eager")
    prompts = prompts_of([3, 17])
    truth = one_by_one(tiny_model, prompts, LABELS, PREFIX)
    assert label_log_probabilities(tiny_model, prompts, LABELS, prefix=PREFIX) == pytest.approx(
        truth, abs=1e-4
    )


def prefix_free(labels: Sequence[tuple[int, ...]]) -> list[Tokens]:
    """The labels that are left when those that begin another one are taken out."""
    ordered = sorted(set(labels))
    keep = [one for one, other in pairwise([*ordered, ()]) if other[: len(one)] != one]
    return [list(label) for label in keep]


# Few tokens, so that beginnings are shared.
labels_drawn = st.lists(
    st.lists(st.integers(3, 7), min_size=1, max_size=5).map(tuple), min_size=1, max_size=12
).map(prefix_free)


@settings(deadline=None, max_examples=30)
@given(
    labels=labels_drawn,
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    prefix=st.lists(st.integers(3, VOCABULARY - 1), max_size=4),
    micro_tokens=st.integers(1, 80),
    tuning=st.sampled_from(["as it is", "prefix tuning"]),
)
def test_any_labels_and_any_batches(
    labels: list[Tokens], lengths: list[int], prefix: Tokens, micro_tokens: int, tuning: str
) -> None:
    model, prompts = model_of("qwen2", tuning), prompts_of(lengths)
    scores = label_log_probabilities(
        model, prompts, labels, prefix=prefix, micro_tokens=micro_tokens
    )
    assert scores == pytest.approx(one_by_one(model, prompts, labels, prefix), abs=1e-4)


def test_labels_that_end_with_an_end_token_may_begin_alike() -> None:
    labels = [[5, END], [5, 6, END], [5, 6, 7, END]]
    prompts, model = prompts_of([5, 6]), model_of("llama")
    scores = label_log_probabilities(model, prompts, labels)
    assert scores == pytest.approx(one_by_one(model, prompts, labels), abs=1e-4)


def test_all_continuations_of_two_tokens_together_are_certain() -> None:
    """The trie is the whole tree: no probability is lost or counted twice."""
    model = model_of("llama")
    first = [[token] for token in range(1, VOCABULARY)]
    second = [[0, token] for token in range(VOCABULARY)]
    scores = label_log_probabilities(model, prompts_of([7, 4]), [*first, *second])
    assert np.exp(scores).sum(axis=1) == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_halves_are_normalised_in_single_precision(
    tiny_model: LlamaForCausalLM, dtype: torch.dtype
) -> None:
    """The logits of a short model are its own, but their softmax is exact."""
    model = tiny_model.to(dtype)
    scores = label_log_probabilities(model, prompts_of([7, 4]), [[n] for n in range(VOCABULARY)])
    assert np.exp(scores).sum(axis=1) == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize("tuning", TUNINGS)
def test_halves_are_near_one_sequence_for_each_label(tuning: str) -> None:
    """Adapters stay in single precision, so the mask meets two kinds of numbers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        base = LlamaForCausalLM(CONFIGURATIONS["llama"]).to(torch.bfloat16)
        model = TUNINGS[tuning](base).eval()
    prompts = prompts_of([7, 4])
    scores = label_log_probabilities(model, prompts, LABELS, prefix=PREFIX)
    assert scores == pytest.approx(one_by_one(model, prompts, LABELS, PREFIX), abs=0.5)


def bigrams(follows: dict[int, dict[int, float]]) -> LlamaForCausalLM:
    """A Llama of which each token's successor has the probabilities told here.

    Its layers add nothing, its embeddings are one-hot: the head's column of a token is what the
    model says behind it.
    """
    size = 16
    shape = {"hidden_size": size, "intermediate_size": 8, "num_hidden_layers": 1}
    config = LlamaConfig(vocab_size=size, num_attention_heads=2, **shape)
    model = LlamaForCausalLM(config).eval()
    layer = model.model.layers[0]
    with torch.no_grad():
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(size))
        model.lm_head.weight.fill_(-30.0)
        for token, successors in follows.items():
            for successor, probability in successors.items():
                # The last norm makes a one-hot vector as long as the root of its size.
                model.lm_head.weight[successor, token] = np.log(probability) / size**0.5
    return model


def greedy(model: LlamaForCausalLM, prompt: Tokens, labels: list[Tokens]) -> Tokens:
    """The label that greedy decoding finds where only labels are allowed."""

    def allowed(_: int, written: Tensor) -> Tokens:
        so_far = written[len(prompt) :].tolist()
        return [
            label[len(so_far)]
            for label in labels
            if label[: len(so_far)] == so_far and len(label) > len(so_far)
        ]

    tokens = torch.tensor([prompt])
    written = model.generate(
        tokens,
        attention_mask=torch.ones_like(tokens),
        prefix_allowed_tokens_fn=allowed,
        max_new_tokens=2,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    return list(written[0, len(prompt) :].tolist())


def test_the_most_probable_label_is_not_what_greedy_decoding_finds() -> None:
    model = bigrams({3: {5: 0.6, 6: 0.4}, 5: {10: 0.5, 11: 0.5}, 6: {12: 1.0}})
    labels = [[5, 10], [5, 11], [6, 12]]
    scores = label_log_probabilities(model, [[4, 3]], labels)
    assert np.exp(scores[0]) == pytest.approx([0.3, 0.3, 0.4], abs=1e-6)
    assert greedy(model, [4, 3], labels) == [5, 10]
    assert labels[int(scores[0].argmax())] == [6, 12]


def test_rows_come_back_in_their_order() -> None:
    model, prompts = model_of("llama"), prompts_of([2, 30, 5, 30, 1, 8])
    together = label_log_probabilities(model, prompts, LABELS, micro_tokens=100)
    alone = [label_log_probabilities(model, [prompt], LABELS)[0] for prompt in prompts]
    assert together == pytest.approx(np.array(alone), abs=1e-4)


def test_no_rows() -> None:
    for labels in (LABELS, RESERVED):
        assert label_log_probabilities(model_of("llama"), [], labels).shape == (0, len(labels))


def test_batches_keep_to_their_tokens() -> None:
    model, prompts = model_of("llama"), prompts_of([10, 30, 20, 31, 5, 8, 90])
    nodes = 7  # 5, 5-6, 5-6-8, 5-9, 5-9-10, 5-9-10-11 and 14
    with recorded(model.model.embed_tokens) as computed:
        label_log_probabilities(model, prompts, LABELS, micro_tokens=80)
    sizes = [tokens.shape[0] * tokens.shape[1] for tokens in computed]
    assert sum(tokens.shape[0] for tokens in computed) == len(prompts)
    assert [size > 80 for size in sizes] == [True] + [False] * (len(sizes) - 1)
    assert computed[0].shape[:2] == (1, 90 + nodes)
    assert len(sizes) < len(prompts)


def test_a_processor_computes_less_at_once() -> None:
    with recorded(model_of("llama").model.embed_tokens) as computed:
        label_log_probabilities(model_of("llama"), prompts_of([100] * 50), RESERVED)
    assert max(tokens.shape[0] * tokens.shape[1] for tokens in computed) == CPU_TOKENS // 100 * 100


def test_beginnings_are_computed_once(tiny_model: LlamaForCausalLM) -> None:
    prompts = prompts_of([6] * 5)
    with recorded(tiny_model.model.embed_tokens) as computed:
        label_log_probabilities(tiny_model, prompts, LABELS, prefix=PREFIX, micro_tokens=26)
    assert [tuple(tokens.shape[:2]) for tokens in computed] == [(1, 4), (2, 13), (2, 13), (1, 13)]


@pytest.mark.parametrize(("labels", "slots"), [(LABELS, 8), (RESERVED, 1)])
def test_only_the_logits_that_labels_need_are_made_and_few_at_once(
    labels: list[Tokens], slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a vocabulary of 150,000 fits into memory, whatever the lengths of rows."""
    monkeypatch.setattr(score, "MOST_LOGITS", 3 * slots * VOCABULARY + 1)
    model, prompts = model_of("llama"), prompts_of([3, 9, 4, 4, 12, 1, 5])
    with recorded(model.lm_head) as logits:
        label_log_probabilities(model, prompts, labels)
    assert [tuple(piece.shape) for piece in logits] == [
        (rows, slots, VOCABULARY) for rows in (3, 3, 1)
    ]


def test_a_row_that_is_too_much_is_computed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "MOST_LOGITS", 1)
    model, prompts = model_of("llama"), prompts_of([3, 9])
    scores = label_log_probabilities(model, prompts, LABELS)
    assert scores == pytest.approx(one_by_one(model, prompts, LABELS), abs=1e-4)


def test_it_tells_how_far_it_is() -> None:
    seen: list[tuple[str, float, float | None, str]] = []
    label_log_probabilities(
        model_of("llama"),
        prompts_of([10, 10, 10]),
        RESERVED,
        micro_tokens=20,
        progress=lambda *step: seen.append(step),
    )
    assert seen == [("scoring labels", 2, 3, "rows"), ("scoring labels", 3, 3, "rows")]


def test_the_model_is_left_as_it_was(tiny_model: LlamaForCausalLM) -> None:
    """Dropout is off inside; parts that were frozen in evaluation stay there; hooks are gone."""
    model = get_peft_model(tiny_model, LoraConfig(**LORA, lora_dropout=0.5))
    model.train()
    tiny_model.model.embed_tokens.eval()
    modes = {name: module.training for name, module in model.named_modules()}
    prompts = prompts_of([4, 5])
    scores = label_log_probabilities(model, prompts, LABELS, prefix=PREFIX)
    assert (scores == label_log_probabilities(model, prompts, LABELS, prefix=PREFIX)).all()
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert all(weights.grad is None for weights in model.parameters())
    logits = model(torch.tensor([[5, 6, 7]])).logits
    assert logits.shape == (1, 3, VOCABULARY)
    logits.sum().backward()


def test_the_model_is_left_as_it_was_after_an_error(tiny_model: LlamaForCausalLM) -> None:
    tiny_model.train()
    with pytest.raises(IndexError):
        label_log_probabilities(tiny_model, [[VOCABULARY]], LABELS)
    assert tiny_model.training
    assert tiny_model(torch.tensor([[5, 6, 7]])).logits.shape == (1, 3, VOCABULARY)


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ([[5], [5, 6]], r"\[5, 6\] is or begins with another one, \[5\]"),
        ([[5, 6, 7], [8], [5, 6]], r"\[5, 6, 7\] .* \[5, 6\]"),
        ([[5, 6], [5, 6]], r"\[5, 6\] .* \[5, 6\]"),
        ([[5], []], "label has no tokens"),
        ([], "label has no tokens"),
    ],
)
def test_labels_without_a_probability_of_their_own(labels: list[Tokens], named: str) -> None:
    with pytest.raises(InputError, match=named):
        label_log_probabilities(model_of("llama"), [[3]], labels)


def test_an_empty_prompt() -> None:
    with pytest.raises(InputError, match="prompt has no tokens"):
        label_log_probabilities(model_of("llama"), [[3], []], RESERVED, prefix=PREFIX)


def test_tuning_that_is_neither_weights_nor_a_prefix(tiny_model: LlamaForCausalLM) -> None:
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    tuned = get_peft_model(tiny_model, config)
    with pytest.raises(InputError, match=r"tuned by PROMPT_TUNING.*by LoRA"):
        label_log_probabilities(tuned, [[3]], LABELS)


def test_attention_that_takes_no_mask_is_refused(tiny_model: LlamaForCausalLM) -> None:
    tiny_model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(InputError, match=r"'flash_attention_2'.*attn_implementation='sdpa'"):
        label_log_probabilities(tiny_model, [[3]], LABELS)


def test_layers_with_a_state_are_refused() -> None:
    sizes = {**SIZES, "num_experts": 2, "num_experts_per_tok": 1, "head_dim": 8}
    config = Qwen3NextConfig(**sizes, layer_types=["linear_attention", "full_attention"])
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    with pytest.raises(InputError, match="layers of linear_attention"):
        label_log_probabilities(model, [[3]], RESERVED)


def test_a_window_of_attention_must_hold_the_whole_text() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = MistralConfig(**SIZES, sliding_window=16)
        model = AutoModelForCausalLM.from_config(config).eval()
    fits, too_long = prompts_of([6, 7]), prompts_of([8])
    scores = label_log_probabilities(model, fits, LABELS, prefix=PREFIX)
    assert scores == pytest.approx(one_by_one(model, fits, LABELS, PREFIX), abs=1e-4)
    with pytest.raises(InputError, match="has 17 tokens; the model looks back 16"):
        label_log_probabilities(model, too_long, LABELS, prefix=PREFIX)
    reserved = label_log_probabilities(model, prompts_of([30]), RESERVED, prefix=PREFIX)
    truth = one_by_one(model, prompts_of([30]), RESERVED, PREFIX)
    assert reserved == pytest.approx(truth, abs=1e-4)


def test_probabilities_sum_to_one_and_temperature_flattens() -> None:
    scores = np.log(np.array([[0.2, 0.05, 0.15], [0.1, 0.1, 0.2]]))
    sure = label_probabilities(scores)
    assert sure == pytest.approx(np.array([[0.5, 0.125, 0.375], [0.25, 0.25, 0.5]]))
    squared = label_probabilities(scores, temperature=0.5)
    assert squared[1] == pytest.approx([1 / 6, 1 / 6, 4 / 6])
    assert label_probabilities(scores, temperature=1e6) == pytest.approx(1 / 3, abs=1e-5)


def test_tiny_probabilities_do_not_vanish() -> None:
    probabilities = label_probabilities(np.array([[-2000.0, -2001.0]]))
    assert probabilities[0] == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])
