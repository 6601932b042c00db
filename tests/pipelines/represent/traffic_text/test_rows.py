"""From rows to texts: what each mask hides, tables, packets, and real captures."""

import pyarrow as pa
import pytest

from pipelines.capture import FlowSettings, read_flows, read_packet_rows
from pipelines.datasets.fields import BEHAVIOUR, DEFAULT_MASKS, field
from pipelines.represent.traffic_text import PacketText, parse_text, row_texts


@pytest.fixture
def flows(flows):
    version = field("ip_version", pa.uint8(), "protocol")
    return flows.append_column(version, [pa.array([4, 4], pa.uint8())])


def texts(rows, *masks):
    return [str(row) for row in row_texts(rows, masks)]


def test_flows_under_the_default_masks(flows):
    assert texts(flows, *DEFAULT_MASKS) == [
        "tcp4▸60S◂1500SA˖7u⠖⠃⠀▸40A˖1m",
        "udp4▸80⢫⣍⠀⠁",
    ]


def test_identifiers_are_there_where_a_person_wants_them(flows):
    first, second = texts(flows)
    assert "src_ip=:: dst_port=443 first_seen_ns=1000000000000000000" in first
    assert "dst_port=53" in second


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        ("protocol", "▸60S◂1500SA˖7u⠖⠃⠀▸40A˖1m"),
        ("sizes", "tcp4▪S▪SA˖7u⠖⠃⠀▪A˖1m"),
        ("gaps", "tcp4▸60S◂1500SA⠖⠃⠀▸40A"),
        ("flags", "tcp4▸60◂1500˖7u⠖⠃⠀▸40˖1m"),
        ("payload", "tcp4▸60S◂1500SA˖7u▸40A˖1m"),
    ],
)
def test_each_mask_takes_its_own_and_nothing_else(flows, mask, text):
    assert texts(flows, *DEFAULT_MASKS, mask)[0] == text


def test_all_masks_leave_nothing(flows):
    assert texts(flows, *DEFAULT_MASKS, *BEHAVIOUR) == ["", ""]


def test_label_and_split_columns_are_never_told(flows):
    told = " ".join(texts(flows))
    for secret in ("web", "dns", "a.pcap", "label", "capture", "flow="):
        assert secret not in told


def test_a_table_is_its_values():
    rows = pa.Table.from_arrays(
        [pa.array(["dos"]), pa.array([0.5]), pa.array(["tcp"]), pa.array([None], pa.float64())],
        schema=pa.schema(
            [
                field("label", pa.string(), "label"),
                field("rate", pa.float64(), "column"),
                field("service", pa.string(), "column"),
                field("missing", pa.float64(), "column"),
            ]
        ),
    )
    assert texts(rows) == ["rate=0.5 service=tcp"]


def read(data, name, reader):
    return pa.concat_tables(reader(data / "ustc_tfc2016" / "sessions" / name))


@pytest.mark.parametrize("reader", [read_flows, read_packet_rows])
def test_real_rows_come_back_from_their_texts(data, reader):
    captures = sorted((data / "ustc_tfc2016" / "sessions").rglob("*.pcap"))
    seen = 0
    for capture in captures[::5]:
        for rows in reader(capture):
            for row in row_texts(rows, DEFAULT_MASKS):
                assert parse_text(str(row)) == row
                seen += 1
    assert seen > 1_000


def test_every_payload_byte_of_real_rows_is_in_the_text(data):
    capture = next((data / "ustc_tfc2016" / "sessions").rglob("Gmail.pcap"))
    rows = pa.concat_tables(read_flows(capture))
    slots, width = 4, 64
    for values, text in zip(rows.to_pylist(), row_texts(rows, DEFAULT_MASKS), strict=True):
        for slot, size in enumerate(values["payload_length"][: len(text.packets)]):
            captured = values["payload"][slot * width : slot * width + max(size, 0)]
            assert text.packets[slot].payload == captured
        assert len(text.packets) == min(values["bidirectional_packets"], 16)
    assert len(values["payload_length"]) == slots


def test_real_flows_name_protocol_and_totals(data):
    capture = next((data / "ustc_tfc2016" / "sessions").rglob("Tinba.pcap"))
    rows = pa.concat_tables(read_flows(capture))
    told = texts(rows, *DEFAULT_MASKS)
    assert {text.split(" ")[0] for text in told} <= {"tcp4", "udp4", "icmp4:8/0", "icmp4:3/3"}
    first = next(row_texts(rows, DEFAULT_MASKS))
    forth, back = map(int, first.values["n"].split(">"))
    assert forth + back == rows["bidirectional_packets"][0].as_py()


def test_a_packet_of_an_unknown_direction(flows):
    packet = next(row_texts(flows, ("sizes",))).packets[0]
    assert packet == PacketText(None, None, 0x02)


def test_what_protocols_say_is_told_and_names_are_not(data):
    settings = FlowSettings(protocols=True)
    rows = pa.concat_tables(read_flows(data / "ndpi" / "pcap" / "bt-dns.pcap", settings))
    row = next(row_texts(rows, DEFAULT_MASKS))
    assert row.values["dns_query_type"] == "A"
    assert "dns_name" not in row.values
    assert parse_text(str(row)) == row
    told = next(row_texts(rows, [name for name in DEFAULT_MASKS if name != "names"]))
    assert told.values["dns_name"] == rows["dns_name"][0].as_py()
