import pyarrow as pa
import pytest

from pipelines.datasets.fields import (
    BEHAVIOUR,
    DEFAULT_MASKS,
    check_masks,
    feature_columns,
    field,
    group_of,
    groups_of,
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


@pytest.mark.parametrize("mask", [None, "sizes", "ports", "counts", "unheard of"])
def test_a_mask_of_any_group_hides_a_column_of_several(mask: str | None) -> None:
    several = field("both", pa.float64(), "ports", "sizes", "unheard of")
    schema = pa.schema([several, field("left", pa.float64(), "flags")])
    again = pa.ipc.read_schema(schema.serialize())
    assert groups_of(again.field("both")) == ("ports", "sizes", "unheard of")
    hidden = mask in ("ports", "sizes", "unheard of")
    masks = [] if mask is None else [mask]
    assert feature_columns(again, masks) == (["left"] if hidden else ["both", "left"])


@pytest.mark.parametrize("bookkeeping", ["label", "split"])
def test_what_was_made_of_bookkeeping_is_never_a_feature(bookkeeping: str) -> None:
    schema = pa.schema([field("told", pa.float64(), "sizes", bookkeeping)])
    assert feature_columns(schema, []) == []


def test_the_first_of_several_groups_stands_for_all() -> None:
    assert group_of(field("both", pa.float64(), "ports", "sizes")) == "ports"


def test_identifiers_and_behaviour_do_not_overlap() -> None:
    assert not set(DEFAULT_MASKS) & set(BEHAVIOUR)


def test_rows_of_captures_are_told_from_records(make_rows, make_flows) -> None:
    assert is_captured(make_flows(["a"]).schema)
    assert not is_captured(make_rows(["a"], [1], first_seen_ns=[5]).schema)


def test_an_unknown_mask_is_refused_by_name() -> None:
    assert list(check_masks(["ttl", "sizes"])) == ["ttl", "sizes"]
    with pytest.raises(InputError, match="'tll'"):
        check_masks(["ttl", "tll"])
