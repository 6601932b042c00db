"""Instruction tuning: tasks are learned and merged into a plain model; traffic is not forgotten."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from traffic_lm_bases import plain_base, traffic_base

from pipelines.instructions.instructions import Instruction
from pipelines.models.traffic_lm import instruction_tuning
from pipelines.models.traffic_lm.base import Base, load_base, save_base
from pipelines.models.traffic_lm.instruction_tuning import (
    CODES,
    evaluate_instructions,
    name_tasks,
    tune_instructions,
)
from pipelines.models.traffic_lm.vocabulary import LABELS, is_extended
from pipelines.represent.traffic_text import parse_text
from pipelines.represent.traffic_tokens import SIGNS

WORDS = {"MTD": "malware", "BND": "botnet", "WF": "website", "NONE": "weather"}
ORDERS = ("is this {}", "{} please", "find {} in here", "tell me about {}", "any {}?", "{}")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Any:
    """Two programs with threads on two cores wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def instructions(repeat: int = 5) -> list[Instruction]:
    return [
        Instruction(order.format(word), task)
        for task, word in WORDS.items()
        for order in ORDERS
        for _ in range(repeat)
    ]


def tuned(base: Base, **options: Any) -> Any:
    chosen = {"epochs": 8, "learning_rate": 0.01, "batch_rows": 16, **options}
    return tune_instructions(base, instructions(), **chosen)


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return load_base(str(traffic_base(tmp_path / "base")))


def test_tasks_are_learned_and_what_was_tuned_is_a_base(base: Base, tmp_path: Path) -> None:
    found = tuned(base)
    (tmp_path / "tuned").mkdir()
    save_base(tmp_path / "tuned", found.model, found.tokenizer)
    again = load_base(str(tmp_path / "tuned"))
    assert again.fingerprint != base.fingerprint
    score = evaluate_instructions(again, instructions(1))
    assert score.rows == 24
    assert score.accuracy > 0.95
    assert score.macro_f1 > 0.95
    assert set(score.per_task) == set(CODES)
    assert score.per_task["MTD"]["support"] == 6
    assert score.confusion["WF"]["WF"] == 6
    named, scores = name_tasks(again, ["any malware?", "find website in here"])
    assert named == ["MTD", "WF"]
    assert scores.shape == (2, len(CODES))


def test_a_tenth_is_watched_and_the_best_epoch_is_kept(base: Base) -> None:
    found = tuned(base)
    assert all(epoch.validation_macro_f1 is not None for epoch in found.curve)


def test_a_larger_base_is_tuned_by_an_adapter_that_is_merged(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the old words only what attention and layers make of them changes, not their rows."""
    monkeypatch.setattr(instruction_tuning, "SMALL", 1000)
    before = base.model.get_input_embeddings().weight.detach().clone()
    found = tuned(base, epochs=12, learning_rate=0.03)
    assert type(found.model).__name__ == "LlamaForCausalLM"
    after = found.model.get_input_embeddings().weight.detach()
    words = base.tokenizer.encode("is this please", add_special_tokens=False)
    assert torch.equal(after[words], before[words])
    assert not [name for name, _ in found.model.named_parameters() if "lora" in name]
    assert found.curve[-1].loss < found.curve[0].loss - 0.2


def base_of(found: Any) -> Base:
    return Base("tuned", found.model, found.tokenizer, "")


@pytest.mark.parametrize("small", [10**6, 1000])
def test_merged_or_not_it_says_the_same(
    small: int, base: Base, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What early stopping saw before the merge is what the saved base says."""
    monkeypatch.setattr(instruction_tuning, "SMALL", small)
    seen: list[np.ndarray] = []
    real = instruction_tuning.label_log_probabilities

    def kept(*args: Any, **options: Any) -> np.ndarray:
        seen.append(real(*args, **options))
        return seen[-1]

    monkeypatch.setattr(instruction_tuning, "label_log_probabilities", kept)
    found = tuned(base, epochs=1)
    asked = [each.text for each in instructions()]
    folds = instruction_tuning.stratified_folds(
        instruction_tuning.places([each.task for each in instructions()], CODES), 10, 0
    )
    watched = [text for text, fold in zip(asked, folds, strict=True) if not fold]
    _, after = name_tasks(base_of(found), watched)
    # Labels get new rows, so the share of all other answers moves a little; tasks do not.
    difference = (after - seen[0]) - (after - seen[0]).mean(axis=1, keepdims=True)
    assert float(np.abs(difference).max()) < 1e-3


def test_labels_stay_apart(base: Base) -> None:
    """No instruction holds them, so training pushes all of them the same way."""
    found = tuned(base, epochs=10)
    rows = found.model.get_input_embeddings().weight.detach()
    labels = rows[found.tokenizer.convert_tokens_to_ids(list(LABELS[:50]))]
    labels = labels / labels.norm(dim=1, keepdim=True)
    alike = (labels @ labels.T - torch.eye(50)).mean()
    assert abs(float(alike)) < 0.1


def test_traffic_is_learned_beside(base: Base) -> None:
    flow = parse_text("tcp4 n=3>2 b=900>5120▸74S◂74SA˖21m▸583PA⠖⠃")
    plain, mixed = (tuned(load_base(base.name), traffic=rows) for rows in ([], [flow] * 60))
    losses = [flow_loss(found, flow) for found in (plain, mixed)]
    assert losses[1] < losses[0] - 1


def flow_loss(found: Any, flow: Any) -> float:
    from pipelines.models.traffic_lm.batches import Example
    from pipelines.models.traffic_lm.likelihood import mean_loss
    from pipelines.models.traffic_lm.prompts import Prompts

    (tokens,) = Prompts(found.tokenizer).whole([flow], 200)
    return mean_loss(found.model, [Example(tokens, len(tokens) - 1)])


def test_a_base_without_traffic_tokens_is_given_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instruction_tuning, "nano_tokens", lambda: list(SIGNS))
    model, tokenizer = plain_base()
    save_base(tmp_path, model, tokenizer)
    found = tuned(load_base(str(tmp_path)), epochs=1)
    assert is_extended(found.tokenizer)
    assert len(found.tokenizer) <= found.model.get_input_embeddings().weight.shape[0]


def test_the_same_seed_gives_the_same_weights(base: Base) -> None:
    one, two = (tuned(load_base(base.name), epochs=1, seed=4).model for _ in range(2))
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, two.state_dict()[name]), name
