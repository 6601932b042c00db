"""What holds for every profile: its columns, its sums, and where a batch ends."""

import io

import pyarrow as pa
import pytest

from pipelines.capture import CaptureHealth, FlowSettings, read_flows
from pipelines.datasets.fields import BEHAVIOUR, DEFAULT_MASKS, SPLIT, group_of
from pipelines.errors import InputError
from pipelines.profiles.export import profile_rows
from pipelines.profiles.registry import PROFILES, find_profile

FLOWS = [name for name, profile in PROFILES.items() if profile.unit == "flow"]
# Packets and bytes of both ways, as each profile calls them; None where it has other bytes.
SUMS = {
    "nfstream": ("src2dst_packets", "dst2src_packets", "src2dst_bytes", "dst2src_bytes"),
    "zeek-conn": ("orig_pkts", "resp_pkts", None, None),
    "ipfix": (
        "packetDeltaCount",
        "reversePacketDeltaCount",
        "layer2OctetDeltaCount",
        "reverseLayer2OctetDeltaCount",
    ),
    "cic": ("Total Fwd Packet", "Total Bwd packets", None, None),
}
CAPTURES = ["ajp.pcap", "dns.pcap", "anydesk.pcapng", "4in6tunnel.pcap", "teredo.pcap"]
SETTINGS = FlowSettings(payload_bytes=8)


def tables(content, name, settings=SETTINGS, **options):
    source = io.BytesIO(content)
    return list(profile_rows(source, PROFILES[name], settings, health=CaptureHealth(), **options))


@pytest.mark.parametrize("name", PROFILES)
def test_columns_are_declared_once_and_in_a_group_that_masks_know(name):
    columns = PROFILES[name].columns(SETTINGS)
    names = [column.name for column in columns]
    assert len(set(names)) == len(names)
    assert {column.group for column in columns} <= {*DEFAULT_MASKS, *BEHAVIOUR, SPLIT}
    assert all(column.meaning and column.source for column in columns)


@pytest.mark.parametrize("name", PROFILES)
def test_rows_have_the_declared_columns(make, name):
    content = make.pcap(enumerate([make.tcp(0, "S"), make.udp(1, b"x"), make.icmp(0, 8)]))
    (rows,) = tables(content, name)
    assert rows.schema.equals(PROFILES[name].schema(SETTINGS), check_metadata=True)
    assert [group_of(c) for c in rows.schema] == [c.group for c in PROFILES[name].columns(SETTINGS)]
    rows.validate(full=True)


@pytest.mark.parametrize("name", PROFILES)
def test_a_capture_without_ip_has_no_row(make, name):
    assert tables(make.pcap([(0, bytes(60))]), name) == []
    assert tables(make.pcap([]), name) == []


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("name", PROFILES)
def test_it_makes_no_difference_where_a_batch_ends(data, name, capture):
    path = data / "ndpi" / "pcap" / capture
    if not path.exists():
        pytest.skip(f"{capture} is not among the captures")
    content = path.read_bytes()
    whole = pa.concat_tables(tables(content, name))
    pieces = pa.concat_tables(tables(content, name, piece_bytes=700))
    ours, theirs = (rounded(table) for table in (whole, pieces))
    if name == "nprint":
        assert ours == theirs
    else:
        assert sorted(ours, key=repr) == sorted(theirs, key=repr)


def rounded(table):
    """Rows without their running number; statistics depend on batches by a last bit."""
    return [
        {
            column: float(f"{value:.9g}") if isinstance(value, float) else value
            for column, value in row.items()
            if column not in ("id", "flow", "uid")
        }
        for row in table.to_pylist()
    ]


@pytest.mark.parametrize("capture", ["ajp.pcap", "syslog.pcap", "synscan.pcap"])
@pytest.mark.parametrize("name", SUMS)
def test_sums_are_those_of_the_flow_table(data, name, capture):
    path = data / "ndpi" / "pcap" / capture
    if not path.exists():
        pytest.skip(f"{capture} is not among the captures")
    flows = pa.concat_tables(read_flows(path, SETTINGS))
    rows = pa.concat_tables(tables(path.read_bytes(), name))
    wanted = ("src2dst_packets", "dst2src_packets", "src2dst_bytes", "dst2src_bytes")
    assert rows.num_rows == flows.num_rows
    for own, column in zip(SUMS[name], wanted, strict=True):
        if own:
            assert rows[own].to_pylist() == flows[column].to_pylist(), own


def test_time_outs_are_those_of_the_settings(make):
    content = make.pcap((second * 1000, make.udp(0)) for second in range(10))
    for name in FLOWS:
        long = sum(t.num_rows for t in tables(content, name))
        short = sum(t.num_rows for t in tables(content, name, FlowSettings(active_seconds=5)))
        assert (long, short) == (1, 2)


@pytest.mark.parametrize("name", FLOWS)
def test_flows_that_are_open_at_the_end_come_in_parts(make, name, monkeypatch):
    content = make.pcap((i, make.tcp(0, "S", client=40000 + i)) for i in range(7))
    (whole,) = tables(content, name)
    monkeypatch.setattr("pipelines.profiles.export.FLOWS_AT_ONCE", 3)
    parts = tables(content, name)
    assert [part.num_rows for part in parts] == [3, 3, 1]
    assert pa.concat_tables(parts).equals(whole)


def test_an_unknown_profile_is_named_with_the_nearest():
    with pytest.raises(InputError, match="did you mean nfstream"):
        find_profile("nfsteam")


def test_a_long_flow_takes_no_more_memory_than_a_short_one(make):
    """Records of flows are kept, no packets: what is open is one record a flow."""
    from pipelines.capture import read_batches
    from pipelines.capture.flow_table import FlowTable

    content = make.pcap((i, make.tcp(i % 2, "A", i, b"x" * (i % 7))) for i in range(3000))
    for name in SUMS:
        exporter, table = PROFILES[name].open(SETTINGS), FlowTable(SETTINGS)
        for batch in read_batches(io.BytesIO(content), CaptureHealth(), piece_bytes=5000):
            assert exporter.add(batch, table.update(batch)).num_rows == 0
        assert len(exporter._open) == 1
        assert exporter.end(table.expire()).num_rows == 1
        assert len(exporter._open) == 0


@pytest.mark.parametrize("name", PROFILES)
def test_no_broken_capture_breaks_an_export(data, name):
    """Rows or a refusal; a warning of NumPy would be an error."""
    files = [path for path in sorted((data / "robustness").rglob("*")) if path.is_file()]
    small = [path for path in files if path.stat().st_size < 200_000][::12]
    refused = made = 0
    for path in small:
        try:
            made += sum(table.num_rows for table in tables(path.read_bytes(), name))
        except InputError:
            refused += 1
    assert len(small) > 40
    assert made
    assert refused < len(small)
