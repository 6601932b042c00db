"""The gradient of a batch is that of the plain sum over sequences, however it is computed."""

from collections.abc import Callable

import numpy as np
import peft
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from pipelines.errors import NetloopError
from pipelines.models.traffic_lm.batches import Example
from pipelines.models.traffic_lm.gradients import Gradients, memory_told

# PEFT asks transformers by a name that is going to change.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is:FutureWarning")

CAUSAL = {"task_type": "CAUSAL_LM"}
ADAPTERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "everything": lambda model: model,
    "LoRA": lambda model: peft.get_peft_model(
        model, peft.LoraConfig(target_modules="all-linear", init_lora_weights=False, **CAUSAL)
    ),
    "prefix": lambda model: peft.get_peft_model(
        model, peft.PrefixTuningConfig(num_virtual_tokens=4, **CAUSAL)
    ),
    "tokens": lambda model: peft.get_peft_model(
        model, peft.TrainableTokensConfig(token_indices=[5, 7, 9], **CAUSAL)
    ),
}


def some_examples(count: int, longest: int = 30, answer: int = 3) -> list[Example]:
    random = np.random.default_rng(0)
    lengths = random.integers(answer + 1, longest, count)
    return [
        Example(
            random.integers(3, 12, length).tolist(), int(random.integers(1, answer + 1)), weight
        )
        for length, weight in zip(lengths, random.choice([0.5, 1, 3], count), strict=True)
    ]


def plain(model: nn.Module, examples: list[Example]) -> tuple[float, Tensor]:
    """Loss and gradient of one sequence after the other: no padding, all logits."""
    model.zero_grad()
    total, weights = torch.zeros(()), sum(example.answer * example.weight for example in examples)
    for example in examples:
        tokens = torch.tensor([*example.tokens])
        logits = model(input_ids=tokens[None]).logits[0, :-1]
        losses = cross_entropy(logits, tokens[1:], reduction="none")
        total = total + losses[-example.answer :].sum() * example.weight / weights
    total.backward()
    vector = [weight.grad.flatten() for weight in model.parameters() if weight.requires_grad]
    return float(total.detach()), torch.cat(vector)


def gradients(model: nn.Module, examples: list[Example], micro_tokens: int = 10_000) -> Gradients:
    return Gradients(model, examples, micro_tokens, warn=pytest.fail)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_padded_batches_give_the_plain_gradient(tiny_model: LlamaForCausalLM, kind: str) -> None:
    model, examples = ADAPTERS[kind](tiny_model), some_examples(12)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad and kind == "prefix":
                parameter.mul_(3)  # so that a wrong position or a dropped prefix shows
    expected, vector = plain(model, examples)
    found = gradients(model, examples)
    assert found.of_batch(np.arange(12), (0, 0)) == pytest.approx(expected, rel=1e-6)
    assert vector.norm() > 0.01
    torch.testing.assert_close(found.vector, vector, rtol=1e-4, atol=1e-6 * float(vector.norm()))


@pytest.mark.parametrize("kind", ["everything", "prefix"])
@pytest.mark.parametrize("micro_tokens", [1, 40, 100])
def test_pieces_change_nothing(tiny_model: LlamaForCausalLM, kind: str, micro_tokens: int) -> None:
    model, examples = ADAPTERS[kind](tiny_model), some_examples(12)
    whole = gradients(model, examples)
    loss = whole.of_batch(np.arange(12), (0, 0))
    pieces = gradients(model, examples, micro_tokens)
    assert pieces.of_batch(np.arange(12), (0, 0)) == pytest.approx(loss, rel=1e-6)
    torch.testing.assert_close(pieces.vector, whole.vector, rtol=1e-4, atol=1e-6)


def test_whole_sequences_can_be_learned(tiny_model: LlamaForCausalLM) -> None:
    examples = [Example(range(3, 3 + length), length - 1) for length in (2, 9, 30)]
    expected, vector = plain(tiny_model, examples)
    found = gradients(tiny_model, examples)
    assert found.of_batch(np.arange(3), (0, 0)) == pytest.approx(expected, rel=1e-6)
    torch.testing.assert_close(found.vector, vector, rtol=1e-4, atol=1e-6)


def test_only_the_rows_of_the_batch_count(tiny_model: LlamaForCausalLM) -> None:
    examples = some_examples(6)
    expected, _ = plain(tiny_model, [examples[4], examples[1]])
    found = gradients(tiny_model, examples)
    found.of_batch(np.array([0, 5]), (0, 0))
    assert found.of_batch(np.array([4, 1]), (0, 1)) == pytest.approx(expected, rel=1e-6)


def test_an_answer_may_be_learned_among_a_few_tokens(tiny_model: LlamaForCausalLM) -> None:
    examples, among = [Example([3, 4, 7], 1), Example([5, 5, 6, 9], 1, 2.0)], [9, 7, 50]
    losses = []
    for example in examples:
        logits = tiny_model(input_ids=torch.tensor([example.tokens])).logits[0, -2]
        target = torch.tensor(among.index(example.tokens[-1]))
        losses.append(example.weight * cross_entropy(logits[among], target))
    expected = sum(losses) / 3
    expected.backward()
    vector = torch.cat([parameter.grad.flatten() for parameter in tiny_model.parameters()])
    found = Gradients(tiny_model, examples, 10_000, pytest.fail, among)
    loss = found.of_batch(np.arange(2), (0, 0))
    assert loss == pytest.approx(float(expected.detach()), rel=1e-6)
    torch.testing.assert_close(found.vector, vector, rtol=1e-4, atol=1e-6)


