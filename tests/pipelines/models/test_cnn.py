"""The network: early stopping, weights of classes, exact sizes, files that lie."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import safetensors.torch
import torch
from sklearn.metrics import f1_score

from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.errors import InputError
from pipelines.models.base import Epoch, labels_of, predict
from pipelines.models.card import Card, write_card
from pipelines.models.cnn.cost import InputShape
from pipelines.models.cnn.inputs import TableInputs, TrafficInputs
from pipelines.models.cnn.model import Cnn
from pipelines.models.cnn.network import build_network
from pipelines.models.cnn.settings import CnnSettings
from pipelines.models.cnn.training import class_weights, logits, seeded, train
from pipelines.models.registry import load_model, new_model
from pipelines.progress import silent

Rows = Callable[..., pa.Table]
SMALL = CnnSettings(channels=8, embedding=4, epochs=6)


def fit(rows: pa.Table, settings: CnnSettings = SMALL, validation: pa.Table | None = None) -> Cnn:
    model = Cnn(settings)
    model.fit(
        rows,
        labels_of(rows),
        masks=DEFAULT_MASKS,
        seed=0,
        validation=None if validation is None else (validation, labels_of(validation)),
        progress=silent,
    )
    return model


def test_it_reads_tokens_of_captures_and_columns_of_tables(
    flow_rows: Rows, table_rows: Rows
) -> None:
    assert isinstance(fit(flow_rows({"a": 2, "b": 2})).inputs, TrafficInputs)
    assert isinstance(fit(table_rows({"a": 2, "b": 2})).inputs, TableInputs)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([10, 10], [1, 1]), ([30, 10], [2 / 3, 2]), ([999, 1], [1000 / 1998, 10])],
)
def test_class_weights_are_balanced_and_bounded(counts: list[int], expected: list[float]) -> None:
    numbers = np.repeat(np.arange(len(counts)), counts)
    assert class_weights(numbers, 10.0) == pytest.approx(expected)


def test_without_validation_it_runs_all_epochs(flow_rows: Rows) -> None:
    curve = fit(flow_rows({"a": 5, "b": 5})).curve
    assert [epoch.epoch for epoch in curve] == [1, 2, 3, 4, 5, 6]
    assert {epoch.validation_macro_f1 for epoch in curve} == {None}


def test_the_loss_falls(flow_rows: Rows) -> None:
    settings = SMALL.model_copy(update={"epochs": 20})
    curve = fit(flow_rows({"a": 50, "b": 50}), settings).curve
    assert curve[-1].loss < curve[0].loss / 2


def test_it_stops_when_validation_no_longer_rises(flow_rows: Rows) -> None:
    settings = CnnSettings(channels=8, embedding=4, epochs=200, patience=3)
    model = fit(flow_rows({"a": 60, "b": 60}), settings, flow_rows({"a": 20, "b": 20}, seed=1))
    scores = [epoch.validation_macro_f1 for epoch in model.curve]
    assert len(scores) < 200
    assert len(scores) == scores.index(max(scores)) + 1 + 3


def test_it_keeps_the_best_weights(flow_rows: Rows) -> None:
    validation = flow_rows({"a": 30, "b": 30, "c": 30}, seed=1)
    model = fit(flow_rows({"a": 20, "b": 20, "c": 20}), SMALL, validation)
    best = max(epoch.validation_macro_f1 or 0 for epoch in model.curve)
    again = f1_score(labels_of(validation), predict(model, validation), average="macro")
    assert again == pytest.approx(best)


def test_the_refit_runs_as_long_as_validation_was_best() -> None:
    model = Cnn(SMALL)
    scores = [0.5, 0.9, 0.9, 0.7]
    model.curve = [
        Epoch(epoch=number, loss=1, validation_macro_f1=score)
        for number, score in enumerate(scores, start=1)
    ]
    assert model.for_refit().settings == SMALL.model_copy(update={"epochs": 2})
    assert Cnn(SMALL).for_refit().settings == SMALL


def test_validation_does_not_change_what_is_learnt_before_the_stop(flow_rows: Rows) -> None:
    rows = flow_rows({"a": 20, "b": 20})
    watched = fit(rows, SMALL, flow_rows({"a": 5, "b": 5}, seed=1))
    best = watched.for_refit().settings
    assert (fit(rows, best).predict_proba(rows) == watched.predict_proba(rows)).all()


def test_validation_may_lack_classes_or_have_more(flow_rows: Rows) -> None:
    rows = flow_rows({"a": 10, "b": 10, "c": 10})
    fit(rows, SMALL, flow_rows({"a": 5}, seed=1))
    fit(rows, SMALL, flow_rows({"a": 5, "z": 5}, seed=1))
    assert fit(rows, SMALL, flow_rows({"a": 1}).slice(0, 0)).curve[-1].validation_macro_f1 is None


def test_the_callers_random_numbers_are_left_alone(flow_rows: Rows) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(flow_rows({"a": 2, "b": 2}))
    assert (torch.rand(3) == expected).all()


def test_sizes_of_the_traffic_network() -> None:
    settings = CnnSettings(channels=8, embedding=4)
    network = build_network(settings.resolved(), InputShape(packets=5, payload=12), 3)
    packets, payload = torch.zeros(2, 5, 5, dtype=torch.long), torch.zeros(2, 12, dtype=torch.long)
    assert network(packets, payload).shape == (2, 3)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 31])
@pytest.mark.parametrize("length", [1, 2, 7])
def test_any_kernel_reads_any_length(kernel: int, length: int) -> None:
    plain = CnnSettings(channels=4, embedding=2, kernel=kernel).resolved()
    table = build_network(plain, InputShape(columns=length), 2)
    assert table(torch.zeros(3, length)).shape == (3, 2)
    tokens = torch.zeros(3, length, 5, dtype=torch.long), torch.zeros(3, length, dtype=torch.long)
    traffic = build_network(plain, InputShape(packets=length, payload=length), 2)
    assert traffic(*tokens).shape == (3, 2)


def test_a_linear_problem_is_fitted_to_the_end() -> None:
    features = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    numbers = (features[:, 1] > 0).astype(np.int64)
    settings = CnnSettings(channels=8, embedding=4, dropout=0, epochs=80)
    with seeded(0):
        network = build_network(settings.resolved(), InputShape(columns=3), 2)
        train(
            network,
            [features],
            numbers,
            validation=None,
            settings=settings,
            progress=silent,
        )
    assert (logits(network, [features]).argmax(axis=1) == numbers).mean() > 0.98


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"chanels": 4}, "'chanels'"),
        ({"epochs": 0}, "'epochs'"),
        ({"dropout": 1.0}, "'dropout'"),
        ({"learning_rate": "fast"}, "'learning_rate'"),
    ],
)
def test_wrong_settings_are_named_with_the_right_ones(settings: dict, named: str) -> None:
    with pytest.raises(InputError, match=f"{named}.*Its settings are channels"):
        new_model("cnn", settings)


@pytest.fixture
def folder(flow_rows: Rows, tmp_path: Path) -> Path:
    fit(flow_rows({"a": 3, "b": 3})).save(tmp_path)
    return tmp_path


def signed(folder: Path) -> Path:
    """As a forger would: the card's hashes match the changed files."""
    card = Card.model_validate_json((folder / "card.json").read_bytes())
    (folder / "card.json").unlink()
    write_card(folder, card)
    return folder


