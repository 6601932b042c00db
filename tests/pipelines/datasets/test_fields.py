import pyarrow as pa
import pytest

from pipelines.datasets.fields import (
    BEHAVIOUR,
    DEFAULT_MASKS,
    check_masks,
    feature_columns,
    field,
    group_of,
    is_captured,
)
from pipelines.errors import InputError


def test_a_column_knows_its_group_and_an_undeclared_one_is_a_column() -> None:
    assert group_of(field("src_ip", pa.string(), "addresses")) == "addresses"
    assert group_of(pa.field("x", pa.int8())) == "column"


def test_a_group_survives_parquet_metadata_round_trip() -> None:
    schema = pa.schema([field("ttl", pa.uint8(), "ttl")])
    again = pa.ipc.read_schema(schema.serialize())
    assert group_of(again.field("ttl")) == "ttl"


def test_features_are_what_is_neither_bookkeeping_nor_masked() -> None:
    schema = pa.schema(
        [
            field("label", pa.string(), "label"),
            field("flow", pa.int64(), "split"),
            field("src_ip", pa.string(), "addresses"),
            field("bytes", pa.int64(), "sizes"),
            pa.field("mystery", pa.float64()),
        ]
    )
    assert feature_columns(schema) == ["bytes", "mystery"]
    assert feature_columns(schema, ["sizes"]) == ["src_ip", "mystery"]
    assert feature_columns(schema, []) == ["src_ip", "bytes", "mystery"]


def test_identifiers_and_behaviour_do_not_overlap() -> None:
    assert not set(DEFAULT_MASKS) & set(BEHAVIOUR)


def test_rows_of_captures_are_told_from_records(make_rows, make_flows) -> None:
    assert is_captured(make_flows(["a"]).schema)
    assert not is_captured(make_rows(["a"], [1], first_seen_ns=[5]).schema)


def test_an_unknown_mask_is_refused_by_name() -> None:
    assert list(check_masks(["ttl", "sizes"])) == ["ttl", "sizes"]
    with pytest.raises(InputError, match="'tll'"):
        check_masks(["ttl", "tll"])
