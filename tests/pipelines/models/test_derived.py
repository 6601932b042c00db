"""Models that compute derived columns themselves: fitted, saved, masked, on any rows."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.datasets.fields import field
from pipelines.errors import InputError
from pipelines.evaluate.metrics import macro_f1
from pipelines.features.columns import row_features, with_features
from pipelines.models.base import labels_of, predict
from pipelines.models.card import read_card
from pipelines.models.derived import Derived
from pipelines.models.fitting import fit_and_score, fit_rows
from pipelines.models.registry import BASELINES, load_model, new_model
from pipelines.progress import silent

RATIO = "ratio(sent, received)"
LEARNED = tuple(name for name in BASELINES if name not in ("majority", "lookup"))


def make_rows(count: int = 400, seed: int = 0) -> pa.Table:
    """Rows whose label is whether more was sent than received."""
    random = np.random.default_rng(seed)
    received = 10 ** random.uniform(0, 6, count)
    more = random.random(count) < 0.5
    sent = received * np.where(more, 1.3, 0.77) * random.uniform(0.9, 1.1, count)
    sent[0], received[0] = 5.0, 0.0  # whose ratio is unknown
    columns = {
        "label": pa.array(np.where(more, "up", "down")),
        "sent": pa.array(sent),
        "received": pa.array(received),
        "gap": pa.array(random.random(count)),
    }
    groups = {"label": "label", "sent": "sizes", "received": "counts", "gap": "gaps"}
    schema = pa.schema([field(name, a.type, groups[name]) for name, a in columns.items()])
    return pa.table(list(columns.values()), schema=schema)


ROWS, LATER = make_rows(), make_rows(seed=1)


def score(model: object, rows: pa.Table) -> float:
    return macro_f1(labels_of(rows), predict(model, rows))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["logistic_regression", "knn"])
def test_a_model_with_the_ratio_tells_what_one_without_cannot(name: str) -> None:
    plain = fit_rows(name, ROWS, [], 0)
    derived = fit_rows(name, ROWS, [], 0, features=[RATIO])
    assert score(derived, LATER) > max(0.95 if name != "knn" else 0.0, score(plain, LATER) + 0.02)


@pytest.mark.parametrize("name", [*BASELINES, "cnn"])
def test_it_is_the_model_on_rows_with_the_column(name: str) -> None:
    """Fitting behind features and fitting on rows that have them is one thing, bit for bit."""
    settings = {"epochs": 2, "channels": 4} if name == "cnn" else None
    features = row_features([RATIO, "log(gap)"], ROWS.schema, ())
    by_hand = fit_rows(name, with_features(ROWS, features), [], 0, settings)
    behind = fit_rows(name, ROWS, [], 0, settings, features=[RATIO, "log(gap)"])
    assert np.array_equal(
        behind.predict_proba(LATER), by_hand.predict_proba(with_features(LATER, features))
    )


@pytest.mark.parametrize("name", ["random_forest", "logistic_regression", "cnn"])
def test_it_is_saved_with_its_features(name: str, tmp_path: Path) -> None:
    settings = {"epochs": 2, "channels": 4} if name == "cnn" else None
    fitted = fit_and_score(
        name, ROWS, LATER, masks=["ports"], seed=3, settings=settings,
        features=[RATIO], progress=silent,
    ).classifier  # fmt: skip
    fitted.save(tmp_path)
    again = load_model(tmp_path)
    assert isinstance(again, Derived) and again.features == [RATIO]
    assert (again.name, again.classes) == (name, ["down", "up"])
    assert np.array_equal(again.predict_proba(LATER), fitted.predict_proba(LATER))
    card = read_card(tmp_path)
    assert card.features == [RATIO]
    assert card.fields[:3] == ["sent", "received", "gap"] and len(card.fields) == 4


def test_a_model_without_features_has_none(tmp_path: Path) -> None:
    fit_rows("majority", ROWS, [], 0).save(tmp_path)
    assert not isinstance(load_model(tmp_path), Derived)
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["features"] == []
    del card["features"]  # as cards were before there were features
    (tmp_path / "card.json").write_text(json.dumps(card))
    assert load_model(tmp_path).classes == ["down", "up"]


@pytest.mark.parametrize("masked", ["sizes", "counts"])
@pytest.mark.parametrize("name", [*LEARNED, "cnn"])
def test_a_mask_of_any_source_hides_the_column(name: str, masked: str) -> None:
    """The ratio is of both groups: with either masked it is as if it had not been asked for."""
    settings = {"epochs": 1, "channels": 4} if name == "cnn" else None
    without = fit_rows(name, ROWS, [masked], 0, settings)
    behind = fit_rows(name, ROWS, [masked], 0, settings, features=[RATIO])
    assert np.array_equal(without.predict_proba(LATER), behind.predict_proba(LATER))


def test_a_hidden_feature_is_not_asked_of_rows_later(tmp_path: Path) -> None:
    """The saved model needs the columns that it reads, and no source of what masks hide."""
    fit_rows("knn", ROWS, ["sizes"], 0, features=[RATIO, "log(gap)"]).save(tmp_path)
    model = load_model(tmp_path)
    assert isinstance(model, Derived) and model.features == ["log(gap)"]
    assert model.predict_proba(LATER.drop_columns("sent")).shape == (LATER.num_rows, 2)


def test_rows_of_another_shape_say_what_they_lack() -> None:
    model = fit_rows("knn", ROWS, [], 0, features=[RATIO])
    with pytest.raises(InputError, match="no column 'received'"):
        model.predict_proba(LATER.drop_columns("received"))
    with pytest.raises(InputError, match="no column 'bytes'"):
        fit_rows("knn", ROWS, [], 0, features=["log(bytes)"])


def test_a_refit_reads_the_same_features() -> None:
    model = new_model("cnn", {"epochs": 3, "channels": 4}, [RATIO])
    labels = labels_of(ROWS)
    model.fit(ROWS, labels, masks=[], seed=0, validation=(LATER, labels_of(LATER)), progress=silent)
    again = model.for_refit()
    assert isinstance(again, Derived) and again.features == [RATIO]
    again.fit(ROWS, labels, masks=[], seed=0, validation=None, progress=silent)
    assert len(again.curve) <= len(model.curve)


@pytest.mark.parametrize("size", [1, 7, 400])
def test_it_matters_not_how_rows_come(size: int) -> None:
    """A stream hands on rows few at a time; each has the values that it has among all."""
    model = fit_rows("random_forest", ROWS, [], 0, features=[RATIO, "gt(gap, 0.5)"])
    pieces = [model.predict_proba(LATER.slice(at, size)) for at in range(0, 21, size)]
    assert np.array_equal(np.vstack(pieces)[:21], model.predict_proba(LATER)[:21])
