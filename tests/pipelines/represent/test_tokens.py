"""Rows as tokens: exact values, the bounds of every vocabulary, and nothing of what is masked."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.fields import DEFAULT_MASKS, field
from pipelines.errors import InputError
from pipelines.represent.tokens import BYTE_TOKENS, NO_BYTE, PACKET_TOKENS, TrafficTokens

DIRECTION, LENGTH, FLAGS, GAP, PROTOCOL = range(5)


def fit(
    rows: pa.Table, masks: tuple[str, ...] = DEFAULT_MASKS, packets: int = 2, size: int = 4
) -> TrafficTokens:
    return TrafficTokens.fit(rows.schema, masks, payload_packets=packets, payload_bytes=size)


def replaced(rows: pa.Table, name: str, values: list) -> pa.Table:
    place = rows.schema.get_field_index(name)
    column = rows.schema.field(name)
    return rows.set_column(place, column, pa.array(values, column.type))


def test_packets_of_two_flows(flows: pa.Table) -> None:
    tokens = fit(flows).transform_packets(flows)
    assert tokens.dtype == np.int16
    # 60 bytes: floor(2 log2 60) = 11, 1500: 21, 40: 10, 80: 12; token 0 is no packet.
    # 7 us: log2(8) / 3 = 1, 1000 us: floor(log2(1001) / 3) = 3.
    assert tokens[0].tolist() == [[1, 12, 2, 0, 6], [2, 22, 18, 1, 6], [1, 11, 16, 3, 6]]
    assert tokens[1].tolist() == [[1, 13, 0, 0, 17], [0, 0, 0, 0, 17], [0, 0, 0, 0, 17]]


def test_payload_of_two_flows(flows: pa.Table) -> None:
    payload = fit(flows).transform_payload(flows)
    assert payload.tolist() == [
        [NO_BYTE] * 4 + [0x16, 3, 0, NO_BYTE],
        [0xAB, 0xCD, 0, 1] + [NO_BYTE] * 4,
    ]


def test_less_payload_than_the_rows_hold(flows: pa.Table) -> None:
    payload = fit(flows, packets=2, size=2).transform_payload(flows)
    assert payload.tolist() == [[NO_BYTE, NO_BYTE, 0x16, 3], [0xAB, 0xCD, NO_BYTE, NO_BYTE]]
    assert fit(flows, packets=1, size=3).transform_payload(flows)[1].tolist() == [0xAB, 0xCD, 0]


def test_more_payload_than_the_rows_hold_is_what_they_hold(flows: pa.Table) -> None:
    tokens = fit(flows, packets=9, size=99)
    assert (tokens.payload_packets, tokens.payload_bytes) == (2, 4)


@pytest.mark.parametrize(
    ("group", "constant"),
    [
        ("sizes", [DIRECTION, LENGTH]),
        ("gaps", [GAP]),
        ("flags", [FLAGS]),
        ("protocol", [PROTOCOL]),
    ],
)
def test_a_masked_group_leaves_zeros(flows: pa.Table, group: str, constant: list[int]) -> None:
    plain = fit(flows).transform_packets(flows)
    masked = fit(flows, (*DEFAULT_MASKS, group)).transform_packets(flows)
    kept = [place for place in range(5) if place not in constant]
    assert (masked[..., constant] == 0).all()
    assert (masked[..., kept] == plain[..., kept]).all()


def test_masked_payload_is_all_padding(flows: pa.Table) -> None:
    masked = fit(flows, (*DEFAULT_MASKS, "payload"))
    assert (masked.transform_payload(flows) == NO_BYTE).all()


def test_masked_columns_are_not_even_read(flows: pa.Table) -> None:
    tokens = fit(flows, (*DEFAULT_MASKS, "payload", "flags"))
    bare = flows.drop_columns(["payload", "payload_length", "packet_flags"])
    assert (tokens.transform_packets(bare) == tokens.transform_packets(flows)).all()
    assert tokens.transform_payload(bare).shape == (2, 8)


def test_everything_masked_is_refused(flows: pa.Table) -> None:
    with pytest.raises(InputError, match="hide every column"):
        fit(flows, ("sizes", "gaps", "flags", "protocol", "payload"))


def test_rows_without_payload_columns(flows: pa.Table) -> None:
    bare = flows.drop_columns(["payload", "payload_length"])
    tokens = fit(bare)
    assert tokens.transform_payload(bare).tolist() == [[NO_BYTE], [NO_BYTE]]


def test_a_packet_row_is_one_packet(flows: pa.Table) -> None:
    schema = pa.schema(
        [
            field("packet_length", pa.list_(pa.int32(), 1), "sizes"),
            field("packet_gap_us", pa.list_(pa.int64(), 1), "gaps"),
            field("packet_flags", pa.list_(pa.uint8(), 1), "flags"),
            field("protocol", pa.uint8(), "protocol"),
        ]
    )
    values = {"packet_length": [-64], "packet_gap_us": [0], "packet_flags": [2], "protocol": 6}
    rows = pa.Table.from_pylist([values], schema)
    assert fit(rows).transform_packets(rows).tolist() == [[[2, 13, 2, 0, 6]]]


def test_tables_are_not_captures(flows: pa.Table) -> None:
    assert TrafficTokens.can_read(flows.schema)
    assert not TrafficTokens.can_read(pa.schema({"src_bytes": pa.int64()}))
    assert not TrafficTokens.can_read(pa.schema({"packet_length": pa.int64()}))


@pytest.mark.parametrize("name", ["packet_length", "payload", "protocol"])
def test_a_missing_column_is_named(flows: pa.Table, name: str) -> None:
    tokens = fit(flows)
    with pytest.raises(InputError, match=name):
        tokens.transform_packets(flows.drop_columns([name]))
        tokens.transform_payload(flows.drop_columns([name]))


def test_another_number_of_packets_is_refused(flows: pa.Table) -> None:
    tokens = fit(flows)
    place = flows.schema.get_field_index("packet_length")
    longer = pa.array([[1, 2, 3, 4]] * 2, pa.list_(pa.int32(), 4))
    with pytest.raises(InputError, match="packet_length"):
        tokens.transform_packets(flows.set_column(place, "packet_length", longer))


def test_no_rows(flows: pa.Table) -> None:
    tokens = fit(flows)
    assert tokens.transform_packets(flows.slice(0, 0)).shape == (0, 3, 5)
    assert tokens.transform_payload(flows.slice(0, 0)).shape == (0, 8)


def test_a_null_is_no_packet(flows: pa.Table) -> None:
    rows = replaced(flows, "packet_length", [None, [80, 0, 0]])
    assert fit(flows).transform_packets(rows)[0, :, DIRECTION].tolist() == [0, 0, 0]


def test_longer_packets_never_get_a_smaller_token(flows: pa.Table) -> None:
    lengths = [*range(1, 3000), 9000, 65535, 65536, 2**31 - 1]
    rows = pa.concat_tables([flows.slice(0, 1)] * (len(lengths) // 3))
    rows = replaced(rows, "packet_length", np.reshape(lengths, (-1, 3)).tolist())
    tokens = fit(flows).transform_packets(rows)[..., LENGTH].ravel()
    assert (np.diff(tokens) >= 0).all()
    assert (tokens[0], tokens[-1]) == (1, PACKET_TOKENS["length"] - 1)


@given(
    st.lists(st.integers(-(2**31) + 1, 2**31 - 1), min_size=3, max_size=3),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3),
    st.lists(st.integers(0, 255), min_size=3, max_size=3),
    st.integers(0, 255),
    st.binary(min_size=8, max_size=8),
    st.lists(st.integers(-1, 4), min_size=2, max_size=2),
)
def test_any_values_stay_inside_the_vocabularies(
    lengths: list[int],
    gaps: list[int],
    flags: list[int],
    protocol: int,
    payload: bytes,
    sizes: list[int],
) -> None:
    schema = pa.schema(
        [
            field("packet_length", pa.list_(pa.int32(), 3), "sizes"),
            field("packet_gap_us", pa.list_(pa.int64(), 3), "gaps"),
            field("packet_flags", pa.list_(pa.uint8(), 3), "flags"),
            field("protocol", pa.uint8(), "protocol"),
            field("payload_length", pa.list_(pa.int32(), 2), "payload"),
            field("payload", pa.binary(8), "payload"),
        ]
    )
    row = dict(zip(schema.names, [lengths, gaps, flags, protocol, sizes, payload], strict=True))
    rows = pa.Table.from_pylist([row], schema)
    tokens = fit(rows)
    packets = tokens.transform_packets(rows)
    assert (packets >= 0).all()
    assert (packets < list(PACKET_TOKENS.values())).all()
    read = tokens.transform_payload(rows)[0].tolist()
    assert max(read) < BYTE_TOKENS
    assert [value != NO_BYTE for value in read] == [i < size for size in sizes for i in range(4)]
    again = TrafficTokens.model_validate_json(tokens.model_dump_json())
    assert (again.transform_packets(rows) == packets).all()