class Harm:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.mark),)


def test_a_pickle_for_weights_is_refused_and_not_run(folder: Path) -> None:
    mark = folder / "harmed"
    (folder / "model.safetensors").write_bytes(pickle.dumps(Harm(mark)))
    with pytest.raises(InputError, match="not hold a network that can be read"):
        load_model(signed(folder))
    assert not mark.exists()


def test_a_torch_file_for_weights_is_refused_and_not_run(folder: Path) -> None:
    mark = folder / "harmed"
    torch.save({"weight": Harm(mark)}, folder / "model.safetensors")
    with pytest.raises(InputError, match="not hold a network that can be read"):
        load_model(signed(folder))
    assert not mark.exists()


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    content = safetensors.torch.save({"head.1.weight": torch.zeros(1, 1)})
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="not hold a network that can be read"):
        load_model(signed(folder))


@pytest.mark.parametrize("content", ["", "{}", '{"kind": "other"}', '{"kind": "table"}'])
def test_inputs_that_are_none_are_refused(folder: Path, content: str) -> None:
    (folder / "inputs.json").write_text(content)
    with pytest.raises(InputError, match="not hold a network that can be read"):
        load_model(signed(folder))


def test_settings_in_the_card_are_checked(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    card["settings"]["channels"] = 10**9
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="'channels'"):
        load_model(folder)
