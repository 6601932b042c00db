"""The network beside packets and payload: what protocols say, under its masks."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.datasets.fields import DEFAULT_MASKS, PROTOCOLS, field
from pipelines.models.base import labels_of, predict
from pipelines.models.cnn.model import Cnn
from pipelines.models.cnn.settings import CnnSettings
from pipelines.models.registry import load_model
from pipelines.progress import silent

SETTINGS = CnnSettings(channels=8, embedding=4, epochs=12)


def told_apart_by_words(count: int, seed: int, group: str = "tls") -> pa.Table:
    """Flows that are alike in packets and payload, and differ in one text of ``group``."""
    rng = np.random.default_rng(seed)
    labels = ["a", "b"] * count
    ciphers = [f"{'c02f' if label == 'a' else '1301'} x{rng.integers(5)}" for label in labels]
    columns = [
        (field("label", pa.string(), "label"), labels),
        (field("protocol", pa.uint8(), "protocol"), [6] * len(labels)),
        (field("packet_length", pa.list_(pa.int32(), 2), "sizes"), [[60, -60]] * len(labels)),
        (field("ciphers", pa.string(), group, words=True), ciphers),
        (field("count", pa.uint8(), group), rng.integers(0, 9, len(labels)).tolist()),
    ]
    return pa.Table.from_arrays(
        [pa.array(values, column.type) for column, values in columns],
        schema=pa.schema([column for column, _ in columns]),
    )


def fit(rows: pa.Table, masks: tuple[str, ...] = DEFAULT_MASKS) -> Cnn:
    model = Cnn(SETTINGS)
    model.fit(rows, labels_of(rows), masks=masks, seed=0, validation=None, progress=silent)
    return model


def accuracy(model: Cnn, rows: pa.Table) -> float:
    return float(np.mean(predict(model, rows) == np.array(labels_of(rows), object)))


def test_it_learns_from_what_protocols_say() -> None:
    model = fit(told_apart_by_words(60, 0))
    assert accuracy(model, told_apart_by_words(40, 1)) > 0.95


@pytest.mark.parametrize("group", [*PROTOCOLS, "names"])
def test_a_masked_group_is_not_read(group: str) -> None:
    rows = told_apart_by_words(20, 0, group)
    model = fit(rows, (*DEFAULT_MASKS, group))
    assert model.inputs.said is None
    other = rows.set_column(3, rows.schema.field(3), pa.array(["1301"] * rows.num_rows))
    assert (model.predict_proba(rows) == model.predict_proba(other)).all()


def test_names_are_read_where_they_are_not_masked() -> None:
    rows = told_apart_by_words(60, 0, "names")
    assert fit(rows).inputs.said is None
    assert accuracy(fit(rows, ()), told_apart_by_words(40, 1, "names")) > 0.95


def test_other_columns_do_not_join_them() -> None:
    assert [c.column for c in fit(told_apart_by_words(4, 0)).inputs.said.encoder.columns] == [
        "ciphers",
        "count",
    ]


def test_it_is_saved_with_them(tmp_path: Path) -> None:
    rows = told_apart_by_words(20, 0)
    model = fit(rows)
    model.save(tmp_path)
    assert (load_model(tmp_path).predict_proba(rows) == model.predict_proba(rows)).all()


def test_columns_that_nobody_fills_do_no_harm() -> None:
    rows = told_apart_by_words(20, 0)
    for place in (3, 4):
        column = rows.schema.field(place)
        rows = rows.set_column(place, column, pa.nulls(rows.num_rows, column.type))
    model = fit(rows)
    assert np.isfinite(model.predict_proba(rows)).all()
