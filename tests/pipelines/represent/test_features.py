"""Rows as features: exact values, every column type, what is missing, what is refused."""

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.fields import DEFAULT_MASKS, field
from pipelines.errors import InputError
from pipelines.represent.features import FeatureEncoder


def table(**columns: pa.Array) -> pa.Table:
    return pa.table(columns)


def encoded(training: pa.Array, rows: pa.Array | None = None, **options: int) -> dict[str, list]:
    """Feature name -> values, of one column."""
    encoder = FeatureEncoder.fit(table(x=training), (), **options)
    features = encoder.transform(table(x=training if rows is None else rows))
    return dict(zip(encoder.names, features.T.tolist(), strict=True))


class TestFlows:
    def test_default_masks_leave_behaviour_only(self, flows: pa.Table) -> None:
        encoder = FeatureEncoder.fit(flows, DEFAULT_MASKS)
        assert [column.column for column in encoder.columns] == [
            "protocol",
            "bidirectional_bytes",
            "packet_length",
            "packet_gap_us",
            "packet_flags",
            "payload_length",
            "payload",
        ]

    def test_every_feature_of_the_first_flow(self, flows: pa.Table) -> None:
        encoder = FeatureEncoder.fit(flows, DEFAULT_MASKS)
        first = dict(zip(encoder.names, encoder.transform(flows)[0].tolist(), strict=True))
        assert first == {
            "protocol": 6,
            "bidirectional_bytes": 1600,
            "packet_length[0]": 60,
            "packet_length[1]": -1500,
            "packet_length[2]": 40,
            "packet_gap_us[0]": 0,
            "packet_gap_us[1]": 7,
            "packet_gap_us[2]": 1000,
            "packet_flags[0]": 2,
            "packet_flags[1]": 18,
            "packet_flags[2]": 16,
            "payload_length[0]": 0,
            "payload_length[1]": 3,
            "payload[0][0]": -1,
            "payload[0][1]": -1,
            "payload[0][2]": -1,
            "payload[0][3]": -1,
            "payload[1][0]": 0x16,
            "payload[1][1]": 3,
            "payload[1][2]": 0,
            "payload[1][3]": -1,
        }

    def test_a_zero_byte_is_not_padding(self, flows: pa.Table) -> None:
        encoder = FeatureEncoder.fit(flows, DEFAULT_MASKS)
        second = encoder.transform(flows)[1, -8:]
        assert second.tolist() == [0xAB, 0xCD, 0, 1, -1, -1, -1, -1]

    def test_unmasked_identifiers_are_features(self, flows: pa.Table) -> None:
        names = FeatureEncoder.fit(flows, ()).names
        assert "dst_port" in names
        assert [name for name in names if name.startswith("src_ip")] == [
            f"src_ip[0][{i}]" for i in range(16)
        ]

    @pytest.mark.parametrize("hidden", ["label", "capture", "flow"])
    def test_bookkeeping_is_never_a_feature(self, flows: pa.Table, hidden: str) -> None:
        assert hidden not in {c.column for c in FeatureEncoder.fit(flows, ()).columns}

    def test_slices_and_chunks_encode_as_the_whole(self, flows: pa.Table) -> None:
        encoder = FeatureEncoder.fit(flows, ())
        whole = encoder.transform(flows)
        assert (encoder.transform(flows.slice(1)) == whole[1:]).all()
        chunked = pa.concat_tables([flows, flows.slice(1), flows.slice(0, 1)])
        assert (encoder.transform(chunked) == whole[[0, 1, 1, 0]]).all()

    def test_no_rows(self, flows: pa.Table) -> None:
        encoder = FeatureEncoder.fit(flows, DEFAULT_MASKS)
        assert encoder.transform(flows.slice(0, 0)).shape == (0, len(encoder.names))

    def test_result_is_float32(self, flows: pa.Table) -> None:
        assert FeatureEncoder.fit(flows, ()).transform(flows).dtype == np.float32

    def test_fields_cover_the_features_in_order(self, flows: pa.Table) -> None:
        encoder = FeatureEncoder.fit(flows, ())
        covered = [i for f in encoder.fields() for i in range(f.start, f.stop)]
        assert covered == list(range(len(encoder.names)))

    @pytest.mark.parametrize(
        "lengths",
        [pa.array([2, 1]), pa.array([[1] * 3] * 2, pa.list_(pa.int32(), 3))],
        ids=["no list", "slots that do not fit"],
    )
    def test_lengths_that_say_nothing_of_slots(self, lengths: pa.Array) -> None:
        rows = table(raw=pa.array([b"\x01\x02", b"\x03\x04"], pa.binary(2)), raw_length=lengths)
        assert FeatureEncoder.fit(rows, ()).transform(rows)[:, :2].tolist() == [[1, 2], [3, 4]]

    def test_a_null_payload_has_no_bytes(self) -> None:
        rows = table(payload=pa.array([b"\x01\x02", None], pa.binary(2)))
        assert FeatureEncoder.fit(rows, ()).transform(rows).tolist() == [[1, 2], [-1, -1]]


