"""A tiny language model that names classes: learning, files, adapters, bases of others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors import safe_open
from traffic_lm_bases import plain_base, traffic_base

from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.errors import InputError
from pipelines.models.base import Resumable, labels_of, predict
from pipelines.models.fitting import fit_and_score
from pipelines.models.registry import load_model, new_model
from pipelines.models.traffic_lm.base import save_base
from pipelines.models.traffic_lm.classifier import TrafficLm
from pipelines.models.traffic_lm.controls import FrozenTrafficLm
from pipelines.models.traffic_lm.gradients import Gradients
from pipelines.progress import silent

Rows = Callable[..., pa.Table]
METHODS = ("full", "lora", "prefix")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Any:
    """Two programs with threads on two cores wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return traffic_base(tmp_path_factory.mktemp("bases") / "tiny")


def fitted(
    base: Path, rows: pa.Table, name: str = "traffic_lm", seed: int = 0, **settings: Any
) -> Any:
    chosen = {"learning_rate": 0.01, "epochs": 4, "batch_rows": 16, **settings}
    model = new_model(name, {"base": str(base), **chosen})
    model.fit(
        rows, labels_of(rows), masks=DEFAULT_MASKS, seed=seed, validation=None, progress=silent
    )
    return model


def accuracy(model: Any, rows: pa.Table) -> float:
    return float((predict(model, rows) == np.array(labels_of(rows))).mean())


# LoRA at four times this rate learns on some processors and guesses on others.
@pytest.mark.parametrize(("method", "rate"), [("full", 0.01), ("lora", 0.005)])
def test_flows_are_learnt(method: str, rate: float, base: Path, flow_rows: Rows) -> None:
    rows, later = flow_rows({"a": 60, "b": 60}), flow_rows({"a": 40, "b": 40}, seed=1)
    model = fitted(base, rows, method=method, epochs=20, learning_rate=rate)
    assert accuracy(model, later) > 0.9


def test_a_prefix_learns(base: Path, flow_rows: Rows) -> None:
    """What random weights make of a prefix is little: it learns the least of all."""
    model = fitted(base, flow_rows({"a": 30, "b": 30}), method="prefix", learning_rate=0.1)
    losses = [epoch.loss for epoch in model.curve]
    assert losses[-1] < losses[0]


def test_a_table_is_learnt(base: Path, table_rows: Rows) -> None:
    model = fitted(base, table_rows({"a": 60, "b": 60}), method="full", epochs=8)
    assert accuracy(model, table_rows({"a": 30, "b": 30}, seed=1)) > 0.9


def test_names_with_blanks_of_which_one_begins_the_other(base: Path, table_rows: Rows) -> None:
    """Both spellings are learned to their ends; chance would be log 2 over 2 and 4 tokens."""
    rows = table_rows({"a": 40, "a b": 40})
    model = fitted(base, rows, labels="names", method="full", epochs=12)
    assert model.curve[-1].loss < 0.6
    assert model.predict_proba(rows).sum(axis=1) == pytest.approx(np.ones(80))


@pytest.mark.parametrize("method", METHODS)
def test_the_same_after_saving_and_loading(
    method: str, base: Path, flow_rows: Rows, tmp_path: Path
) -> None:
    rows = flow_rows({"a": 10, "b": 10, "c": 10})
    model = fitted(base, rows, method=method, epochs=1)
    model.save(tmp_path)
    again = load_model(tmp_path)
    assert again.name == "traffic_lm"
    assert again.classes == ["a", "b", "c"]
    assert np.allclose(again.predict_proba(rows), model.predict_proba(rows), atol=1e-6)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors"}


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_writes_the_same_files(
    method: str, base: Path, flow_rows: Rows, tmp_path: Path
) -> None:
    rows = flow_rows({"a": 10, "b": 10})
    for attempt in ("one", "two"):
        (tmp_path / attempt).mkdir()
        torch.manual_seed(len(attempt))
        fitted(base, rows, method=method, epochs=1, seed=3).save(tmp_path / attempt)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_an_adapter_is_plain_lora(base: Path, flow_rows: Rows, tmp_path: Path) -> None:
    """What servers of many adapters take: no token, no saved module, nothing but A and B."""
    fitted(base, flow_rows({"a": 5, "b": 5}), method="lora", epochs=1).save(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA"
    assert config["base_model_name_or_path"] == str(base)
    assert not config["modules_to_save"]
    assert not config["trainable_token_indices"]
    with safe_open(tmp_path / "adapter_model.safetensors", "pt") as weights:
        assert all(".lora_A." in name or ".lora_B." in name for name in weights.keys())  # noqa: SIM118


@pytest.mark.parametrize(("small", "file"), [(10**6, "model"), (1000, "adapter_model")])
def test_auto_is_full_for_small_bases_and_lora_for_larger_ones(
    small: int,
    file: str,
    base: Path,
    flow_rows: Rows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.models.traffic_lm.classifier.SMALL", small)
    fitted(base, flow_rows({"a": 5, "b": 5}), epochs=1).save(tmp_path)
    assert (tmp_path / f"{file}.safetensors").is_file()
    assert load_model(tmp_path).name == "traffic_lm"


def test_an_adapter_of_another_base_is_refused(flow_rows: Rows, tmp_path: Path) -> None:
    base = traffic_base(tmp_path / "base")
    (tmp_path / "model").mkdir()
    fitted(base, flow_rows({"a": 5, "b": 5}), method="lora", epochs=1).save(tmp_path / "model")
    weights = base / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-2] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(InputError, match="another base") as caught:
        load_model(tmp_path / "model")
    assert "Put back the base" in caught.value.mend


def test_a_base_that_is_gone_is_named(flow_rows: Rows, tmp_path: Path) -> None:
    base = traffic_base(tmp_path / "base")
    (tmp_path / "model").mkdir()
    fitted(base, flow_rows({"a": 5, "b": 5}), method="lora", epochs=1).save(tmp_path / "model")
    base.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="no such folder"):
        load_model(tmp_path / "model")


