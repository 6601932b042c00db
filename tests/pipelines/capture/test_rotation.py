"""Rotating captures: which files belong together, in which order, and that no flow is cut."""

import gzip
from pathlib import Path

import pytest

from pipelines.capture import CaptureHealth, read_batches, read_flows, read_packet_rows
from pipelines.capture.rotation import find_rotation, first_time
from pipelines.errors import InputError

SECOND = 1_000_000_000
NOON = 1_706_702_400 * SECOND  # 2024-01-31, 12:00


@pytest.fixture
def packet(make):
    """The packet of a flow, by the number of seconds after noon when it comes."""

    def packet(second: int, port: int = 1) -> tuple[int, bytes]:
        return NOON + second * SECOND, make.ethernet(make.ipv4(make.udp(port, 53, b"x")))

    return packet


@pytest.fixture
def files(tmp_path, make, packet):
    """Write a capture of one packet a second under each name, and return their paths."""

    def files(*names: str) -> list[Path]:
        for second, name in enumerate(names):
            content = make.pcap(packet(second))
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            packed = gzip.compress(content) if name.endswith(".gz") else content
            (tmp_path / name).write_bytes(packed)
        return [tmp_path / name for name in names]

    return files


@pytest.mark.parametrize(
    "names",
    [
        ("web_00001_20240131120000.pcapng", "web_00002_20240131130000.pcapng"),
        ("web_20240131120000_00001.pcapng", "web_20240131130000_00002.pcapng"),
        ("web_00009_20240131120000.pcap.gz", "web_00010_20240131130000.pcap"),
        ("web_99999_20240131120000.pcap", "web_100000_20240131130000.pcap"),
        ("web.pcap", "web.pcap1", "web.pcap2", "web.pcap10"),
        ("web.pcap00", "web.pcap01", "web.pcap02"),
        ("web.pcap1.gz", "web.pcap2.zst", "web.pcap3"),
        ("web-2024-01-31_12:00:00.pcap", "web-2024-01-31_12:05:00.pcap"),
        ("20240131120000.pcap", "20240131120500.pcap"),
        ("web-20240131-1200.pcap", "web-20240131-1205.pcap"),
        ("2024-01-31T12.00.00-eth0.pcap", "2024-01-31T12.00.30-eth0.pcap"),
        ("web-20240131120000.pcap", "web-20240131120000.pcap1", "web-20240131120500.pcap"),
        ("log.pcap.1706702400", "log.pcap.1706702460"),
        ("log.1.1706702400.pcap", "log.1.1706702460.pcap"),
    ],
)
def test_names_of_capturing_programs(files, names):
    paths = files(*(name for name in names))
    for path in paths:
        if path.suffix == ".zst":
            path.write_bytes(path.read_bytes())  # known by content, whatever the suffix says
    assert find_rotation(reversed(paths)) == [paths]


@pytest.mark.parametrize(
    "names",
    [
        ("web.pcap", "mail.pcap"),
        ("web1.pcap", "web2.pcap"),
        ("2025-03-03.pcap", "2025-03-04.pcap"),
        ("web.pcap", "web.pcapng"),
        ("a/web.pcap", "b/web.pcap1"),
        ("a_00001_20240131120000.pcap", "b_00002_20240131130000.pcap"),
        ("web-20240131120000.pcap", "mail-20240131120000.pcap"),
        ("web-99999999999999.pcap", "web-99999999999998.pcap"),
        ("eth0-20240131120000.pcap", "eth1-20240131120500.pcap"),
        ("CTU-42.pcap", "CTU-43.pcap"),
        ("trace1", "trace2"),
        # the packets are of 2024-01-31
        ("id-1234567890.pcap", "id-1987654321.pcap"),
        ("web_00001_20230131120000.pcap", "web_00002_20230131130000.pcap"),
        ("web-20240231120000.pcap", "web-20240230120000.pcap"),
    ],
)
def test_names_that_only_look_alike(files, names):
    paths = files(*names)
    assert find_rotation(paths) == [[path] for path in paths]


def test_a_ring_begins_where_its_oldest_packet_is(files):
    third, first, second = "ring.pcap0", "ring.pcap1", "ring.pcap2"
    paths = files(first, second, third)
    assert find_rotation(sorted(paths)) == [paths]


def test_captures_come_in_the_order_of_their_first_files(files):
    paths = files("b.pcap", "a.pcap", "b.pcap1", "a.pcap1", "c.pcap")
    assert find_rotation(paths) == [[paths[0], paths[2]], [paths[1], paths[3]], [paths[4]]]
    assert find_rotation([]) == []


def test_files_without_packets_are_on_their_own(files, make):
    paths = files("a.pcap", "a.pcap1", "a.pcap2", "a.pcap3", "a.pcap4")
    paths[1].write_bytes(b"")
    paths[2].write_bytes(make.pcap())
    paths[3].unlink()
    assert find_rotation(paths) == [[paths[0], paths[4]], [paths[1]], [paths[2]], [paths[3]]]


