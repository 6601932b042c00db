"""The loop: what it learns, when it stops, what it tells, and how it fails."""

import copy
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import peft
import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from pipelines.errors import InputError, NetloopError
from pipelines.models.base import Epoch
from pipelines.models.cnn.training import one_thread
from pipelines.models.traffic_lm.batches import Example, plan_epoch
from pipelines.models.traffic_lm.optimiser import BETAS, learning_rate
from pipelines.models.traffic_lm.training import TrainSettings, train

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is:FutureWarning")

FEW = TrainSettings(epochs=3, batch_rows=8, learning_rate=1e-3)


@pytest.fixture(autouse=True)
def small_work() -> Iterator[None]:
    with one_thread():
        yield


def some_examples(count: int = 20) -> list[Example]:
    """Random tokens; the last one says which of two ranges the first one is from."""
    random = np.random.default_rng(0)
    rows = [random.integers(10, 100, length) for length in random.integers(4, 20, count)]
    return [Example([*row, 3 if row[0] < 55 else 4], 1, 1 + (row[0] < 55)) for row in rows]


def lora(model: LlamaForCausalLM, dropout: float = 0.0) -> nn.Module:
    settings = {"r": 4, "target_modules": ["q_proj", "v_proj"], "lora_dropout": dropout}
    torch.manual_seed(7)
    return peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **settings))


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(weight, other[name]) for name, weight in one.items())


def plain_training(
    model: nn.Module, examples: list[Example], settings: TrainSettings
) -> list[float]:
    """The same training by the book: one sequence at a time, all logits, torch's own clipping."""
    model.train()
    no_decay = [p for name, p in model.named_parameters() if p.ndim < 2 or "embed" in name]
    decay = [p for name, p in model.named_parameters() if p.ndim > 1 and "embed" not in name]
    groups = [{"params": decay}, {"params": no_decay, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, betas=BETAS, weight_decay=settings.weight_decay)
    steps = settings.epochs * math.ceil(len(examples) / settings.batch_rows)
    step, curve, whole = 0, [], sum(example.weight * example.answer for example in examples)
    for epoch in range(1, settings.epochs + 1):
        losses = 0.0
        lengths = [len(example.tokens) for example in examples]
        for batch in plan_epoch(lengths, settings.batch_rows, 0, epoch):
            optimiser.zero_grad()
            weight = sum(examples[row].weight * examples[row].answer for row in batch)
            for row in batch:
                tokens = torch.tensor([*examples[row].tokens])
                logits = model(input_ids=tokens[None]).logits[0, :-1]
                loss = cross_entropy(logits, tokens[1:], reduction="none")
                loss = loss[-examples[row].answer :].sum() * examples[row].weight
                losses += float(loss.detach())
                (loss / weight).backward()
            nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, steps, settings)
            optimiser.step()
            step += 1
        curve.append(losses / whole)
    return curve


@pytest.mark.parametrize("micro_tokens", [16384, 50])
def test_it_is_the_training_by_the_book(tiny_model: LlamaForCausalLM, micro_tokens: int) -> None:
    settings = FEW.model_copy(update={"micro_tokens": micro_tokens, "clip": 0.5})
    other, examples = copy.deepcopy(tiny_model), some_examples()
    expected = plain_training(other, examples, settings)
    curve = train(tiny_model, examples, settings, seed=0)
    assert [epoch.loss for epoch in curve] == pytest.approx(expected, rel=1e-5)
    for name, weight in weights(other).items():
        torch.testing.assert_close(tiny_model.get_parameter(name), weight, rtol=1e-4, atol=1e-5)


def test_a_toy_task_is_learned_to_the_end(tiny_model: LlamaForCausalLM) -> None:
    settings = TrainSettings(epochs=20, batch_rows=8, learning_rate=5e-3)
    examples = some_examples(32)
    curve = train(tiny_model, examples, settings, seed=0)
    assert curve[0].loss > 1
    assert curve[-1].loss < 0.01
    for example in examples[:8]:
        said = tiny_model(input_ids=torch.tensor([example.tokens[:-1]])).logits[0, -1].argmax()
        assert int(said) == example.tokens[-1]