class TestNumbers:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            (pa.array([1, 2], pa.uint8()), [1, 2]),
            (pa.array([-5, 2**62], pa.int64()), [-5, 2.0**62]),
            (pa.array([0, 2**64 - 1], pa.uint64()), [0, 2.0**64]),
            (pa.array([0.5, -0.25], pa.float32()), [0.5, -0.25]),
            (pa.array([True, False]), [1, 0]),
            (pa.array([decimal.Decimal("1.5"), decimal.Decimal("2.5")]), [1.5, 2.5]),
            (pa.array([datetime.date(1970, 1, 2), datetime.date(1970, 1, 1)]), [1, 0]),
            (pa.array([3, 4], pa.timestamp("s")), [3, 4]),
            (pa.array([3, 4], pa.duration("ms")), [3, 4]),
        ],
        ids=lambda value: str(getattr(value, "type", "")),
    )
    def test_every_numeric_type(self, values: pa.Array, expected: list[float]) -> None:
        assert encoded(values) == {"x": expected}

    def test_a_missing_number_is_the_training_median_and_flagged(self) -> None:
        result = encoded(pa.array([1.0, 3.0, 8.0, None]))
        assert result == {"x": [1, 3, 8, 3], "x is missing": [0, 0, 0, 1]}

    def test_missing_only_later_is_the_median_without_a_flag(self) -> None:
        assert encoded(pa.array([1.0, 3.0, 8.0]), pa.array([None, 5.0])) == {"x": [3, 5]}

    @pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf")])
    def test_what_is_no_number_is_missing(self, odd: float) -> None:
        result = encoded(pa.array([2.0, 4.0, odd]))
        assert result == {"x": [2, 4, 3], "x is missing": [0, 0, 1]}

    def test_a_column_without_any_value_is_zero(self) -> None:
        assert encoded(pa.array([None, None], pa.float64())) == {"x": [0, 0]}
        assert encoded(pa.nulls(2)) == {"x": [0, 0]}

    def test_what_float32_cannot_hold_is_clipped(self) -> None:
        values = encoded(pa.array([1e300, -1e300]))["x"]
        assert np.isfinite(values).all()
        assert values[0] == -values[1] > 1e38

    def test_lists_have_a_median_and_a_flag_for_each_position(self) -> None:
        pairs = pa.array([[1, 10], [3, None], None, [3, 20]], pa.list_(pa.int32(), 2))
        assert encoded(pairs) == {
            "x[0]": [1, 3, 3, 3],
            "x[1]": [10, 15, 15, 20],
            "x[0] is missing": [0, 0, 1, 0],
            "x[1] is missing": [0, 1, 1, 0],
        }

    def test_text_in_place_of_numbers_is_refused(self) -> None:
        with pytest.raises(InputError, match="'x' has the type string"):
            encoded(pa.array([1, 2]), pa.array(["1", "two"]))

    def test_lists_of_another_width_are_refused(self) -> None:
        with pytest.raises(InputError, match="'x'"):
            encoded(
                pa.array([[1, 2]], pa.list_(pa.int32(), 2)),
                pa.array([[1, 2, 3]], pa.list_(pa.int32(), 3)),
            )


