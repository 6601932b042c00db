"""Rows whose label most models doubt are told apart; where nobody can say, all are trusted."""

import numpy as np
import pyarrow as pa

from pipelines.augment.screen import trusted
from pipelines.models.base import labels_of

MASKS = ("addresses",)


def test_wrong_labels_are_doubted(make_related) -> None:
    real, made = make_related(20, 0, 4.0), make_related(200, 1, 4.0)
    wrong = np.arange(made.num_rows) % 10 == 0
    labels = [
        "ab"["ba".index(name)] if bad else name
        for name, bad in zip(labels_of(made), wrong, strict=True)
    ]
    place = made.schema.get_field_index("label")
    made = made.set_column(place, made.schema.field("label"), pa.array(labels))
    kept = trusted(real, made, 0, masks=MASKS)
    assert np.mean(kept[~wrong]) > 0.9
    assert np.mean(kept[wrong]) < 0.2


def test_too_few_real_rows_doubt_nothing(make_related) -> None:
    assert trusted(make_related(2, 0), make_related(5, 1), 0, masks=MASKS).tolist() == [True] * 10


def test_no_rows(make_related) -> None:
    rows = make_related(20, 0)
    assert trusted(rows, rows.slice(0, 0), 0, masks=MASKS).tolist() == []


def test_what_is_new_to_few_real_rows_is_not_doubted(make_records) -> None:
    """A second kind of the class "b" that no real row shows, but many made ones do alike."""
    random = np.random.default_rng(0)

    def rows_of(labels: list[str], centres: list[float]) -> pa.Table:
        return make_records(labels, x=[float(random.normal(one, 0.3)) for one in centres])

    real = rows_of(["a"] * 8 + ["b"] * 8, [0.0] * 8 + [4.0] * 8)
    made = rows_of(["a"] * 40 + ["b"] * 40, [0.0] * 40 + [4.0] * 20 + [-4.0] * 20)
    assert trusted(real, made, 0, masks=()).mean() > 0.95
    lone = rows_of(["a"] * 40 + ["b"] * 3, [0.0] * 40 + [-0.1] * 3)
    assert trusted(real, lone, 0, masks=()).tolist() == [True] * 40 + [False] * 3
