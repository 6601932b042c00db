"""What is written is whole, what is read is one's own, and what goes on ends the same."""

import copy
import json
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import peft
import pytest
import torch
from torch import nn
from transformers import LlamaForCausalLM

from pipelines.errors import InputError, NetloopError
from pipelines.models.base import Epoch
from pipelines.models.cnn.training import one_thread
from pipelines.models.traffic_lm.batches import Example
from pipelines.models.traffic_lm.checkpoints import (
    Parts,
    TrainState,
    discard,
    fingerprint,
    load,
    save,
)
from pipelines.models.traffic_lm.training import TrainSettings, train

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is:FutureWarning")

MINE = {"seed": "0", "examples": "abc"}
PARTS = Parts({"a": torch.arange(6.0).view(2, 3)}, {"a/step": torch.tensor(3.0)}, {})


@pytest.fixture(autouse=True)
def small_work() -> Iterator[None]:
    with one_thread():
        yield


def state(**changes: object) -> TrainState:
    return TrainState(fingerprint=MINE, micro_tokens=100, **changes)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_is_read(tmp_path: Path) -> None:
    curve = [Epoch(epoch=1, loss=0.1 + 0.2, validation_macro_f1=1 / 3)]
    written = state(epoch=2, batch=7, tokens=1 << 40, loss=1e-17, weight=0.1, curve=curve)
    save(tmp_path / "new" / "folder", written, PARTS)
    found = load(tmp_path / "new" / "folder", MINE)
    assert found is not None
    assert found[0] == written
    assert torch.equal(found[1].weights["a"], PARTS.weights["a"])
    assert torch.equal(found[1].optimiser["a/step"], torch.tensor(3.0))
    assert found[1].best == {}


def test_tensors_of_any_layout_are_written(tmp_path: Path) -> None:
    turned = nn.Parameter(torch.arange(6.0).view(2, 3).T)
    save(tmp_path, state(), Parts({"turned": turned, "again": turned}, {}, {}))
    found = load(tmp_path, MINE)
    assert found is not None
    assert torch.equal(found[1].weights["turned"], turned.detach())


def test_only_the_newest_is_kept_and_litter_is_removed(tmp_path: Path) -> None:
    for number in range(11):
        (tmp_path / ".making-x").mkdir()
        save(tmp_path, state(batch=number), PARTS)
        assert names(tmp_path) == [f"checkpoint-{number + 1:09}"]
    found = load(tmp_path, MINE)
    assert found is not None
    assert found[0].batch == 10


def test_of_two_the_newer_one_is_read(tmp_path: Path) -> None:
    """As a kill leaves them that comes before the older one is removed."""
    save(tmp_path, state(batch=1), PARTS)
    (tmp_path / "checkpoint-000000001").rename(tmp_path / "kept")
    for number in (1, 2):
        save(tmp_path, state(batch=number), PARTS)
    (tmp_path / "kept").rename(tmp_path / "checkpoint-000000001")
    found = load(tmp_path, MINE)
    assert found is not None
    assert found[0].batch == 2


@pytest.mark.parametrize("missing", ["nowhere", "."])
def test_where_nothing_is_nothing_is_read(tmp_path: Path, missing: str) -> None:
    assert load(tmp_path / missing, MINE) is None
    discard(tmp_path / missing / "deeper")


def test_discarding_leaves_what_is_not_ours(tmp_path: Path) -> None:
    save(tmp_path / "one", state(), PARTS)
    (tmp_path / "one" / ".making-x").mkdir()
    discard(tmp_path / "one")
    assert not (tmp_path / "one").exists()
    save(tmp_path / "two", state(), PARTS)
    (tmp_path / "two" / "notes.txt").write_text("mine")
    discard(tmp_path / "two")
    assert names(tmp_path / "two") == ["notes.txt"]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"seed": "1"}, "other seed\\."),
        ({"examples": "abd"}, "other examples\\."),
        ({"seed": "1", "examples": "abd"}, "other seed and examples\\."),
        ({"settings": "new"}, "other settings\\."),
    ],
)
def test_a_foreign_one_is_refused(tmp_path: Path, other: dict[str, str], named: str) -> None:
    save(tmp_path, state(), PARTS)
    with pytest.raises(InputError, match=f"another training: {named}.*remove the folder"):
        load(tmp_path, MINE | other)