def test_a_base_without_traffic_tokens_is_refused(flow_rows: Rows, tmp_path: Path) -> None:
    model, tokenizer = plain_base()
    save_base(tmp_path, model, tokenizer)
    with pytest.raises(InputError, match="no traffic tokens") as caught:
        fitted(tmp_path, flow_rows({"a": 5, "b": 5}))
    assert "netloop tune instructions" in caught.value.mend


def test_a_class_that_was_never_seen_is_taken_for_none(base: Path, flow_rows: Rows) -> None:
    rows, labels = flow_rows({"a": 20, "b": 20}), ["a"] * 20 + ["b"] * 20
    later = flow_rows({"a": 5, "b": 5, "c": 5}, seed=1)
    model = new_model("traffic_lm", {"base": str(base), "epochs": 2})
    model.fit(
        rows,
        labels,
        masks=DEFAULT_MASKS,
        seed=0,
        validation=(later, labels_of(later)),
        progress=silent,
    )
    assert model.classes == ["a", "b"]
    assert model.predict_proba(later).shape == (15, 2)


def test_validation_stops_calibrates_and_is_kept_for_the_second_fit(
    base: Path, flow_rows: Rows
) -> None:
    train, validation = flow_rows({"a": 60, "b": 60}), flow_rows({"a": 30, "b": 30}, seed=1)
    wrong = ["b"] * 3 + validation["label"].to_pylist()[3:]  # so that it cannot be right always
    validation = validation.set_column(0, validation.schema.field("label"), pa.array(wrong))
    found = fit_and_score(
        "traffic_lm",
        train,
        validation,
        masks=DEFAULT_MASKS,
        seed=0,
        settings={
            "base": str(base),
            "method": "full",
            "learning_rate": 0.01,
            "epochs": 6,
            "batch_rows": 16,
        },
        progress=silent,
    )
    model = found.classifier
    assert isinstance(model, TrafficLm)
    scores = [epoch.validation_macro_f1 for epoch in found.curve]
    assert max(scores) == pytest.approx(found.validation_macro_f1)
    assert model.settings.epochs == scores.index(max(scores)) + 1
    assert model.card.rows == 180
    assert model.answers.temperature != 1.0
    assert 0 < model.unknown_below < 1


def test_temperature_changes_how_sure_it_is_and_not_what_it_says(
    base: Path, flow_rows: Rows
) -> None:
    rows = flow_rows({"a": 20, "b": 20})
    model = fitted(base, rows, epochs=2)
    before = model.predict_proba(rows)
    model.answers = model.answers.model_copy(update={"temperature": 4.0})
    after = model.predict_proba(rows)
    assert (after.argmax(axis=1) == before.argmax(axis=1)).all()
    assert after.max(axis=1).mean() < before.max(axis=1).mean()


def test_what_is_masked_changes_nothing(base: Path, table_rows: Rows) -> None:
    rows = table_rows({"a": 10, "b": 10})
    place = rows.schema.get_field_index("host")
    moved = rows.set_column(place, rows.schema.field("host"), pa.array(range(20)))
    model = fitted(base, rows, epochs=1)
    assert (model.predict_proba(moved) == model.predict_proba(rows)).all()


def test_one_row_a_class_and_no_rows(base: Path, flow_rows: Rows) -> None:
    model = fitted(base, flow_rows({"a": 1, "b": 1}), epochs=1)
    assert model.predict_proba(flow_rows({"a": 2, "b": 1}, seed=1)).shape == (3, 2)
    assert model.predict_proba(flow_rows({"a": 1}).slice(0, 0)).shape == (0, 2)