class TestCategories:
    def test_one_feature_a_value_and_one_for_the_rest(self) -> None:
        result = encoded(pa.array(["tcp", "udp", "tcp"]), pa.array(["udp", "icmp", None]))
        assert result == {"x=tcp": [0, 0, 0], "x=udp": [1, 0, 0], "x is other": [0, 1, 0]}

    def test_only_the_most_frequent_are_kept_and_ties_are_alphabetical(self) -> None:
        values = pa.array(["d", "c", "c", "b", "a"])
        assert list(encoded(values, most_categories=2)) == ["x=a", "x=c", "x is other"]

    def test_cardinality_is_bounded(self) -> None:
        assert len(encoded(pa.array([f"host-{i}" for i in range(1000)]))) == 33

    @pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
    def test_other_text_types(self, kind: pa.DataType) -> None:
        values = pa.array(["a", "b", None]).cast(kind)
        assert encoded(values) == {"x=a": [1, 0, 0], "x=b": [0, 1, 0], "x is other": [0, 0, 0]}

    def test_numbers_in_place_of_text_are_read_as_text(self) -> None:
        assert encoded(pa.array(["6", "17"]), pa.array([17, 1]))["x=17"] == [1, 0]

    def test_all_categories_of_a_text_are_one_field(self) -> None:
        rows = table(a=pa.array(["p", "q"]), b=pa.array([1, 2]))
        assert list(FeatureEncoder.fit(rows, ()).fields()) == [slice(0, 3), slice(3, 4)]

    def test_hostile_values_are_only_names(self) -> None:
        result = encoded(pa.array(["\x1b[31m", '"}],', "\u202e"]))
        assert len(result) == 4


class TestRefusals:
    def test_everything_masked(self, flows: pa.Table) -> None:
        groups = ("sizes", "gaps", "flags", "payload", "protocol", *DEFAULT_MASKS)
        with pytest.raises(InputError, match="hide every column"):
            FeatureEncoder.fit(flows, groups)

    def test_a_missing_column_is_named(self, flows: pa.Table) -> None:
        encoder = FeatureEncoder.fit(flows, DEFAULT_MASKS)
        with pytest.raises(InputError, match="lack the column 'protocol'"):
            encoder.transform(flows.drop_columns(["protocol"]))

    def test_masked_columns_may_be_missing(self, flows: pa.Table) -> None:
        encoder = FeatureEncoder.fit(flows, DEFAULT_MASKS)
        bare = flows.drop_columns(["label", "src_ip", "dst_port", "first_seen_ns"])
        assert (encoder.transform(bare) == encoder.transform(flows)).all()

    @pytest.mark.parametrize(
        "values",
        [
            pa.array([[1], [2, 3]], pa.list_(pa.int32())),
            pa.array([{"a": 1}, {"a": 2}]),
            pa.array([b"a", b"bc"], pa.binary()),
            pa.array([["a"], ["b"]], pa.list_(pa.string(), 1)),
        ],
        ids=lambda values: str(values.type),
    )
    def test_odd_types_are_named(self, values: pa.Array) -> None:
        with pytest.raises(InputError, match="'x' has the type"):
            FeatureEncoder.fit(table(x=values), ())

    def test_bytes_of_another_size(self, flows: pa.Table) -> None:
        encoder = FeatureEncoder.fit(flows, DEFAULT_MASKS)
        place = flows.schema.get_field_index("payload")
        wider = flows.set_column(
            place, field("payload", pa.binary(9), "payload"), pa.array([bytes(9)] * 2, pa.binary(9))
        )
        with pytest.raises(InputError, match="'payload'"):
            encoder.transform(wider)


columns = st.fixed_dictionaries(
    {
        "number": st.none() | st.floats(allow_nan=True, allow_infinity=True),
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "text": st.none() | st.text(max_size=4),
        "pair": st.none() | st.lists(st.none() | st.integers(0, 9), min_size=2, max_size=2),
        "raw": st.none() | st.binary(min_size=3, max_size=3),
    }
)
SCHEMA = pa.schema(
    {
        "number": pa.float64(),
        "count": pa.int64(),
        "text": pa.string(),
        "pair": pa.list_(pa.int32(), 2),
        "raw": pa.binary(3),
    }
)


@given(st.lists(columns, max_size=8), st.lists(columns, max_size=8))
def test_any_rows_give_finite_features_and_survive_the_file(
    training: list[dict], later: list[dict]
) -> None:
    encoder = FeatureEncoder.fit(pa.Table.from_pylist(training, SCHEMA), ())
    rows = pa.Table.from_pylist(later, SCHEMA)
    features = encoder.transform(rows)
    assert features.shape == (len(later), len(encoder.names))
    assert np.isfinite(features).all()
    again = FeatureEncoder.model_validate_json(encoder.model_dump_json())
    assert again == encoder
    assert (again.transform(rows) == features).all()