def broken_json(folder: Path) -> None:
    (folder / "state.json").write_text("{")


def more_in_json(folder: Path) -> None:
    content = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(content | {"code": "x"}))


def cut_weights(folder: Path) -> None:
    os.truncate(folder / "weights.safetensors", 20)


def no_optimiser(folder: Path) -> None:
    (folder / "optimiser.safetensors").unlink()


def pickled_weights(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(pickle.dumps({"a": 1}))


@pytest.mark.parametrize(
    "harm", [broken_json, more_in_json, cut_weights, no_optimiser, pickled_weights]
)
def test_what_cannot_be_read_is_told(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    save(tmp_path, state(), PARTS)
    harm(tmp_path / "checkpoint-000000001")
    with pytest.raises(InputError, match=r"checkpoint-000000001 is not a checkpoint.*Remove it"):
        load(tmp_path, MINE)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NetloopError, match=r"could not be written into .*file/x: Not a directory"):
        save(tmp_path / "file" / "x", state(), PARTS)


def changed(**changes: object) -> dict[str, str]:
    made_from: dict = {
        "settings": {"epochs": 3},
        "seed": 0,
        "examples": [Example([1, 2, 3], 1), Example([4, 5], 1)],
        "weights": {"a": torch.zeros(2, 3)},
    }
    return fingerprint(**(made_from | changes))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"settings": {"epochs": 4}}, "settings"),
        ({"seed": 1}, "seed"),
        ({"examples": [Example([1, 2, 3], 1), Example([4, 6], 1)]}, "examples"),
        ({"examples": [Example([1, 2, 3], 2), Example([4, 5], 1)]}, "examples"),
        ({"examples": [Example([1, 2, 3], 1, 2.0), Example([4, 5], 1)]}, "examples"),
        ({"examples": [Example([1, 2], 1), Example([3, 4, 5], 1)]}, "examples"),
        ({"examples": [Example([4, 5], 1), Example([1, 2, 3], 1)]}, "examples"),
        ({"weights": {"b": torch.zeros(2, 3)}}, "trained weights"),
        ({"weights": {"a": torch.zeros(3, 2)}}, "trained weights"),
    ],
)
def test_the_fingerprint_knows_what_differs(changes: dict, kind: str) -> None:
    one, other = changed(), changed(**changes)
    assert {name for name in one if one[name] != other[name]} == {kind}


def test_the_fingerprint_does_not_ask_how_tokens_are_held() -> None:
    arrays = [Example(np.array([1, 2, 3], np.uint16), 1), Example((4, 5), 1)]
    assert changed(examples=arrays, weights={"a": torch.ones(2, 3)}) == changed()


def test_epochs_since_the_best_one() -> None:
    def since(*scores: float | None) -> int:
        curve = [Epoch(epoch=1, loss=1, validation_macro_f1=score) for score in scores]
        return state(curve=curve).since_best()

    assert [since(), since(None, None), since(0.5), since(0.5, 0.5, 0.4)] == [0, 0, 0, 2]
    assert since(0.5, 0.6) == 0


SETTINGS = TrainSettings(epochs=4, batch_rows=8, patience=2, checkpoint_seconds=0)


class Killed(BaseException):
    """Ends a training from inside, as nothing in it expects."""


def new_model(like: LlamaForCausalLM) -> nn.Module:
    """LoRA with dropout, so that a wrong random number shows."""
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], lora_dropout=0.3, r=4)
    config.task_type = "CAUSAL_LM"
    torch.manual_seed(7)
    return peft.get_peft_model(copy.deepcopy(like), config)


