"""Flow rows written by hand: two flows, three packets, two payload slots of four bytes."""

import pyarrow as pa
import pytest

from pipelines.datasets.fields import field

COLUMNS = [
    (field("label", pa.string(), "label"), ["web", "dns"]),
    (field("capture", pa.string(), "split"), ["a.pcap", "b.pcap"]),
    (field("flow", pa.int64(), "split"), [1, 2]),
    (field("src_ip", pa.binary(16), "addresses"), [bytes(16), b"\xff" * 16]),
    (field("dst_port", pa.uint16(), "ports"), [443, 53]),
    (field("first_seen_ns", pa.int64(), "time"), [10**18, 2 * 10**18]),
    (field("protocol", pa.uint8(), "protocol"), [6, 17]),
    (field("bidirectional_bytes", pa.int64(), "sizes"), [1600, 80]),
    (
        field("packet_length", pa.list_(pa.int32(), 3), "sizes"),
        [[60, -1500, 40], [80, 0, 0]],
    ),
    (field("packet_gap_us", pa.list_(pa.int64(), 3), "gaps"), [[0, 7, 1000], [0, 0, 0]]),
    (field("packet_flags", pa.list_(pa.uint8(), 3), "flags"), [[2, 18, 16], [0, 0, 0]]),
    (field("payload_length", pa.list_(pa.int32(), 2), "payload"), [[0, 3], [4, -1]]),
    (
        field("payload", pa.binary(8), "payload"),
        [b"\0\0\0\0" + b"\x16\x03\0\0", b"\xab\xcd\0\x01" + b"\0\0\0\0"],
    ),
]


@pytest.fixture
def flows() -> pa.Table:
    return pa.Table.from_arrays(
        [pa.array(values, column.type) for column, values in COLUMNS],
        schema=pa.schema([column for column, _ in COLUMNS]),
    )
