"""The recipe of traffic-nano, on a few captures of the lab and with a small shape."""

from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.models.traffic_lm import nano
from pipelines.models.traffic_lm.base import load_base, save_base
from pipelines.models.traffic_lm.pretrain import SETTINGS, pretrain
from pipelines.models.traffic_lm.vocabulary import LABELS, is_extended
from pipelines.represent.traffic_tokens import is_traffic

QUICK = SETTINGS.model_copy(update={"epochs": 1, "batch_rows": 16, "learning_rate": 0.01})


@pytest.fixture(scope="module")
def lab(tiny_lab: Path) -> Path:
    return tiny_lab


@pytest.fixture(scope="module")
def found(lab: Path) -> Any:
    threads, shape = torch.get_num_threads(), nano._shape
    torch.set_num_threads(1)

    def small(tokenizer: Any) -> Any:
        config = shape(tokenizer)
        config.hidden_size, config.intermediate_size, config.num_hidden_layers = 48, 64, 2
        config.head_dim = 16
        return config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nano, "_shape", small)
        patch.setattr("pipelines.models.traffic_lm.pretrain.instruction_set", sentences)
        made = pretrain([lab], settings=QUICK)
    torch.set_num_threads(threads)
    return made


def sentences(seed: int) -> list[Any]:
    from pipelines.instructions.instructions import instruction_set

    return instruction_set(seed)[::20]


def test_it_foretells_captures_that_it_has_not_seen(found: Any) -> None:
    assert found.held_out_loss < found.untrained_loss - 0.5
    assert found.captures > 0
    assert found.flows > 50
    assert found.tokens > found.flows


def test_its_vocabulary_is_whole(found: Any) -> None:
    assert is_extended(found.tokenizer)
    assert sum(map(is_traffic, found.tokenizer.get_vocab())) > 260
    assert len(found.tokenizer) <= found.model.get_input_embeddings().weight.shape[0]


def test_the_labels_are_left_apart(found: Any) -> None:
    rows = found.model.get_input_embeddings().weight.detach()
    labels = rows[found.tokenizer.convert_tokens_to_ids(list(LABELS[:50]))]
    labels = labels / labels.norm(dim=1, keepdim=True)
    assert abs(float((labels @ labels.T - torch.eye(50)).mean())) < 0.1


def test_it_is_saved_and_loaded_as_any_base(found: Any, tmp_path: Path) -> None:
    save_base(tmp_path, found.model, found.tokenizer)
    again = load_base(str(tmp_path))
    for name, weight in found.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], weight)
    assert again.tokenizer.bos_token == nano.BEGIN
    assert again.tokenizer.eos_token == nano.END
    text = "Which programme sent this?"
    tokens = again.tokenizer.encode(text, add_special_tokens=False)
    assert again.tokenizer.decode(tokens) == text


def test_any_text_can_be_written_with_its_words(found: Any) -> None:
    for text in ("naïve 漢字 \x1b[31m 🙂", "0123456789 1.5%", "\n\t  x"):
        tokens = found.tokenizer.encode(text, add_special_tokens=False)
        assert found.tokenizer.decode(tokens, clean_up_tokenization_spaces=False) == text