def learn(
    model: nn.Module, folder: Path | None, kill_at: int | None = None, **changes: object
) -> list[Epoch]:
    """Train, and be killed at the given call of progress or validation."""
    random = np.random.default_rng(0)
    examples = [Example(random.integers(3, 90, 4 + row % 9), 1 + row % 3) for row in range(20)]
    calls = 0

    def call(*_: object) -> float:
        nonlocal calls
        calls += 1
        if calls - 1 == kill_at:
            raise Killed
        return 0.0

    def validate() -> float:
        call()
        # Any function of the weights, as a real score is one.
        return sum(float(weight.sum()) for weight in trained(model).values()) % 1e-3

    return train(
        model,
        examples,
        SETTINGS.model_copy(update=changes),
        seed=0,
        validate=validate,
        checkpoints=folder,
        progress=call,
    )


def trained(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: w.detach().clone() for name, w in model.named_parameters() if w.requires_grad}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_training_that_breaks_anywhere_ends_the_same(
    tiny_model: LlamaForCausalLM, tmp_path: Path
) -> None:
    unbroken = new_model(tiny_model)
    curve = learn(unbroken, None)
    assert len(curve) > 2
    # An epoch is three batches and a validation: before the first checkpoint, at the end of an
    # epoch, in its validation, after it, and in the middle.
    for kill_at in (0, 2, 3, 4, 9):
        folder = tmp_path / str(kill_at)
        with pytest.raises(Killed):
            learn(new_model(tiny_model), folder, kill_at)
        resumed = new_model(tiny_model)
        assert learn(resumed, folder) == curve
        assert same(trained(resumed), trained(unbroken))


def test_one_that_breaks_again_and_again_ends_the_same(
    tiny_model: LlamaForCausalLM, tmp_path: Path
) -> None:
    unbroken, model = new_model(tiny_model), new_model(tiny_model)
    curve = learn(unbroken, None)
    for _ in range(3):
        with pytest.raises(Killed):
            learn(model, tmp_path, 2)
        model = new_model(tiny_model)
    assert learn(model, tmp_path) == curve
    assert same(trained(model), trained(unbroken))


def test_one_that_was_done_is_not_done_again(tiny_model: LlamaForCausalLM, tmp_path: Path) -> None:
    unbroken, again = new_model(tiny_model), new_model(tiny_model)
    curve = learn(unbroken, tmp_path)
    assert learn(again, tmp_path, kill_at=0) == curve
    assert same(trained(again), trained(unbroken))
    discard(tmp_path)
    with pytest.raises(Killed):
        learn(again, tmp_path, kill_at=0)


def test_how_it_is_computed_may_change(tiny_model: LlamaForCausalLM, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        learn(new_model(tiny_model), tmp_path, 5)
    learn(new_model(tiny_model), tmp_path, micro_tokens=50, gradient_checkpointing=True)
    with pytest.raises(InputError, match="another training: other settings"):
        learn(new_model(tiny_model), tmp_path, learning_rate=1e-4)
    others = [Example([1, 2, 3], 1)]
    with pytest.raises(InputError, match="another training: other settings and examples"):
        train(new_model(tiny_model), others, SETTINGS, seed=0, checkpoints=tmp_path, among=[3, 4])


def test_checkpoints_are_written_after_each_epoch_and_not_more_often_than_asked(
    tiny_model: LlamaForCausalLM, tmp_path: Path
) -> None:
    learn(new_model(tiny_model), tmp_path / "rare", checkpoint_seconds=1e9)
    curve = learn(new_model(tiny_model), tmp_path / "often")
    assert names(tmp_path / "rare") == [f"checkpoint-{len(curve):09}"]
    assert names(tmp_path / "often") == [f"checkpoint-{4 * len(curve):09}"]
