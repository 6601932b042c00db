"""What holds for every model by name: learning, safety on few rows, files, determinism."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.errors import InputError
from pipelines.models.base import Classifier, labels_of, predict
from pipelines.models.card import Card, write_card
from pipelines.models.registry import BASELINES, MODELS, QUICK, load_model, new_model
from pipelines.progress import silent

Rows = Callable[..., pa.Table]

# Enough for toy problems, and quick.
SETTINGS: dict[str, dict[str, Any]] = {"cnn": {"channels": 16, "embedding": 8, "epochs": 25}}
SMART = [name for name in QUICK if name != "majority"]

pytestmark = pytest.mark.usefixtures("small_forests")


def fitted(name: str, rows: pa.Table, seed: int = 0, **settings: Any) -> Classifier:
    model = new_model(name, {**SETTINGS.get(name, {}), **settings} if name == "cnn" else None)
    model.fit(
        rows, labels_of(rows), masks=DEFAULT_MASKS, seed=seed, validation=None, progress=silent
    )
    return model


def accuracy(model: Classifier, rows: pa.Table) -> float:
    return float((predict(model, rows) == np.array(labels_of(rows))).mean())


@pytest.mark.parametrize("name", SMART)
def test_a_table_is_learnt(name: str, table_rows: Rows) -> None:
    model = fitted(name, table_rows({"a": 80, "b": 80, "c": 80}))
    assert accuracy(model, table_rows({"a": 30, "b": 30, "c": 30}, seed=1)) > 0.95


@pytest.mark.parametrize("name", SMART)
def test_flows_are_learnt(name: str, flow_rows: Rows) -> None:
    """Most of a flow is noise here, which neighbours drown in; chance is a third."""
    least = {"knn": 0.5, "logistic_regression": 0.9}.get(name, 0.95)
    model = fitted(name, flow_rows({"a": 100, "b": 100, "c": 100}))
    assert accuracy(model, flow_rows({"a": 40, "b": 40, "c": 40}, seed=1)) > least


def test_majority_knows_frequencies_only(table_rows: Rows) -> None:
    model = fitted("majority", table_rows({"a": 30, "b": 10}))
    given = model.predict_proba(table_rows({"a": 1, "b": 1}))
    assert given.tolist() == [[0.75, 0.25], [0.75, 0.25]]


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("classes", [2, 3, 7, 19, 20])
def test_twenty_rows_of_any_number_of_classes(name: str, classes: int, table_rows: Rows) -> None:
    counts = {f"class-{i:02}": 20 // classes + (i < 20 % classes) for i in range(classes)}
    rows = table_rows(counts)
    model = fitted(name, rows, epochs=3)
    given = model.predict_proba(rows)
    assert model.classes == sorted(counts)
    assert given.shape == (20, classes)
    assert given.dtype == np.float64
    assert given.sum(axis=1) == pytest.approx(np.ones(20))


@pytest.mark.parametrize("name", SMART)
def test_ten_rows_a_class_are_no_chance(name: str, table_rows: Rows) -> None:
    """Library defaults (20 rows a leaf, held-back rows) would leave some models guessing."""
    model = fitted(name, table_rows({"attack": 10, "normal": 10}))
    assert accuracy(model, table_rows({"attack": 50, "normal": 50}, seed=1)) > 0.9


@pytest.mark.parametrize("name", QUICK)
def test_one_row_a_class(name: str, flow_rows: Rows) -> None:
    model = fitted(name, flow_rows({"a": 1, "b": 1}))
    assert model.predict_proba(flow_rows({"a": 2, "b": 2}, seed=1)).shape == (4, 2)


@pytest.mark.parametrize("name", ["logistic_regression", "random_forest", "cnn"])
def test_a_rare_class_is_found(name: str, table_rows: Rows) -> None:
    model = fitted(name, table_rows({"a": 300, "b": 6}))
    test = table_rows({"a": 50, "b": 50}, seed=1)
    assert (predict(model, test)[50:] == "b").mean() > 0.9


@pytest.mark.parametrize("name", QUICK)
def test_the_same_after_saving_and_loading(name: str, flow_rows: Rows, tmp_path: Path) -> None:
    rows = flow_rows({"a": 20, "b": 20})
    model = fitted(name, rows)
    model.save(tmp_path)
    again = load_model(tmp_path)
    assert again.name == name
    assert again.classes == ["a", "b"]
    assert (again.predict_proba(rows) == model.predict_proba(rows)).all()
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".skops", ".safetensors"}


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("kind", ["table_rows", "flow_rows"])
def test_the_same_seed_writes_the_same_files(
    name: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rows = request.getfixturevalue(kind)({"a": 15, "b": 15, "c": 15})
    for attempt in ("one", "two"):
        (tmp_path / attempt).mkdir()
        np.random.seed(len(attempt))
        fitted(name, rows, seed=3).save(tmp_path / attempt)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


@pytest.mark.parametrize("name", ["random_forest", "hist_gradient_boosting", "cnn"])
def test_another_seed_gives_another_model(name: str, flow_rows: Rows) -> None:
    rows = flow_rows({"a": 20, "b": 20})
    one, two = (fitted(name, rows, seed=seed, epochs=2).predict_proba(rows) for seed in (0, 1))
    assert (one != two).any()


@pytest.mark.parametrize("name", QUICK)
def test_masked_columns_change_nothing(name: str, table_rows: Rows) -> None:
    rows = table_rows({"a": 20, "b": 20})
    model = fitted(name, rows, epochs=2)
    place = rows.schema.get_field_index("host")
    moved = rows.set_column(place, rows.schema.field("host"), pa.array(range(40)))
    assert (model.predict_proba(moved) == model.predict_proba(rows)).all()
    assert (fitted(name, moved, epochs=2).predict_proba(rows) == model.predict_proba(rows)).all()


@pytest.mark.parametrize("name", QUICK)
def test_missing_and_unseen_values(name: str, table_rows: Rows) -> None:
    rows = table_rows({"a": 20, "b": 20})
    model = fitted(name, rows, epochs=2)
    odd = pa.Table.from_pylist(
        [
            {"size": None, "noise": float("nan"), "service": None},
            {"size": float("inf"), "noise": -1e300, "service": "never seen"},
        ],
        pa.schema([rows.schema.field(column) for column in ("size", "noise", "service")]),
    )
    given = model.predict_proba(odd)
    assert np.isfinite(given).all()
    assert given.sum(axis=1) == pytest.approx([1, 1])


@pytest.mark.parametrize("name", QUICK)
def test_training_rows_with_holes(name: str, table_rows: Rows) -> None:
    rows = table_rows({"a": 20, "b": 20})
    holes = pa.array([None if i % 5 == 0 else float(i >= 20) for i in range(40)])
    place = rows.schema.get_field_index("size")
    rows = rows.set_column(place, rows.schema.field("size"), holes)
    assert np.isfinite(fitted(name, rows, epochs=2).predict_proba(rows)).all()


@pytest.mark.parametrize("name", QUICK)
def test_no_rows_to_predict(name: str, flow_rows: Rows) -> None:
    rows = flow_rows({"a": 3, "b": 3})
    assert fitted(name, rows, epochs=1).predict_proba(rows.slice(0, 0)).shape == (0, 2)


@pytest.mark.parametrize("name", QUICK)
def test_one_class_cannot_be_learnt(name: str, flow_rows: Rows) -> None:
    with pytest.raises(InputError, match="only the class 'a'"):
        fitted(name, flow_rows({"a": 5}))


@pytest.mark.parametrize("name", QUICK)
def test_all_masked_cannot_be_learnt(name: str, flow_rows: Rows) -> None:
    rows = flow_rows({"a": 5, "b": 5})
    with pytest.raises(InputError, match="hide every"):
        new_model(name).fit(
            rows,
            labels_of(rows),
            masks=["sizes", "gaps", "flags", "payload", "protocol"],
            seed=0,
            validation=None,
            progress=silent,
        )


@pytest.mark.parametrize("name", QUICK)
def test_progress_ends_at_its_total(name: str, flow_rows: Rows) -> None:
    rows = flow_rows({"a": 5, "b": 5})
    seen: list[tuple[str, float, float | None]] = []
    new_model(name, {"epochs": 3} if name == "cnn" else None).fit(
        rows,
        labels_of(rows),
        masks=DEFAULT_MASKS,
        seed=0,
        validation=None,
        progress=lambda what, done, total, unit: seen.append((what, done, total)),
    )
    assert name in seen[-1][0]
    assert seen[-1][1] == seen[-1][2]
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


@pytest.mark.parametrize("name", QUICK)
def test_a_damaged_folder_is_refused(name: str, flow_rows: Rows, tmp_path: Path) -> None:
    fitted(name, flow_rows({"a": 3, "b": 3}), epochs=1).save(tmp_path)
    for path in [p for p in tmp_path.iterdir() if p.name != "card.json"]:
        content = path.read_bytes()
        path.write_bytes(content[:-1])
        with pytest.raises(InputError, match=path.name):
            load_model(tmp_path)
        path.write_bytes(content)
    load_model(tmp_path)


@pytest.mark.parametrize("name", BASELINES)
def test_the_estimator_of_another_model_is_refused(
    name: str, flow_rows: Rows, tmp_path: Path
) -> None:
    """Even where a forger made the card's hashes match."""
    for folder, counts in (("two", {"a": 5, "b": 5}), ("three", {"a": 5, "b": 5, "c": 5})):
        (tmp_path / folder).mkdir()
        fitted(name, flow_rows(counts)).save(tmp_path / folder)
    folder = tmp_path / "two"
    (folder / "estimator.skops").write_bytes((tmp_path / "three/estimator.skops").read_bytes())
    card = Card.model_validate_json((folder / "card.json").read_bytes())
    (folder / "card.json").unlink()
    write_card(folder, card)
    with pytest.raises(InputError, match="not the one"):
        load_model(folder)


def test_the_ladder_is_in_order() -> None:
    assert BASELINES == (
        "majority",
        "lookup",
        "knn",
        "logistic_regression",
        "random_forest",
        "hist_gradient_boosting",
    )
    assert [new_model(name).name for name in MODELS] == list(MODELS)


def test_an_unknown_model_is_named_with_the_known() -> None:
    with pytest.raises(InputError, match=r"no model 'forest'.*random_forest"):
        new_model("forest")


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_have_no_settings(name: str) -> None:
    with pytest.raises(InputError, match="no setting 'trees'"):
        new_model(name, {"trees": 5})


def test_neighbours_of_a_large_set_are_a_sample(
    table_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.models.baselines.ladder.MOST_REFERENCE_ROWS", 100)
    model: Any = fitted("knn", table_rows({"a": 500, "b": 400, "c": 1}))
    assert np.bincount(model.fitted._y).tolist() == pytest.approx([50, 40, 1], abs=1)
    assert accuracy(model, table_rows({"a": 50, "b": 50}, seed=1)) > 0.95