def test_a_weight_counts_like_repeating_the_example(tiny_model: LlamaForCausalLM) -> None:
    one, other = Example([3, 4, 5, 6], 2), Example([7, 8, 9], 1)
    thrice = gradients(tiny_model, [one, one, one, other])
    loss, vector = thrice.of_batch(np.arange(4), (0, 0)), thrice.vector.clone()
    weighted = gradients(tiny_model, [Example(one.tokens, 2, 3.0), other])
    assert weighted.of_batch(np.arange(2), (0, 0)) == pytest.approx(loss, rel=1e-6)
    torch.testing.assert_close(weighted.vector, vector, rtol=1e-4, atol=1e-6)


def test_dropout_draws_from_the_seed_alone(tiny_model: LlamaForCausalLM) -> None:
    tiny_model.config.attention_dropout = 0.5
    for layer in tiny_model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    found = gradients(tiny_model.train(), some_examples(4))
    first = found.of_batch(np.arange(4), (3, 1))
    torch.rand(7)
    assert found.of_batch(np.arange(4), (3, 2)) != first
    assert found.of_batch(np.arange(4), (3, 1)) == first


def test_clipping_is_that_of_torch(tiny_model: LlamaForCausalLM) -> None:
    examples = some_examples(6)
    plain(tiny_model, examples)
    norm = nn.utils.clip_grad_norm_(tiny_model.parameters(), 0.1)
    clipped = torch.cat([parameter.grad.flatten() for parameter in tiny_model.parameters()])
    found = gradients(tiny_model, examples)
    found.of_batch(np.arange(6), (0, 0))
    assert found.clip(0.1) == pytest.approx(float(norm), rel=1e-5)
    torch.testing.assert_close(found.vector, clipped, rtol=1e-4, atol=1e-7)
    assert float(found.vector.norm()) == pytest.approx(0.1, rel=1e-4)
    found.clip(5.0)
    torch.testing.assert_close(found.vector, clipped, rtol=1e-4, atol=1e-7)


def test_lora_learns_in_float32_on_a_base_in_bfloat16(tiny_model: LlamaForCausalLM) -> None:
    model = ADAPTERS["LoRA"](tiny_model.to(torch.bfloat16))
    model.base_model.model.model.layers[0].self_attn.q_proj.lora_A.default.to(torch.bfloat16)
    found = gradients(model, some_examples(4))
    assert found.of_batch(np.arange(4), (0, 0)) > 0
    assert {weight.dtype for weight in found.parameters.values()} == {torch.float32}
    assert tiny_model.lm_head.weight.dtype == torch.bfloat16
    assert (found.vector != 0).float().mean() > 0.9


class Greedy(nn.Module):
    """A model that asks for more memory than there is where it sees too many tokens at once."""

    def __init__(self, model: nn.Module, most: int) -> None:
        super().__init__()
        self.model, self.most = model, most

    def forward(self, input_ids: Tensor, **others: object) -> object:
        if input_ids.numel() > self.most:
            torch.empty(1 << 50, dtype=torch.uint8)
        return self.model(input_ids=input_ids, **others)


def test_too_little_memory_means_smaller_pieces(tiny_model: LlamaForCausalLM) -> None:
    examples = some_examples(16)
    whole = gradients(tiny_model, examples)
    loss, vector = whole.of_batch(np.arange(16), (0, 0)), whole.vector.clone()
    told: list[str] = []
    found = Gradients(Greedy(tiny_model, 120), examples, 100_000, told.append)
    assert found.of_batch(np.arange(16), (0, 0)) == pytest.approx(loss, rel=1e-6)
    torch.testing.assert_close(found.vector, vector, rtol=1e-4, atol=1e-6)
    area = 16 * max(len(example.tokens) for example in examples)
    assert found.micro_tokens == area // 2 // 2
    assert "The memory of the cpu does not suffice for" in told[0]
    assert f"{area:,} tokens at once" in told[0]
    assert f"pieces of {area // 2:,}" in told[0]
    told.clear()
    found.of_batch(np.arange(16), (0, 1))
    assert not told


def test_one_example_that_does_not_fit_ends_it(tiny_model: LlamaForCausalLM) -> None:
    told: list[str] = []
    found = Gradients(Greedy(tiny_model, 5), some_examples(3), 100_000, told.append)
    refused = pytest.raises(NetloopError, match=r"of the cpu does not suffice for tests.*Shorten")
    with refused, memory_told("tests", found.device):
        found.of_batch(np.arange(3), (0, 0))
    assert 1 <= len(told) <= 3


def test_other_errors_are_not_taken_for_a_lack_of_memory(tiny_model: LlamaForCausalLM) -> None:
    found = gradients(tiny_model, [Example([1, 2, 999], 1), Example([999, 1], 1)])
    with pytest.raises((RuntimeError, IndexError), match="out of"), memory_told("x", found.device):
        found.of_batch(np.arange(2), (0, 0))


def test_nothing_is_left_behind(tiny_model: LlamaForCausalLM) -> None:
    found = gradients(tiny_model, some_examples(2))
    found.of_batch(np.arange(2), (0, 0))
    found.release()
    assert all(parameter.grad is None for parameter in tiny_model.parameters())
