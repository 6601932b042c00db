"""The model card: complete, the same for the same fit, and a check on its folder."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.datasets.fields import field
from pipelines.errors import InputError
from pipelines.models.card import new_card, read_card, write_card

ROWS = pa.Table.from_arrays(
    [pa.array(["b", "a", "b"]), pa.array([1, 2, 3]), pa.array([1, 2, 3])],
    schema=pa.schema(
        [
            field("label", pa.string(), "label"),
            field("port", pa.int64(), "ports"),
            field("size", pa.int64(), "sizes"),
        ]
    ),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    card = new_card("knn", ROWS, ["b", "a", "b"], masks=["ports"], seed=7, settings={"k": 5})
    (tmp_path / "weights").write_bytes(b"1234")
    write_card(tmp_path, card)
    return tmp_path


def test_what_it_says(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    libraries = card.pop("libraries")
    assert card == {
        "name": "knn",
        "classes": ["a", "b"],
        "masks": ["ports"],
        "seed": 7,
        "settings": {"k": 5},
        "rows": 3,
        "rows_by_class": {"a": 1, "b": 2},
        "fields": ["size"],
        "features": [],
        "files": {"weights": "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4"},
    }
    assert set(libraries) >= {"numpy", "scikit-learn", "torch"}


def test_it_is_read_back(folder: Path) -> None:
    assert read_card(folder, "knn").classes == ["a", "b"]
    assert read_card(folder).name == "knn"


def test_another_models_card(folder: Path) -> None:
    with pytest.raises(InputError, match="it holds the model 'knn', not 'cnn'"):
        read_card(folder, "cnn")


def test_no_card(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"card\.json is missing"):
        read_card(tmp_path)
    with pytest.raises(InputError, match=r"card\.json is missing"):
        read_card(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"name": "knn"}', "\x00\xff"])
def test_not_a_card(folder: Path, content: str) -> None:
    (folder / "card.json").write_text(content)
    with pytest.raises(InputError, match="is not a model card"):
        read_card(folder)


def test_a_changed_file(folder: Path) -> None:
    (folder / "weights").write_bytes(b"1235")
    with pytest.raises(InputError, match="weights is missing or was changed"):
        read_card(folder)


def test_a_missing_file(folder: Path) -> None:
    (folder / "weights").unlink()
    with pytest.raises(InputError, match="weights is missing or was changed"):
        read_card(folder)


def test_a_card_cannot_point_outside_its_folder(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    card["files"] = {"../weights": card["files"]["weights"]}
    inside = folder / "model"
    inside.mkdir()
    (inside / "card.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="was changed"):
        read_card(inside)