def test_a_killed_training_goes_on(base: Path, flow_rows: Rows, tmp_path: Path) -> None:
    """Stopped in its second epoch by an error from outside, it ends with the same weights."""
    rows = flow_rows({"a": 40, "b": 40})

    def stop(what: str, done: float, total: float | None, unit: str) -> None:
        if total and done > total * 0.6:
            raise KeyboardInterrupt

    def run(progress: Any, folder: Path | None) -> Any:
        settings = {"base": str(base), "epochs": 3, "batch_rows": 8, "method": "full"}
        model = new_model("traffic_lm", settings)
        assert isinstance(model, Resumable)
        model.checkpoints = folder
        model.fit(
            rows,
            labels_of(rows),
            masks=DEFAULT_MASKS,
            seed=0,
            validation=None,
            progress=progress,
        )
        return model

    with pytest.raises(KeyboardInterrupt):
        run(stop, tmp_path)
    assert any(tmp_path.iterdir())
    resumed, unbroken = run(silent, tmp_path), run(silent, None)
    for name, weight in unbroken.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], weight), name


def test_too_little_memory_is_told(
    base: Path, flow_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both fits split their batches; the person reads it once."""
    add = Gradients._add

    def few(self: Gradients, rows: np.ndarray, weight: float) -> None:
        if len(rows) > 4:
            raise torch.OutOfMemoryError
        add(self, rows, weight)

    monkeypatch.setattr(Gradients, "_add", few)
    settings = {"base": str(base), "epochs": 1, "batch_rows": 8, "method": "full"}
    rows, chosen_by = flow_rows({"a": 8, "b": 8}), flow_rows({"a": 4, "b": 4}, seed=1)
    given = {"masks": DEFAULT_MASKS, "seed": 0, "settings": settings, "progress": silent}
    warnings = fit_and_score("traffic_lm", rows, chosen_by, **given).warnings
    assert warnings and len(set(warnings)) == len(warnings)
    assert "the batch is computed in pieces of" in warnings[0]


def test_the_random_control_has_random_weights(base: Path, flow_rows: Rows) -> None:
    rows = flow_rows({"a": 10, "b": 10})
    control = fitted(base, rows, name="traffic_lm_random", epochs=1, learning_rate=1e-9)
    tuned = fitted(base, rows, method="full", epochs=1, learning_rate=1e-9)
    assert control.name == "traffic_lm_random"
    assert control.settings.initial == "random"
    one, two = (model.model.get_input_embeddings().weight for model in (control, tuned))
    assert float((one - two).detach().abs().mean()) > 1e-3


def test_the_frozen_control_learns_nothing_but_a_line(
    base: Path, flow_rows: Rows, tmp_path: Path
) -> None:
    rows = flow_rows({"a": 60, "b": 60})
    control = fitted(base, rows, name="traffic_lm_frozen")
    assert isinstance(control, FrozenTrafficLm)
    assert accuracy(control, flow_rows({"a": 40, "b": 40}, seed=1)) > 0.7
    control.save(tmp_path)
    again = load_model(tmp_path)
    assert np.allclose(again.predict_proba(rows), control.predict_proba(rows))
    (base_file,) = [path for path in tmp_path.iterdir() if path.name == "base.txt"]
    assert base_file.read_text() == control.base.fingerprint


def test_the_frozen_features_are_those_of_each_row_alone(base: Path, flow_rows: Rows) -> None:
    """Padding and batches change nothing."""
    rows = flow_rows({"a": 8, "b": 8})
    control = fitted(base, rows, name="traffic_lm_frozen", micro_tokens=512)
    together = control._features(rows)
    alone = np.vstack([control._features(rows.slice(place, 1)) for place in range(16)])
    assert np.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"method": "magic"}, "method"),
        ({"epochs": 0}, "epochs"),
        ({"base": ""}, "base"),
        ({"task": "Malware Detektion"}, "task"),
        ({"depth": 3}, "depth"),
    ],
)
@pytest.mark.parametrize("name", ["traffic_lm", "traffic_lm_frozen"])
def test_wrong_settings_are_named(settings: dict[str, Any], word: str, name: str) -> None:
    with pytest.raises(InputError, match=word):
        new_model(name, settings)


def test_damaged_folders_are_refused(base: Path, flow_rows: Rows, tmp_path: Path) -> None:
    fitted(base, flow_rows({"a": 5, "b": 5}), epochs=1).save(tmp_path)
    (tmp_path / "answers.json").write_text("{}")
    with pytest.raises(InputError, match=r"answers\.json is missing or was changed"):
        load_model(tmp_path)
