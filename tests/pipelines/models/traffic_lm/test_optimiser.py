"""The learning rate over a training, and which weights decay."""

import peft
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaForCausalLM

from pipelines.models.traffic_lm.optimiser import learning_rate, new_optimiser
from pipelines.models.traffic_lm.train_settings import TrainSettings

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is:FutureWarning")


def decaying(model: torch.nn.Module) -> set[str]:
    decayed, kept = new_optimiser(model, 0.5).param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.5, 0.0)
    trained = {
        id(weight): name for name, weight in model.named_parameters() if weight.requires_grad
    }
    assert len(decayed["params"]) + len(kept["params"]) == len(trained)
    return {trained[id(weight)] for weight in decayed["params"]}


def test_the_learning_rate_rises_and_falls_to_a_tenth() -> None:
    settings = TrainSettings(learning_rate=2.0, warmup=0.1)
    rates = [learning_rate(step, 40, settings) for step in range(40)]
    assert rates[:4] == [0.5, 1.0, 1.5, 2.0]
    assert rates[3 + 18] == pytest.approx(2 * (0.1 + 0.9 / 2))
    assert rates[-1] == pytest.approx(0.2)
    assert rates[3:] == sorted(rates[3:], reverse=True)


@pytest.mark.parametrize(("warmup", "first", "last"), [(0.0, 1.0, 0.1), (1.0, 0.25, 1.0)])
def test_without_a_warm_up_and_with_nothing_else(warmup: float, first: float, last: float) -> None:
    settings = TrainSettings(learning_rate=1.0, warmup=warmup)
    rates = [learning_rate(step, 4, settings) for step in range(4)]
    assert (rates[-1], max(rates) <= 1) == (pytest.approx(last), True)
    assert rates[0] == pytest.approx(first, abs=0.15)


@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.5, 1.0])
def test_a_single_step_has_a_learning_rate(warmup: float) -> None:
    assert 0 < learning_rate(0, 1, TrainSettings(learning_rate=1.0, warmup=warmup)) <= 1


def test_matrices_decay_and_embeddings_do_not(tiny_model: LlamaForCausalLM) -> None:
    parts = {name.rpartition(".")[0].rpartition(".")[2] for name in decaying(tiny_model)}
    assert parts == {
        *("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head")
    }


def test_an_output_layer_that_is_the_embedding_does_not_decay() -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=2))
    names = {name.removeprefix("transformer.h.0.") for name in decaying(model)}
    assert names == {f"{part}.weight" for part in PARTS_OF_GPT2}


PARTS_OF_GPT2 = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (peft.LoraConfig(target_modules=["q_proj"]), {"lora_A", "lora_B"}),
        (peft.LoraConfig(target_modules=["embed_tokens"]), set()),
        (
            peft.LoraConfig(target_modules=["q_proj"], trainable_token_indices=[3, 4]),
            {"lora_A", "lora_B"},
        ),
        (peft.TrainableTokensConfig(token_indices=[3, 4]), set()),
        (peft.PrefixTuningConfig(num_virtual_tokens=3), set()),
    ],
)
def test_of_adapters_the_matrices_of_lora_decay(
    tiny_model: LlamaForCausalLM, config: peft.PeftConfig, expected: set[str]
) -> None:
    config.task_type = "CAUSAL_LM"
    model = peft.get_peft_model(tiny_model, config)
    assert {name.rsplit(".", 3)[1] for name in decaying(model)} == expected