@pytest.mark.parametrize(("kind", "rate"), [("LoRA", 0.03), ("prefix", 0.3)])
def test_adapters_learn_and_leave_the_base_alone(
    tiny_model: LlamaForCausalLM, kind: str, rate: float
) -> None:
    before = weights(tiny_model)
    torch.manual_seed(7)
    config = peft.PrefixTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM")
    model = lora(tiny_model) if kind == "LoRA" else peft.get_peft_model(tiny_model, config)
    settings = TrainSettings(epochs=10, batch_rows=8, learning_rate=rate, warmup=0)
    curve = train(model, some_examples(32), settings, seed=0)
    assert curve[-1].loss < curve[0].loss / 2
    base = {name.replace(".base_layer", ""): weight for name, weight in weights(model).items()}
    kept = {
        name: base.get(f"base_model.model.{name}", base.get(f"base_model.{name}"))
        for name in before
    }
    assert same(before, kept)


def test_the_same_seed_gives_the_same_weights(tiny_model: LlamaForCausalLM) -> None:
    def trained(seed: int) -> dict[str, torch.Tensor]:
        model = lora(copy.deepcopy(tiny_model), dropout=0.3)
        train(model, some_examples(), FEW, seed=seed)
        return weights(model)

    first = trained(0)
    assert same(first, trained(0))
    assert not same(first, trained(1))


def test_the_callers_random_numbers_are_left_alone(tiny_model: LlamaForCausalLM) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(tiny_model, some_examples(), FEW, seed=0)
    assert (torch.rand(3) == expected).all()


def test_the_model_is_left_as_it_is_used(tiny_model: LlamaForCausalLM) -> None:
    train(tiny_model.train(), some_examples(), FEW, seed=0)
    assert not tiny_model.training
    assert all(weight.grad is None for weight in tiny_model.parameters())


def scripted(scores: list[float], model: nn.Module, seen: list) -> Callable[[], float]:
    """A validation that gives one score after the other and remembers the weights it saw."""

    def validate() -> float:
        assert not model.training
        seen.append(weights(model))
        return scores[len(seen) - 1]

    return validate


@pytest.mark.parametrize(
    ("scores", "epochs", "best"),
    [
        ([0.5, 0.9, 0.9, 0.7, 1.0], 4, 2),
        ([0.9, 0.1, 0.8, 1.0, 1.0], 3, 1),
        ([0.1, 0.2, 0.3, 0.4, 0.5], 5, 5),
        ([0.0, 0.0, 0.0, 0.0, 0.0], 3, 1),
    ],
)
def test_it_stops_when_validation_no_longer_rises_and_keeps_the_best(
    tiny_model: LlamaForCausalLM, scores: list[float], epochs: int, best: int
) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    settings = TrainSettings(epochs=5, patience=2, batch_rows=8)
    validate = scripted(scores, tiny_model, seen)
    curve = train(tiny_model, some_examples(), settings, seed=0, validate=validate)
    assert [epoch.validation_macro_f1 for epoch in curve] == scores[:epochs]
    assert [epoch.epoch for epoch in curve] == [*range(1, epochs + 1)]
    assert same(seen[best - 1], weights(tiny_model))
    assert not same(seen[0], seen[1])


def test_without_validation_all_epochs_are_run(tiny_model: LlamaForCausalLM) -> None:
    curve = train(tiny_model, some_examples(), FEW, seed=0)
    assert [epoch.epoch for epoch in curve] == [1, 2, 3]
    assert {epoch.validation_macro_f1 for epoch in curve} == {None}
    assert all(isinstance(epoch, Epoch) for epoch in curve)


def test_validation_changes_nothing_of_what_is_learned(tiny_model: LlamaForCausalLM) -> None:
    other, examples = copy.deepcopy(tiny_model), some_examples()

    def validate() -> float:
        torch.rand(5)
        return float(len(curves) + torch.rand(1))

    curves = [train(tiny_model, examples, FEW, seed=0)]
    curves.append(train(other, examples, FEW, seed=0, validate=validate))
    assert [epoch.loss for epoch in curves[0]] == [epoch.loss for epoch in curves[1]]


def test_progress_counts_the_tokens_of_all_epochs(tiny_model: LlamaForCausalLM) -> None:
    told: list[tuple[str, float, float | None, str]] = []
    examples = some_examples()
    train(
        tiny_model, examples, FEW, seed=0, what="learning", progress=lambda *call: told.append(call)
    )
    total = 3 * sum(len(example.tokens) for example in examples)
    assert [call[1] for call in told] == sorted({call[1] for call in told})
    assert told[-1][:3] == ("learning", total, total)
    assert len(told) == 3 * 3
    assert all(call[3].startswith("tokens, loss ") for call in told)
    assert float(told[0][3].split()[-1]) > float(told[-1][3].split()[-1]) > 0


