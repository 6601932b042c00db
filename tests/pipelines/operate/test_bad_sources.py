"""Bad sources: for flows and for packets, all that can be read is judged and the rest is told."""

import os
import socket
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.capture import CaptureHealth
from pipelines.errors import InputError
from pipelines.operate.detect import detect
from pipelines.operate.detector import Detector, package

REPOSITORY = Path(__file__).resolve().parents[3]
GIB = 1 << 30
NOON = 1_700_000_000 * 10**6


@pytest.fixture(params=["flow", "packet"])
def either(request, tmp_path, fitted, info) -> Detector:
    """A detector of flows, and one of packets."""
    model = fitted("majority", request.param)
    package(tmp_path / "model", model, info.model_copy(update={"granularity": request.param}))
    return Detector.load(tmp_path / "model")


@pytest.fixture
def sources(tmp_path) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    return folder


@pytest.fixture
def frame(frames) -> bytes:
    return frames["udp"]("10.0.0.1", 1, "10.0.0.2", 53, b"x")


def judged(detector: Detector, source: Path) -> tuple[int, list[CaptureHealth], list[str]]:
    """How many packets the records speak of, the health records, the warnings."""
    health: list[CaptureHealth] = []
    warnings: list[str] = []
    packets = 0
    for record in detect(detector, source, health=health, warnings=warnings):
        flow = record.get("flow", {"pkts_toserver": 1, "pkts_toclient": 0})
        packets += flow["pkts_toserver"] + flow["pkts_toclient"]
    return packets, health, warnings


def test_a_length_of_gigabytes(either, write_capture, frame):
    path = write_capture([(NOON, frame), (NOON + 1, frame)])
    with path.open("ab") as file:
        file.write(struct.pack("<IIII", 0, 0, 3 * GIB, 3 * GIB) + bytes(100))
    packets, (health,), _ = judged(either, path)
    assert (packets, health.packets, health.corrupt) == (2, 2, 1)


def test_packets_of_no_bytes(either, write_capture, frame):
    packets, (health,), _ = judged(either, write_capture([(NOON, b""), (NOON, frame), (NOON, b"")]))
    assert (packets, health.packets, health.decoded) == (1, 3, 1)


def test_a_packet_of_the_greatest_length(either, write_capture, frames):
    big = frames["udp"]("10.0.0.1", 1, "10.0.0.2", 53, bytes(65_000))
    packets, (health,), _ = judged(either, write_capture([(NOON, big)] * 200))
    assert (packets, health.corrupt) == (200, 0)


def test_time_that_runs_backwards(either, write_capture, frame):
    path = write_capture([(NOON - n * 10**7, frame) for n in range(300)])
    assert judged(either, path)[0] == 300


def test_files_without_packets_torn_ones_and_texts(either, sources, write_capture, frame):
    sound = write_capture([(NOON, frame)]).read_bytes()
    for name, content in (
        ("a.pcap", b""),
        ("b.pcap", sound),
        ("c.pcap", sound[:24]),
        ("d.pcap", sound[:20]),
        ("e.pcap", sound[:-1]),
        ("f.pcap", b"a text that is called a capture"),
        ("g.pcap.zst", bytes.fromhex("28b52ffd2000010000")),
        ("h.pcap.gz", b"\x1f\x8b"),
    ):
        (sources / name).write_bytes(content)
    packets, health, warnings = judged(either, sources)
    assert packets == 1
    assert {record.file: record.packets for record in health} == {
        f"{name}": int(name == "b.pcap")
        for name in ("a.pcap", "b.pcap", "c.pcap", "d.pcap", "e.pcap", "f.pcap")
    } | {"g.pcap.zst": 0, "h.pcap.gz": 0}
    refused = {warning.split(" ")[0] for warning in warnings}
    assert refused == {"a.pcap", "d.pcap", "f.pcap", "g.pcap.zst", "h.pcap.gz"}


def test_a_folder_of_many_tiny_captures(either, sources, write_capture, frame):
    content = write_capture([(NOON, frame)]).read_bytes()
    for number in range(1_000):
        (sources / f"host{number:04}.pcap").write_bytes(content)
    names = Counter(record["pcap_filename"] for record in detect(either, sources))
    assert names == {f"host{number:04}.pcap": 1 for number in range(1_000)}


