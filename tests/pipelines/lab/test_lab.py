"""The lab on disk: what it writes, that it is the same every time, and what it refuses."""

import csv
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import dpkt
import pytest

from pipelines.errors import InputError
from pipelines.generate.scapy_packets import Frame
from pipelines.lab.behaviours import ATTACKS, BEHAVIOURS
from pipelines.lab.lab import LabReport, make_lab, write_pcap
from pipelines.store.files import hash_folder

CLASSES = {
    "web",
    "dns",
    "mail",
    "ssh",
    "backup",
    "scan",
    "brute_force",
    "dns_tunnel",
    "c2_beacon",
    "exfiltration",
}


@pytest.fixture(scope="module")
def steps() -> list[tuple]:
    """What was said of the progress of the lab."""
    return []


@pytest.fixture(scope="module")
def report(tmp_path_factory, steps) -> LabReport:
    """A lab that was made in a folder which was there and empty."""
    folder = tmp_path_factory.mktemp("lab")
    return make_lab(folder, size="tiny", progress=lambda *step: steps.append(step))


def records(path: Path) -> list[tuple[float, bytes]]:
    with path.open("rb") as file:
        return list(dpkt.pcap.Reader(file))


def captures(report: LabReport) -> list[Path]:
    return sorted(report.folder.glob("*/*.pcap"))


def test_five_benign_and_five_attack_classes(report):
    assert set(BEHAVIOURS) == CLASSES
    assert set(ATTACKS) == {"scan", "brute_force", "dns_tunnel", "c2_beacon", "exfiltration"}
    assert set(report.conversations) == CLASSES


def test_every_class_on_every_day(report):
    days = {path.name for path in captures(report)}
    assert days == {"2025-03-03.pcap", "2025-03-04.pcap"}
    assert {(path.parent.name, path.name) for path in captures(report)} == {
        (name, day) for name in CLASSES for day in days
    }
    assert report.captures == len(captures(report)) == 20


def test_the_report_counts_what_is_there(report):
    assert report.packets == sum(len(records(path)) for path in captures(report))
    assert set(report.conversations.values()) == {16}


def test_labels_csv_names_every_capture_and_its_class(report):
    with (report.folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "label"]
    assert {row["file"] for row in rows} == {
        path.relative_to(report.folder).as_posix() for path in captures(report)
    }
    assert all(row["file"].startswith(row["label"] + "/") for row in rows)


def test_readme_says_that_it_is_synthetic(report):
    text = (report.folder / "README.txt").read_text()
    assert text.startswith("Synthetic traffic.")
    assert "seed 0, size tiny" in text
    assert all(name in text for name in CLASSES)
    assert all(len(line) <= 100 for line in text.splitlines())


def test_the_same_seed_gives_the_same_bytes(report, tmp_path):
    again = make_lab(tmp_path / "a new folder", size="tiny", seed=0)
    assert hash_folder(again.folder) == hash_folder(report.folder)


def test_another_seed_gives_other_traffic(report, tmp_path):
    other = make_lab(tmp_path / "other", size="tiny", seed=1)
    ours = {hashlib.sha256(path.read_bytes()).digest() for path in captures(report)}
    theirs = {hashlib.sha256(path.read_bytes()).digest() for path in captures(other)}
    assert not ours & theirs


def test_packets_are_in_order_and_on_their_day(report):
    for path in captures(report):
        times = [time for time, _ in records(path)]
        assert times == sorted(times)
        first, last = (datetime.fromtimestamp(time, UTC) for time in (times[0], times[-1]))
        assert first.date().isoformat() == path.stem
        assert 8 <= first.hour < 18
        assert last.date() == first.date()


def test_every_packet_is_ip_with_tcp_or_udp(report):
    for path in captures(report):
        for _, data in records(path):
            packet = dpkt.ethernet.Ethernet(data).data
            assert isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6)
            assert isinstance(packet.data, dpkt.tcp.TCP | dpkt.udp.UDP)
            if isinstance(packet, dpkt.ip.IP):
                assert packet.len == len(data) - 14
                assert dpkt.in_cksum(data[14:34]) == 0


def test_both_versions_of_ip_occur(report):
    kinds = {
        type(dpkt.ethernet.Ethernet(data).data) for p in captures(report) for _, data in records(p)
    }
    assert kinds == {dpkt.ip.IP, dpkt.ip6.IP6}


def test_no_message_with_content_of_its_own_is_replayed(report):
    """Version lines and empty greetings recur in real traffic; anything longer is drawn anew."""
    seen: set[bytes] = set()
    for path in captures(report):
        for _, data in records(path):
            packet = dpkt.ethernet.Ethernet(data).data
            payload = bytes(packet.data.data)
            if len(payload) > 40:
                assert payload not in seen
                seen.add(payload)
    assert len(seen) > 500


def test_pcap_bytes(tmp_path):
    write_pcap(tmp_path / "x" / "a.pcap", [Frame(1_700_000_000_000_007, b"\xaa\xbb\xcc")])
    assert (tmp_path / "x" / "a.pcap").read_bytes() == bytes.fromhex(
        "d4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000000"
        "00f15365 07000000 03000000 03000000 aabbcc"
    )


def test_progress_rises_to_its_total(report, steps):
    assert steps[0] == ("making captures", 0, 20, "captures")
    assert [step[1] for step in steps] == list(range(21))


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match=re.escape(f"{tmp_path} is not empty")):
        make_lab(tmp_path, size="tiny")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "lab").write_text("a file")
    with pytest.raises(InputError, match="is not empty"):
        make_lab(tmp_path / "lab", size="tiny")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        make_lab(tmp_path / "file" / "lab", size="tiny")


def test_an_unknown_size_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no lab of size 'huge'.*tiny, small, large"):
        make_lab(tmp_path / "lab", size="huge")
    assert not (tmp_path / "lab").exists()


def test_a_failure_leaves_nothing_behind(tmp_path):
    def stop(*step):
        if step[1] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_lab(tmp_path / "lab", size="tiny", progress=stop)
    assert list(tmp_path.iterdir()) == []