@pytest.mark.parametrize("kind", ["everything", "LoRA"])
def test_computing_layers_twice_changes_nothing(tiny_model: LlamaForCausalLM, kind: str) -> None:
    ways = []
    for twice in (False, True):
        model = copy.deepcopy(tiny_model)
        model = lora(model, dropout=0.2) if kind == "LoRA" else model
        calls = counted_calls(tiny_model, model)
        settings = FEW.model_copy(update={"gradient_checkpointing": twice})
        train(model, some_examples(), settings, seed=0)
        ways.append((weights(model), calls[0]))
        assert not any(getattr(m, "gradient_checkpointing", False) for m in model.modules())
    assert same(ways[0][0], ways[1][0])
    assert ways[1][1] == 2 * ways[0][1] > 0


def counted_calls(like: LlamaForCausalLM, model: nn.Module) -> list[int]:
    """How often a layer of ``model`` is computed."""
    calls = [0]

    def count(*_: object) -> None:
        calls[0] += 1

    kind = type(like.model.layers[0].mlp)
    next(m for m in model.modules() if isinstance(m, kind)).register_forward_pre_hook(count)
    return calls


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (
            peft.PrefixTuningConfig(num_virtual_tokens=2),
            FEW.model_copy(update={"gradient_checkpointing": True}),
            "Prefix tuning does not work with gradient_checkpointing",
        ),
        (peft.PromptTuningConfig(num_virtual_tokens=2), FEW, "PROMPT_TUNING cannot be trained"),
    ],
)
def test_what_peft_cannot_do_is_refused(
    tiny_model: LlamaForCausalLM, config: peft.PeftConfig, settings: TrainSettings, message: str
) -> None:
    config.task_type = "CAUSAL_LM"
    with pytest.raises(InputError, match=message):
        train(peft.get_peft_model(tiny_model, config), some_examples(), settings, seed=0)


def test_nothing_to_learn_from_and_nothing_to_train_are_refused(
    tiny_model: LlamaForCausalLM,
) -> None:
    with pytest.raises(InputError, match="no examples"):
        train(tiny_model, [], FEW, seed=0)
    with pytest.raises(InputError, match="No weight of the model may be trained"):
        train(tiny_model.requires_grad_(False), some_examples(), FEW, seed=0)


def test_an_answer_that_is_not_among_those_it_may_be_is_refused(
    tiny_model: LlamaForCausalLM,
) -> None:
    train(tiny_model, some_examples(), FEW, seed=0, among=[4, 3])
    with pytest.raises(ValueError, match="4 is not among"):
        train(tiny_model, some_examples(), FEW, seed=0, among=[5, 3])


@pytest.mark.parametrize("folder", [None, "kept"])
def test_a_loss_that_is_no_number_ends_it_before_the_step(
    tiny_model: LlamaForCausalLM, tmp_path: Path, folder: str | None
) -> None:
    settings = FEW.model_copy(update={"learning_rate": 1e30, "warmup": 0, "checkpoint_seconds": 0})
    checkpoints = tmp_path / folder if folder else None
    with pytest.raises(
        NetloopError, match=r"In step 2 of 9 of tuning.*not a finite number"
    ) as error:
        train(tiny_model, some_examples(), settings, seed=0, checkpoints=checkpoints)
    assert "learning_rate below 1e+30" in error.value.mend
    assert ("is from before it" in error.value.message) == bool(folder)
    assert all(weight.isfinite().all() for weight in tiny_model.parameters())
    assert [path.name for path in tmp_path.glob("kept/*")] == ["checkpoint-000000001"] * bool(
        folder
    )


def test_memory_that_does_not_suffice_is_told(tiny_model: LlamaForCausalLM) -> None:
    tiny_model.lm_head.register_forward_hook(lambda *_: torch.empty(1 << 50, dtype=torch.uint8))
    told: list[str] = []
    with pytest.raises(NetloopError, match="memory of the cpu does not suffice for tuning"):
        train(tiny_model, some_examples(), FEW, seed=0, warn=told.append)
    sizes = [int(line.split("suffice for ")[1].split()[0]) for line in told]
    assert len(sizes) > 1
    assert all(other <= one // 2 for one, other in itertools.pairwise(sizes))


@pytest.mark.parametrize(
    "wrong",
    [
        *({"epochs": 0}, {"learning_rate": 0}, {"batch_rows": 0}, {"warmup": 1.5}, {"patience": 0}),
        *({"weight_decay": -1}, {"clip": 0}, {"micro_tokens": 0}, {"checkpoint_seconds": -1}),
        {"epoch": 3},
    ],
)
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        TrainSettings(**wrong)
