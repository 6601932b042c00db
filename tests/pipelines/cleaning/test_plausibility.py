import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cleaning.filters import choose, find
from pipelines.cleaning.kinds import Pool
from pipelines.cleaning.outliers import distances, modified_z
from pipelines.cleaning.plausibility import score_plausibility
from pipelines.datasets.fields import field


def test_the_distance_is_the_modified_z_score() -> None:
    """Median 3, absolute deviations 2 1 0 1 97, MAD 1; their mean, 20.2, is the larger spread."""
    values = np.array([[1.0], [2.0], [3.0], [4.0], [100.0]])
    assert modified_z(values)[:, 0] == pytest.approx(np.array([2, 1, 0, 1, 97]) / 20.2)
    narrow = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])
    assert modified_z(narrow)[:, 0] == pytest.approx(np.array([2, 1, 0, 1, 2]) / 1.4826)


def test_equal_columns_and_missing_values_are_no_distance() -> None:
    values = np.array([[5.0, math.nan, math.inf], [5.0, math.nan, 1.0], [5.0, math.nan, 1.0]])
    assert (modified_z(values) == 0).all()


def numbers(make_table, last: float, label: str = "a") -> pa.Table:
    usual = [10.0 + place % 5 for place in range(99)]
    return make_table(["a"] * 99 + [label], size=[*usual, last], other=[1.0] * 100)


def test_the_far_row_has_the_lowest_score_and_says_which_column(make_table) -> None:
    found = score_plausibility(numbers(make_table, 1e6))
    scores = found["score"].to_numpy()
    assert scores.argmin() == 99 and 0.5 < scores[99] < 0.75
    assert found["reason"][99].as_py().startswith("size is ")
    assert "from the median of its class" in found["reason"][99].as_py()
    assert set(found["reason"].to_pylist()[:99]) == {""}


def test_a_row_is_compared_with_its_class_and_a_class_of_few_with_nothing(make_table) -> None:
    away, _ = distances(numbers(make_table, 1e6, label="b"))
    assert away[99] == 0


def test_what_breaks_a_rule_is_below_all_outliers(make_table) -> None:
    columns = {"bytes": [9.0] * 199 + [-9.0], "ttl_word": [1.0] * 200}
    rows = make_table(["a"] * 200, **columns)
    found = score_plausibility(rows)
    assert found["score"][199].as_py() == 0
    assert found["reason"][199].as_py() == "bytes is negative"


def test_the_worst_reason_is_told(make_flows) -> None:
    rows = make_flows(["a"], src2dst_ttl=[0], first_seen_ns=[5], last_seen_ns=[4])
    found = score_plausibility(rows)
    assert (found["score"][0].as_py(), found["reason"][0].as_py()) == (
        0,
        "it ends before it begins",
    )


def test_the_filter_takes_what_is_below_its_limit(make_table) -> None:
    values = [10.0 + place % 5 for place in range(197)]
    rows = make_table(["a"] * 200, bytes=[*values, -1.0, math.inf, 1e7], word=["x"] * 200)
    pool = Pool(rows)

    def moved(**params) -> list[int]:
        return np.flatnonzero(find(pool, choose(pool, "implausible_rows", params)).hit).tolist()

    assert moved(below=0.2) == [197], "contradicts itself"
    assert moved() == [197, 198], "odd"
    assert moved(below=0.8) == [197, 198, 199], "and far from its class"
    found = find(pool, choose(pool, "implausible_rows", {}))
    assert list(found.details or ()) == ["bytes is negative", "bytes is missing or infinite"]
    assert found.scores is not None and found.scores.tolist() == [0, 0.25]


def test_moments_in_nanoseconds_are_judged_too(make_table) -> None:
    """They have more digits than a float64."""
    moments = pa.array([1_736_494_406_435_065_001, 1_736_494_406_435_065_003])
    declared = field("first_seen_ns", pa.int64(), "time")
    rows = make_table(["a"] * 2, bytes=[1.0, -1.0]).append_column(declared, moments)
    assert score_plausibility(rows)["score"].to_pylist() == [1, 0]


def test_tables_of_text_alone_are_plausible(make_table) -> None:
    found = score_plausibility(make_table(["a", "b"], request=["GET /", "POST /"]))
    assert found["score"].to_pylist() == [1, 1]


VALUES = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=40))
def test_every_row_has_a_score_from_0_to_1(records) -> None:
    names = ("bytes", "error_rate", "gap_max")
    columns = {name: pa.array(part, pa.float64()) for name, part in zip(
        names, zip(*records, strict=True), strict=True)}  # fmt: skip
    rows = pa.table({"label": ["a"] * len(records), **columns})
    found = score_plausibility(rows)
    scores = found["score"].to_numpy()
    assert found.num_rows == len(records)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert all(found["reason"][place].as_py() for place in np.flatnonzero(scores < 0.5))
