"""Features as columns: values, names, and the masks of what they were made of."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from pipelines.datasets.fields import feature_columns, field, group_of, groups_of
from pipelines.errors import InputError
from pipelines.features.columns import with_features
from pipelines.features.expression import Expression
from pipelines.features.parse import parse
from pipelines.represent.features import FeatureEncoder

Table = Callable[..., pa.Table]


@pytest.fixture
def rows() -> pa.Table:
    columns = {
        field("label", pa.string(), "label"): ["x", "y"],
        field("size", pa.float64(), "sizes"): [8.0, 6.0],
        field("packets", pa.int64(), "counts"): [4, 0],
        field("dst_port", pa.uint16(), "ports"): [80, 443],
        field("dst_ip", pa.string(), "addresses"): ["h", "h"],
        field("odd", pa.float64(), "unheard of"): [1.0, 2.0],
        field("last_seen_ns", pa.int64(), "time"): [1, 2],
    }
    arrays = [pa.array(values, declared.type) for declared, values in columns.items()]
    return pa.Table.from_arrays(arrays, schema=pa.schema(list(columns)))


def read(rows: pa.Table, *texts: str) -> list[Expression]:
    return [parse(text, rows.schema, masks=()) for text in texts]


def derived(rows: pa.Table, text: str) -> tuple[pa.Table, str]:
    """``rows`` with one feature, and its name."""
    (feature,) = read(rows, text)
    return with_features(rows, [feature]), feature.name


def test_columns_are_added_at_the_end_under_their_names(rows: pa.Table) -> None:
    left, larger = read(rows, "diff(size, packets)", "gt(size, 7)")
    made = with_features(rows, [left, larger])
    assert made.column_names == [*rows.column_names, left.name, larger.name]
    assert made[left.name].to_pylist() == [4, 6]
    assert made[larger.name].to_pylist() == [1, 0]
    assert made.select(rows.column_names).equals(rows, check_metadata=True)


def test_the_name_is_that_of_the_canonical_text(rows: pa.Table) -> None:
    one, same, other = read(rows, "log( size )", "log(size)", "log(odd)")
    (name,) = with_features(rows, [one]).column_names[rows.num_columns :]
    assert name == one.name == same.name != other.name
    assert name == "feature_ee1a4c85"  # the same in every process


def test_a_feature_is_added_once(rows: pa.Table) -> None:
    (feature,) = read(rows, "log(size)")
    made = with_features(rows, [feature])
    with pytest.raises(InputError, match=f"'{feature.name}' already"):
        with_features(made, [feature])
    with pytest.raises(InputError, match=f"'{feature.name}' already"):
        with_features(rows, [feature, feature])


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("log(size)", ("sizes",)),
        ("ratio(size, packets)", ("counts", "sizes")),
        ("ratio(size, dst_port)", ("ports", "sizes")),
        ("ratio(packets, dst_port)", ("ports", "counts")),
        ("ratio(last_seen_ns, dst_port)", ("ports", "time")),
        ("ratio(dst_port, odd)", ("ports", "unheard of")),
        ("window_mean(size, by=dst_ip, last=2)", ("sizes",)),
    ],
)
def test_a_column_has_all_groups_those_masked_by_default_first(
    rows: pa.Table, text: str, groups: tuple[str, ...]
) -> None:
    made, name = derived(rows, text)
    assert groups_of(made.schema.field(name)) == groups
    assert group_of(made.schema.field(name)) == groups[0]


@pytest.mark.parametrize(
    ("mask", "hidden"), [("sizes", True), ("ports", True), ("counts", False), ("addresses", False)]
)
def test_a_later_mask_of_any_part_hides_a_feature_and_those_made_of_it(
    rows: pa.Table, mask: str, hidden: bool
) -> None:
    made, ratio = derived(rows, "ratio(size, dst_port)")
    made, log = derived(made, f"log({ratio})")
    seen = feature_columns(made.schema, masks=(mask,))
    assert [name in seen for name in (ratio, log)] == [not hidden] * 2
    encoded = FeatureEncoder.fit(made, masks=(mask,)).names
    assert [name in encoded for name in (ratio, log)] == [not hidden] * 2


@pytest.mark.parametrize("mask", ["ports", "sizes"])
def test_a_feature_of_a_masked_feature_is_refused(rows: pa.Table, mask: str) -> None:
    made, ratio = derived(rows, "ratio(size, dst_port)")
    assert parse(f"log({ratio})", made.schema, masks=()).groups == ("ports", "sizes")
    with pytest.raises(InputError, match=f"masked with the group '{mask}'"):
        parse(f"log({ratio})", made.schema, masks=(mask,))


def test_a_file_of_rows_says_how_its_features_were_made(rows: pa.Table) -> None:
    (feature,) = read(rows, "ratio(size, packets)")
    column = with_features(rows, [feature]).schema.field(feature.name)
    assert parse(column.metadata[b"expression"].decode(), rows.schema) == feature


def test_models_read_a_feature_with_what_is_unknown_in_it(rows: pa.Table) -> None:
    made, name = derived(rows, "ratio(size, packets)")
    encoder = FeatureEncoder.fit(made.select([name]), masks=())
    assert encoder.names == [name, f"{name} is missing"]
    assert encoder.transform(made).tolist() == [[2, 0], [2, 1]]


def test_each_side_is_computed_from_its_own_rows(table: Table) -> None:
    columns = {"x": [1.0, 9.0, 2.0], "dst_ip": ["h", "h", "h"], "last_seen_ns": [1, 2, 3]}
    rows = table(columns)
    feature = parse("window_mean(x, by=dst_ip, last=9)", rows.schema)
    train = with_features(rows.take([0, 2]), [feature])
    assert train[feature.name].to_pylist() == [1, 1.5]


def test_no_rows(rows: pa.Table) -> None:
    made, name = derived(rows.slice(0, 0), "ratio(size, packets)")
    assert made[name].to_pylist() == []