def test_a_rotation_is_one_capture(either, sources, write_capture, frame):
    """A flow that crosses files is one flow; a packet is named by its own file."""
    for number in range(5):
        times = [NOON + (3 * number + n) * 10**6 for n in range(3)]
        content = write_capture([(time, frame) for time in times]).read_bytes()
        (sources / f"day_0000{number + 1}_2023111422130{number}.pcap").write_bytes(content)
    health: list[CaptureHealth] = []
    names = Counter(r["pcap_filename"] for r in detect(either, sources, health=health))
    if either.manifest.granularity == "flow":
        assert names == {"day_00001_20231114221300.pcap": 1}
    else:
        assert sorted(names.values()) == [3] * 5
    assert len(health) == 1
    assert health[0].packets == 15
    assert [part.packets for part in health[0].files] == [3] * 5


def test_a_rotation_with_a_torn_and_an_empty_file(either, sources, write_capture, frame):
    contents = [
        write_capture([(NOON + n * 10**6, frame) for n in range(start, start + 4)]).read_bytes()
        for start in (0, 4, 8)
    ]
    (sources / "a.pcap").write_bytes(contents[0])
    (sources / "a.pcap1").write_bytes(contents[1][:-3])
    (sources / "a.pcap2").write_bytes(contents[2])
    (sources / "a.pcap3").write_bytes(contents[2][:24])
    packets, health, warnings = judged(either, sources)
    assert packets == 11
    assert [(record.file, record.packets, record.corrupt) for record in health] == [
        ("a.pcap", 11, 1),
        ("a.pcap3", 0, 0),
    ]
    assert health[0].corrupt_records[0].reason == "a.pcap1: the file ends inside a record"
    assert warnings == []


def test_a_socket_a_fifo_and_loops_in_a_folder_are_left_alone(
    either, sources, write_capture, frame
):
    (sources / "a.pcap").write_bytes(write_capture([(NOON, frame)]).read_bytes())
    os.mkfifo(sources / "b.pcap")
    (sources / "loop.pcap").symlink_to(sources / "loop.pcap")
    (sources / "up").symlink_to(sources, target_is_directory=True)
    (sources / "zero.pcap").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(sources / "s.pcap"))
        packets, health, warnings = judged(either, sources)
    assert (packets, len(health)) == (1, 1)
    assert "loop.pcap" in warnings[0]
    assert "zero.pcap" in warnings[0]


@pytest.mark.parametrize("name", ["fifo", "socket", "loop", "/dev/zero", "/dev/null"])
def test_what_is_no_file_is_refused_without_waiting(either, sources, name):
    os.mkfifo(sources / "fifo")
    (sources / "loop").symlink_to(sources / "loop")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(sources / "socket"))
        with pytest.raises(InputError, match="There is no capture at"):
            judged(either, sources / name)


AS_AN_ORDINARY_USER = """
import os, sys
from pathlib import Path
from pipelines.errors import InputError
from pipelines.operate.detect import detect
from pipelines.operate.detector import Detector
detector, folder = Detector.load(Path(sys.argv[1])), Path(sys.argv[2])
warnings = []
os.seteuid(65534)
print(len(list(detect(detector, folder, warnings=warnings))))
print(*warnings)
for name in ("closed", "secret.pcap"):
    try: print(len(list(detect(detector, folder / name))))
    except InputError as error: print(error.message)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_folders_and_files_without_permission(open_folder, plain, info, write_capture, frame):
    if os.geteuid() != 0:
        pytest.skip("only root can become an ordinary user")
    content = write_capture([(NOON, frame)]).read_bytes()
    package(open_folder / "model", plain, info)
    sources = open_folder / "sources"
    (sources / "closed").mkdir(parents=True)
    for name in ("a.pcap", "secret.pcap", "closed/b.pcap"):
        (sources / name).write_bytes(content)
    (sources / "secret.pcap").chmod(0)
    (sources / "closed").chmod(0)
    ended = subprocess.run(
        [sys.executable, "-c", AS_AN_ORDINARY_USER, open_folder / "model", sources],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    told = ended.stdout.splitlines()
    assert told[0] == "1", ended.stderr
    assert "secret.pcap" in told[1]
    assert "closed" in told[1]
    assert "closed" in told[2]
    assert "secret.pcap" in told[3]
