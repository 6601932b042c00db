"""Features as columns: values, names, and the masks of what they were made of."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from pipelines.datasets.fields import feature_columns, field, group_of
from pipelines.errors import InputError
from pipelines.features.columns import input_groups, with_features, without_masked
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


def test_columns_are_added_at_the_end_under_their_names(rows: pa.Table) -> None:
    features = read(rows, "diff(size, packets)", "gt(size, 7)")
    made = with_features(rows, features, ["left", "größer"])
    assert made.column_names == [*rows.column_names, "left", "größer"]
    assert made["left"].to_pylist() == [4, 6]
    assert made["größer"].to_pylist() == [1, 0]
    assert made.select(rows.column_names).equals(rows, check_metadata=True)


def test_the_own_name_is_that_of_the_canonical_text(rows: pa.Table) -> None:
    one, same, other = read(rows, "log( size )", "log(size)", "log(odd)")
    (name,) = with_features(rows, [one]).column_names[rows.num_columns :]
    assert name == one.name == same.name != other.name
    assert name == "feature_ee1a4c85"  # the same in every process


def test_a_taken_name_is_refused(rows: pa.Table) -> None:
    features = read(rows, "log(size)", "abs(size)")
    with pytest.raises(InputError, match="'size' already"):
        with_features(rows, features[:1], ["size"])
    with pytest.raises(InputError, match="'twice' already"):
        with_features(rows, features, ["twice", "twice"])


@pytest.mark.parametrize(
    ("text", "group", "groups"),
    [
        ("log(size)", "sizes", ["sizes"]),
        ("ratio(size, packets)", "counts", ["counts", "sizes"]),
        ("ratio(size, dst_port)", "ports", ["ports", "sizes"]),
        ("ratio(dst_port, odd)", "unheard of", ["ports", "unheard of"]),
        ("window_mean(size, by=dst_ip, last=2)", "sizes", ["sizes"]),
    ],
)
def test_the_group_is_the_most_revealing_one(
    rows: pa.Table, text: str, group: str, groups: list[str]
) -> None:
    column = with_features(rows, read(rows, text), ["new"]).schema.field("new")
    assert group_of(column) == group
    assert input_groups(column) == groups


def test_a_later_mask_of_the_group_hides_the_feature(rows: pa.Table) -> None:
    made = with_features(rows, read(rows, "ratio(size, dst_port)"), ["new"])
    assert "new" in feature_columns(made.schema, masks=())
    assert "new" not in feature_columns(made.schema, masks=("ports",))


def test_a_later_mask_of_any_part_hides_the_feature(rows: pa.Table) -> None:
    features = read(rows, "ratio(size, packets)", "log(packets)")
    made = with_features(rows, features, ["both", "one"])
    left = without_masked(made, ("sizes",))
    assert left.column_names == [*rows.column_names, "one"]
    assert without_masked(made, ("ports",)).schema == made.schema
    assert without_masked(made, ("counts",)).column_names == rows.column_names


def test_a_feature_of_a_feature_has_the_groups_of_all(rows: pa.Table) -> None:
    made = with_features(rows, read(rows, "ratio(size, dst_port)"), ["new"])
    assert parse("log(new)", made.schema, masks=()).groups == ("ports", "sizes")
    for mask in ("ports", "sizes"):
        with pytest.raises(InputError, match=f"masked with the group '{mask}'"):
            parse("log(new)", made.schema, masks=(mask,))


def test_a_file_of_rows_says_how_its_features_were_made(rows: pa.Table) -> None:
    (feature,) = read(rows, "ratio(size, packets)")
    column = with_features(rows, [feature]).schema.field(feature.name)
    assert parse(column.metadata[b"expression"].decode(), rows.schema) == feature


def test_models_read_a_feature_with_what_is_unknown_in_it(rows: pa.Table) -> None:
    made = with_features(rows, read(rows, "ratio(size, packets)"), ["new"])
    encoder = FeatureEncoder.fit(made.select(["new"]), masks=())
    assert encoder.names == ["new", "new is missing"]
    assert encoder.transform(made).tolist() == [[2, 0], [2, 1]]


def test_each_side_is_computed_from_its_own_rows(table: Table) -> None:
    columns = {"x": [1.0, 9.0, 2.0], "dst_ip": ["h", "h", "h"], "last_seen_ns": [1, 2, 3]}
    rows = table(columns)
    feature = parse("window_mean(x, by=dst_ip, last=9)", rows.schema)
    train = with_features(rows.take([0, 2]), [feature], ["new"])
    assert train["new"].to_pylist() == [1, 1.5]


def test_no_rows(rows: pa.Table) -> None:
    made = with_features(rows.slice(0, 0), read(rows, "ratio(size, packets)"), ["new"])
    assert made["new"].to_pylist() == []
