"""What is added to a base's vocabulary, and what stays as it was."""

from pathlib import Path
from typing import Any

import pytest
import torch
from traffic_lm_bases import plain_base, traffic_base

from pipelines.models.traffic_lm.base import load_base
from pipelines.models.traffic_lm.vocabulary import (
    ANSWER,
    LABELS,
    MARKS,
    TASK_TOKENS,
    TRAFFIC,
    extend,
    is_extended,
)
from pipelines.represent.traffic_text.symbols import bytes_text
from pipelines.represent.traffic_tokens import SIGNS

LEARNED = [*SIGNS, "▸74S", "◂74SA", "˖21m", "⠖⠃⠁"]
TEXT = "tcp4 n=3>2 b=900>5120 t=1.2s▸74S◂74SA˖21m▸583PA˖1.1m⠖⠃⠁⠂⣿"


def rows(model: Any) -> torch.Tensor:
    return model.get_input_embeddings().weight.detach()


def test_marks_are_one_token_each() -> None:
    model, tokenizer = plain_base()
    extend(model, tokenizer, SIGNS)
    for mark in (TRAFFIC, ANSWER, TASK_TOKENS[0], LABELS[0], LABELS[-1]):
        assert len(tokenizer.encode(mark, add_special_tokens=False)) == 1
    assert len(set(MARKS)) == len(MARKS) == 2 + 15 + 256
    assert is_extended(tokenizer)


@pytest.mark.parametrize("tied", [True, False])
def test_a_token_begins_as_the_mean_of_what_it_replaces(tied: bool) -> None:
    model, tokenizer = plain_base(tied=tied)
    pieces = tokenizer.encode("▸74S", add_special_tokens=False)
    before = rows(model)[pieces].mean(dim=0)
    said = model.get_output_embeddings().weight.detach()[pieces].mean(dim=0)
    assert len(pieces) > 3
    extend(model, tokenizer, LEARNED)
    number = tokenizer.convert_tokens_to_ids("▸74S")
    assert torch.allclose(rows(model)[number], before, atol=1e-6)
    assert torch.allclose(model.get_output_embeddings().weight[number], said, atol=1e-6)
    assert (model.get_output_embeddings().weight is model.get_input_embeddings().weight) == tied


def test_what_was_there_stays_as_it_was() -> None:
    model, tokenizer = plain_base()
    old, size = rows(model).clone(), len(tokenizer)
    words = "Which application made this traffic, please? n=12 … é"
    before = tokenizer.encode(words)
    extend(model, tokenizer, LEARNED)
    assert torch.equal(rows(model)[:size], old[:size])
    assert tokenizer.encode(words) == before


def test_labels_differ_from_each_other() -> None:
    """They replace nothing: equal rows could not be told apart by an adapter."""
    model, tokenizer = plain_base()
    extend(model, tokenizer, SIGNS)
    labels = rows(model)[tokenizer.convert_tokens_to_ids(list(LABELS))]
    distances = torch.cdist(labels, labels) + torch.eye(len(LABELS)) * 9
    assert float(distances.min()) > 0.01
    assert float(labels.std()) == pytest.approx(float(rows(model)[:200].std()), rel=0.2)


def test_extending_twice_changes_nothing() -> None:
    model, tokenizer = plain_base()
    added = extend(model, tokenizer, LEARNED)
    before, size = rows(model).clone(), len(tokenizer)
    assert len(added) == len(MARKS) + len(LEARNED)
    assert extend(model, tokenizer, LEARNED) == []
    assert len(tokenizer) == size
    assert torch.equal(rows(model), before)


def test_more_tokens_can_be_added_later() -> None:
    model, tokenizer = plain_base()
    extend(model, tokenizer, SIGNS)
    mean = rows(model)[tokenizer.encode("⠖⠃⠁", add_special_tokens=False)].mean(dim=0)
    (number,) = extend(model, tokenizer, ["⠖⠃⠁"])
    assert tokenizer.convert_ids_to_tokens([number]) == ["⠖⠃⠁"]
    assert torch.allclose(rows(model)[number], mean, atol=1e-6)


def test_fewer_tokens_for_the_same_text_and_the_way_back() -> None:
    model, tokenizer = plain_base()
    before = tokenizer.encode(TEXT, add_special_tokens=False)
    extend(model, tokenizer, LEARNED)
    after = tokenizer.encode(TEXT, add_special_tokens=False)
    assert len(after) < 0.7 * len(before)
    assert tokenizer.decode(after, skip_special_tokens=False) == TEXT


def test_all_byte_values_come_back_exactly(tmp_path: Path) -> None:
    tokenizer = load_base(str(traffic_base(tmp_path / "base"))).tokenizer
    for start in range(256):
        text = bytes_text(bytes((start + step) % 256 for step in range(256)))
        tokens = tokenizer.encode(text, add_special_tokens=False)
        assert tokenizer.decode(tokens, skip_special_tokens=False) == text


def test_the_vocabulary_is_saved_and_loaded(tmp_path: Path) -> None:
    model, tokenizer = plain_base()
    extend(model, tokenizer, LEARNED)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again = load_base(str(tmp_path))
    assert again.tokenizer.encode(TEXT) == tokenizer.encode(TEXT)
    assert torch.equal(rows(again.model), rows(model))
    assert is_extended(again.tokenizer)


def test_a_base_without_marks_is_not_extended() -> None:
    assert not is_extended(plain_base()[1])
