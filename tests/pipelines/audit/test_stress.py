"""What a model leans on, checked on models whose answer is known."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.audit.later import compare_later
from pipelines.audit.stress import shuffled, shuffled_together, stress
from pipelines.datasets.fields import BEHAVIOUR, DEFAULT_MASKS
from pipelines.errors import InputError
from pipelines.models.registry import new_model
from pipelines.progress import silent

YEAR_2020_NS = 1_577_836_800_000_000_000


class ByColumn:
    """Class b where a column is above a threshold: it leans on that column and on nothing else."""

    name = "by_column"
    curve: list = []

    def __init__(self, column: str, threshold: float) -> None:
        self.column, self.threshold, self.classes = column, threshold, ["a", "b"]

    def predict_proba(self, rows: pa.Table) -> np.ndarray:
        high = np.array(rows[self.column].to_pylist()) > self.threshold
        return np.c_[~high, high].astype(float)


@pytest.fixture
def rows(make_flows) -> pa.Table:
    random = np.random.default_rng(0)
    labels = ["ab"[i % 2] for i in range(400)]
    return make_flows(
        labels,
        src2dst_ttl=[64 if label == "a" else 128 for label in labels],
        src_ip=[b"\0" * 10 + b"\xff\xff\x0a\0\0" + bytes([i % 50]) for i in range(400)],
        bidirectional_bytes=[
            int(random.integers(0, 600)) + (400 if label == "b" else 0) for label in labels
        ],
        protocol=random.choice([6, 17], 400),
    )


def test_the_group_that_a_model_leans_on_falls_and_no_other(rows: pa.Table) -> None:
    found = stress(ByColumn("bidirectional_bytes", 500), rows, DEFAULT_MASKS, draws=20)
    falls = {row.name: row for row in found.falls}
    assert found.falls[0].name == "sizes"
    assert set(falls) == {"protocol", "counts", "sizes", "gaps", "flags", "payload"}
    assert all(row.fall == 0 and row.ci == (0, 0) for n, row in falls.items() if n != "sizes")
    # shuffled it guesses: two equal classes, a half right
    assert falls["sizes"].macro_f1 == pytest.approx(0.5, abs=0.05)
    assert falls["sizes"].fall == pytest.approx(found.macro_f1 - falls["sizes"].macro_f1)
    low, high = falls["sizes"].ci
    assert low < falls["sizes"].fall < high


def test_a_model_under_masks_does_not_move_in_a_forged_network(rows: pa.Table) -> None:
    for name in ("random_forest", "logistic_regression"):
        model = new_model(name)
        labels = rows["label"].to_pylist()
        model.fit(rows, labels, masks=DEFAULT_MASKS, seed=0, validation=None, progress=silent)
        found = stress(model, rows, DEFAULT_MASKS, draws=2)
        assert (found.forged.moved, found.forged.fall) == (0, 0)
        assert set(found.forged.groups) <= set(DEFAULT_MASKS)


def test_a_cnn_under_masks_does_not_move_either(rows: pa.Table) -> None:
    model = new_model("cnn", {"epochs": 1, "channels": 4})
    labels = rows["label"].to_pylist()
    model.fit(rows, labels, masks=DEFAULT_MASKS, seed=0, validation=None, progress=silent)
    found = stress(model, rows, DEFAULT_MASKS, draws=2)
    assert found.forged.moved == 0 and {row.name for row in found.falls} <= set(BEHAVIOUR)


def test_a_model_that_sees_the_ttl_falls_in_a_forged_network(rows: pa.Table) -> None:
    masks = [name for name in DEFAULT_MASKS if name != "ttl"]
    model = new_model("random_forest")
    labels = rows["label"].to_pylist()
    model.fit(rows, labels, masks=masks, seed=0, validation=None, progress=silent)
    found = stress(model, rows, masks, draws=3)
    assert found.macro_f1 > 0.99
    assert found.forged.moved > 100 and found.forged.fall > 0.2
    assert found.falls[0].name == "ttl" and found.falls[0].fall > 0.1


def test_shuffling_keeps_a_group_together_and_everything_else(rows: pa.Table) -> None:
    order = np.random.default_rng(0).permutation(400)
    names = ["bidirectional_bytes", "src2dst_bytes"]
    moved = shuffled(rows, names, order)
    for name in rows.column_names:
        expected = rows[name].take(pa.array(order)) if name in names else rows[name]
        assert moved[name].to_pylist() == expected.to_pylist()
    assert moved.schema.equals(rows.schema, check_metadata=True)


def test_columns_of_a_table_that_are_in_no_group_are_shuffled_one_by_one(make_rows) -> None:
    rows = make_rows(list("ab") * 10, range(20), x=range(20), y=range(20))
    assert shuffled_together(rows.schema.remove_metadata(), []).keys() >= {"x", "y"}


def test_the_same_seed_gives_the_same_answer(rows: pa.Table) -> None:
    model = ByColumn("bidirectional_bytes", 500)
    assert stress(model, rows, [], seed=3) == stress(model, rows, [], seed=3)
    assert stress(model, rows, [], seed=3) != stress(model, rows, [], seed=4)


def test_many_rows_are_sampled(rows: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.audit.stress.MOST_PREDICTIONS", 100)
    monkeypatch.setattr("pipelines.audit.stress.FEWEST_ROWS", 40)
    assert stress(ByColumn("bidirectional_bytes", 500), rows, DEFAULT_MASKS).rows == 40


def test_no_rows_are_an_error(rows: pa.Table) -> None:
    with pytest.raises(InputError, match="no test rows"):
        stress(ByColumn("bidirectional_bytes", 500), rows.slice(0, 0), [])


def drifting(make_flows, drift: bool) -> pa.Table:
    """Class b is told by its size; with drift the sizes trade places half way through."""
    random = np.random.default_rng(1)
    count = 400
    labels = ["ab"[i % 2] for i in range(count)]
    large = np.array([label == "b" for label in labels])
    if drift:
        large = large ^ (np.arange(count) >= count // 2)
    return make_flows(
        labels,
        bidirectional_bytes=np.where(large, 1000, 10) + random.integers(0, 9, count),
        first_seen_ns=[YEAR_2020_NS + i for i in range(count)],
    )


def test_later_traffic_that_differs_shows_as_a_gap(make_flows) -> None:
    found = compare_later(drifting(make_flows, True), "random_forest", DEFAULT_MASKS)
    assert found.later.macro_f1 < 0.1
    assert found.gap == pytest.approx(found.random.macro_f1 - found.later.macro_f1)
    assert found.gap > 0.3 and found.gap_ci[0] > 0.2
    assert found.train_rows == found.test_rows == 200


def test_traffic_that_stays_as_it_is_has_no_gap(make_flows) -> None:
    found = compare_later(drifting(make_flows, False), "random_forest", DEFAULT_MASKS)
    assert found.gap == 0 and found.gap_ci[0] <= 0 <= found.gap_ci[1]
    assert found.later.macro_f1 == found.random.macro_f1 == 1


def test_rows_without_times_have_no_later(make_rows) -> None:
    with pytest.raises(InputError, match="carry no time"):
        compare_later(make_rows(list("ab") * 20, range(40)), "random_forest", [])
