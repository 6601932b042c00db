"""Labels of single flows: what fits, what does not, and what is said of it."""

from collections import Counter
from pathlib import Path

import pytest

from pipelines.datasets.description import ColumnMap
from pipelines.datasets.flow_labels import address_bytes, port_number, protocol_number
from pipelines.datasets.sources import describe_source, load_source, source_files
from pipelines.errors import InputError

START = 1_600_000_000  # write_capture's first packet; flow n begins n seconds later
HEADER = "src,sport,dst,dport,proto,start,end,label\n"


def line(port: int, label: str, start: str = "", end: str = "", swap: bool = False) -> str:
    ends = [f"10.0.0.1,{port}", "10.0.0.2,53"]
    one, other = ends[::-1] if swap else ends
    return f"{one},{other},udp,{start},{end},{label}\n"


@pytest.fixture
def source(tmp_path: Path, write_capture) -> Path:
    write_capture(tmp_path / "a.pcap", ports=(1000, 1001, 1002, 1003))
    return tmp_path


def label(source: Path, *lines: str, header: str = HEADER) -> None:
    (source / "labels.csv").write_text(header + "".join(lines))


def timed(port: int, name: str, start: float, end: float) -> str:
    return line(port, name, str(START + start), str(START + end))


def test_flows_get_labels_in_either_direction_and_the_rest_is_told(source: Path) -> None:
    label(source, timed(1000, "a", 0, 0), timed(1001, "b", 1, 2), timed(9, "b", 0, 5))
    lines = (source / "labels.csv").read_text().splitlines(keepends=True)
    lines.append(line(1002, "a", str(START), str(START + 9), swap=True))
    (source / "labels.csv").write_text("".join(lines))
    loaded = load_source(source)
    assert dict(
        zip(loaded.rows["src_port"].to_pylist(), loaded.rows["label"].to_pylist(), strict=True)
    ) == {1000: "a", 1001: "b", 1002: "a"}
    assert loaded.warnings[-3:] == [
        "labels.csv gives 3 of 4 flows a class.",
        "1 flow without a label in labels.csv: left out.",
        "1 label in labels.csv for flows that are not here, such as - udp 10.0.0.1 9 10.0.0.2 53.",
    ]


def test_two_labels_for_one_flow_leave_it_out(source: Path) -> None:
    label(
        source,
        *(timed(1000, c, 0, 1) for c in "ab"),
        timed(1001, "a", 1, 1),
        timed(1002, "b", 2, 2),
    )
    loaded = load_source(source)
    assert sorted(loaded.rows["src_port"].to_pylist()) == [1001, 1002]
    assert "1 flow was left out: two classes in labels.csv." in loaded.warnings


def test_the_window_decides_where_ports_come_back(source: Path) -> None:
    label(source, timed(1000, "late", 60, 90), timed(1000, "now", -5, 0), timed(1001, "b", 0, 9))
    assert Counter(load_source(source).rows["label"].to_pylist()) == {"now": 1, "b": 1}


@pytest.mark.parametrize(("tolerance", "rows"), [(0, 0), (9.9, 0), (10, 2), (60, 2)])
def test_tolerance(source: Path, tolerance: float, rows: int) -> None:
    label(source, timed(1000, "a", 10, 10), timed(1001, "b", 11, 11))
    columns = ColumnMap(tolerance_seconds=tolerance)
    if not rows:
        with pytest.raises(InputError, match="no labelled row"):
            load_source(source, columns=columns)
        return
    assert load_source(source, columns=columns).rows.num_rows == rows


def test_clock_offset_and_unlabelled(source: Path) -> None:
    label(source, timed(1000, "a", -7200, -7200))
    columns = ColumnMap(clock_offset_seconds=7200, unlabelled="background")
    rows = load_source(source, columns=columns).rows
    assert Counter(rows["label"].to_pylist()) == {"a": 1, "background": 3}


def test_without_times_ports_and_protocol_addresses_must_do(source: Path, write_capture) -> None:
    label(source, "10.0.0.2,10.0.0.1,x\n", header="src_ip,dst_ip,label\n")
    rows = load_source(source, least_classes=1).rows
    assert rows["label"].to_pylist() == ["x"] * 4


def test_a_file_column_keeps_captures_apart(source: Path, write_capture) -> None:
    write_capture(source / "sub" / "b.pcap", ports=(1000,))
    header = "file," + HEADER
    label(
        source,
        "a.pcap," + line(1000, "a"),
        "sub/b.pcap," + line(1000, "b"),
        "c.pcap," + line(1, "c"),
        header=header,
    )
    loaded = load_source(source, columns=ColumnMap(where={"label": "*"}))
    found = dict(
        zip(loaded.rows["capture"].to_pylist(), loaded.rows["label"].to_pylist(), strict=True)
    )
    assert found == {"a.pcap": "a", "sub/b.pcap": "b"}
    assert "1 row of labels.csv name no flow." in loaded.warnings


def test_packets_are_labelled_like_flows(source: Path) -> None:
    label(source, timed(1000, "a", 0, 0), timed(1001, "b", 1, 1))
    assert load_source(source, granularity="packet").rows["label"].to_pylist() == ["a", "b"]


def test_the_description_tells_the_classes_and_the_files(source: Path) -> None:
    label(source, timed(1000, "a", 0, 0), timed(1001, "b", 1, 1))
    found = describe_source(source)
    assert (found.label, [c.name for c in found.classes]) == ("labels.csv", ["a", "b"])
    assert source_files(source)[-1] == source / "labels.csv"


@pytest.mark.parametrize(
    "row",
    [
        "nowhere,1,10.0.0.2,53,udp,,,a\n",
        "10.0.0.1,99999,10.0.0.2,53,udp,,,a\n",
        "10.0.0.1,1,10.0.0.2,53,nonsense,,,a\n",
    ],
)
def test_rows_that_name_no_flow(source: Path, row: str) -> None:
    label(source, row, row)
    with pytest.raises(InputError, match="names no flow with a class"):
        load_source(source)


def test_cells() -> None:
    assert (
        address_bytes("1.2.3.4")
        == [*[0] * 10, 255, 255, 1, 2, 3, 4]
        == address_bytes("::ffff:1.2.3.4")
    )
    assert address_bytes("fe80::1%eth0") == address_bytes("fe80::1")
    assert [port_number(t) for t in ("80", "80.0", "0x50", "", "-", "x", "-1", "1e9", "nan")] == [
        80,
        80,
        80,
        0,
        0,
        None,
        None,
        None,
        None,
    ]
    assert [protocol_number(t) for t in ("TCP", "17", "ICMPV6", "", "300", "zzz")] == [
        6,
        17,
        58,
        None,
        None,
        None,
    ]


def test_ndpi_flows_are_joined_to_their_captures(data: Path) -> None:
    folder = data / "ndpi"
    source_label = ColumnMap(where={"confidence": "DPI*"}, label="category")
    loaded = load_source(folder / "pcap", str(folder / "flows.csv"), columns=source_label)
    assert loaded.rows.num_rows > 2_300
    assert any("gives 2," in text for text in loaded.warnings)
    captures = set(loaded.rows["capture"].to_pylist())
    assert len(captures) > 150


def test_every_flow_of_ndpi_has_at_most_one_label(data: Path) -> None:
    loaded = load_source(data / "ndpi", "flows.csv", columns=ColumnMap(unlabelled="?"))
    counts = Counter(loaded.rows["label"].to_pylist())
    assert counts["HTTP"] > 800 and counts["?"] < 50
