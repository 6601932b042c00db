"""A derived column is audited, shuffled and hidden with every group that it was made of."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.audit.audit import audit
from pipelines.audit.fields import raw_fields
from pipelines.audit.stress import shuffled_together
from pipelines.audit.trees import column_groups
from pipelines.augment.gate.identifiers import identifiers
from pipelines.datasets.fields import field
from pipelines.datasets.splits import make_split
from pipelines.features.columns import row_features, with_features

SUM = "sum(size, port)"


@pytest.fixture
def rows() -> pa.Table:
    """Two numbers of two groups; their sum is the class, and neither of them is."""
    random = np.random.default_rng(0)
    more = random.random(400) < 0.5
    port = random.integers(0, 1000, 400)
    schema = pa.schema(
        [
            field("label", pa.string(), "label"),
            field("capture", pa.string(), "split"),
            field("flow", pa.int64(), "split"),
            field("size", pa.int64(), "sizes"),
            field("port", pa.int64(), "ports"),
        ]
    )
    columns = [np.where(more, "a", "b"), ["c"] * 400, range(400), 1000 - port + more, port]
    plain = pa.table([pa.array(values) for values in columns], schema=schema)
    return with_features(plain, row_features([SUM], schema, ()))


def test_it_counts_in_every_group(rows: pa.Table) -> None:
    assert column_groups(rows.schema) == ["sizes", "ports"]
    derived = rows.column_names[-1]
    assert {raw.name: raw.groups for raw in raw_fields(rows.schema)} == {
        "size": ("sizes",), "port": ("ports",), derived: ("ports", "sizes"),
    }  # fmt: skip
    assert shuffled_together(rows.schema, ()) == {
        "sizes": ["size", derived], "ports": ["port", derived],
    }  # fmt: skip


def test_what_it_gives_away_is_told_of_every_group_and_a_mask_of_any_hides_it(
    rows: pa.Table,
) -> None:
    split = make_split(rows, "row", 0.5, seed=0)
    seen = audit(rows, split, masks=[])
    assert {group.group: group.tree_accuracy > 0.95 for group in seen.groups} == {
        "sizes": True, "ports": True,
    }  # fmt: skip
    [found] = [row for row in seen.fields if row.name == rows.column_names[-1]]
    assert (found.verdict, found.masked, found.group) == ("shortcut", False, "ports")
    for mask in ("ports", "sizes"):
        [found] = [
            row
            for row in audit(rows, split, masks=[mask]).fields
            if row.name == rows.column_names[-1]
        ]
        assert found.masked


def test_a_column_that_is_partly_of_names_is_an_identifier_too() -> None:
    schema = pa.schema(
        [
            field("label", pa.string(), "label"),
            field("made", pa.int64(), "ports", "macs"),
            field("cell", pa.int64(), "column"),
        ]
    )
    real = pa.table([["a"], [123_456_789], [1]], schema=schema)
    made = pa.table([["a", "a"], [0, 0], [123_456_789, 2]], schema=schema)
    assert identifiers(real, made, ["macs"]).rows == [0]
    assert identifiers(real, made, ["ports"]).passed is None