def test_names_may_be_in_local_time(files):
    paths = files("web-20240130235900.pcap", "web-20240201020000.pcap")
    assert find_rotation(paths) == [paths]
    paths = files("log-20240130080000.pcap", "log-20240201160000.pcap")
    assert find_rotation(paths) == [[paths[0]], [paths[1]]]


def test_a_file_that_is_not_of_its_moment_is_on_its_own(files):
    paths = files("web-20240131120000.pcap", "web-20220131120500.pcap", "web-20240131121000.pcap")
    assert find_rotation(paths) == [[paths[0], paths[2]], [paths[1]]]


def test_equal_times_are_ordered_by_name(tmp_path, make, packet):
    paths = [tmp_path / f"a.pcap{n or ''}" for n in (0, 1, 2, 10)]
    for path in paths:
        path.write_bytes(make.pcap(packet(0)))
    assert find_rotation(sorted(paths, reverse=True)) == [paths]


def test_first_time(tmp_path, make, packet):
    path = tmp_path / "a.pcap"
    path.write_bytes(make.pcap((NOON, bytes(60_000)), packet(1)))
    assert first_time(path) == NOON
    path.write_bytes(b"text, and more of it than a header")
    assert first_time(path) is None
    assert first_time(tmp_path) is None


def test_a_flow_goes_on_in_the_next_file(tmp_path, make, packet):
    """Cut anywhere, files give the flows of the whole."""
    packets = [packet(second, port=second % 3 + 1) for second in range(30)]
    whole = tmp_path / "whole.pcap"
    whole.write_bytes(make.pcap(*packets))
    paths = []
    for number, (start, stop) in enumerate([(0, 7), (7, 8), (8, 30)]):
        paths.append(tmp_path / f"cut.pcap{number}")
        paths[-1].write_bytes(make.pcap(*packets[start:stop]))
    for read in (read_flows, read_packet_rows):
        expected = [row for table in read(whole) for row in table.to_pylist()]
        assert [row for table in read(paths) for row in table.to_pylist()] == expected
        assert len(expected) == (3 if read is read_flows else 30)


def test_each_file_has_a_health_record_and_they_add_up(tmp_path, make, packet):
    paths = [tmp_path / f"a.pcap{n}" for n in range(4)]
    arp = (NOON, make.ethernet(bytes(28), 0x0806))
    paths[0].write_bytes(make.pcap(packet(0), arp))
    paths[1].write_bytes(make.pcap(packet(1), packet(2))[:-3])
    paths[2].write_bytes(b"")
    paths[3].write_bytes(make.pcap(packet(9), arp, wire=10))
    health, calls = CaptureHealth(), []
    batches = list(read_batches(paths, health, progress=lambda *call: calls.append(call)))
    assert sum(map(len, batches)) == health.packets == 5
    assert [part.file for part in health.files] == [path.name for path in paths]
    assert [part.packets for part in health.files] == [2, 1, 0, 2]
    assert [part.bytes for part in health.files] == [path.stat().st_size for path in paths]
    assert health.bytes == sum(path.stat().st_size for path in paths)
    assert health.skipped == {"not IP (0x0806)": 2}
    assert (health.first_ns, health.last_ns) == (NOON, NOON + 9 * SECOND)
    assert (health.file, health.format, health.truncated) == ("a.pcap0", "pcap", 2)
    assert health.link_types == {1: 5}
    assert [(each.offset, each.reason) for each in health.corrupt_records] == [
        (24 + 16 + 43, "a.pcap1: the file ends inside a record"),
        (0, "a.pcap2: a.pcap2 is empty."),
    ]
    assert health.corrupt == 2
    assert calls[-1] == ("reading a.pcap0", 4, 4, "files")


def test_many_corrupt_records_of_a_file_are_all_counted(tmp_path, make, packet):
    path = tmp_path / "a.pcapng"
    path.write_bytes(make.section() + make.enhanced(1, b"x") * 300)
    health = CaptureHealth()
    assert list(read_batches([path, path], health)) == []
    assert (health.corrupt, len(health.corrupt_records)) == (600, 100)


def test_files_of_which_none_is_a_capture_are_refused(tmp_path):
    paths = [tmp_path / "a.pcap", tmp_path / "a.pcap1"]
    paths[0].write_bytes(b"no capture at all, but a text")
    health = CaptureHealth()
    with pytest.raises(InputError, match=r"a\.pcap1 cannot be read"):
        list(read_batches(paths, health))
    assert [part.corrupt for part in health.files] == [1, 1]


def test_a_reader_that_stops_has_the_health_of_what_it_read(tmp_path, make, packet):
    paths = [tmp_path / "a.pcap", tmp_path / "a.pcap1"]
    for second, path in enumerate(paths):
        path.write_bytes(make.pcap(packet(second)))
    health = CaptureHealth()
    batches = read_batches(paths, health)
    next(batches)
    batches.close()
    assert (health.packets, len(health.files)) == (1, 1)
