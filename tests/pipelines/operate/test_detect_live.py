"""Detection on streams and interfaces: every flow gets its verdict, as soon as it ends."""

import gzip
import json
import os
import socket
import threading
import time
from ctypes.util import find_library
from pathlib import Path

import pytest
import zstandard

from pipelines.capture import CaptureHealth, FlowSettings
from pipelines.capture import clock as clock_module
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.sources import load_source
from pipelines.errors import InputError
from pipelines.models.fitting import fit_rows
from pipelines.operate.detect import detect
from pipelines.operate.detect_live import detect_interface, detect_stream
from pipelines.operate.detector import Detector, package
from pipelines.operate.eve import eve_line


@pytest.fixture
def capture(lab) -> Path:
    """One day of the lab's web traffic."""
    return lab / "web" / "2025-03-04.pcap"


@pytest.fixture
def fifo(tmp_path) -> Path:
    os.mkfifo(tmp_path / "packets")
    return tmp_path / "packets"


@pytest.fixture
def quick(tmp_path, plain, info) -> Detector:
    """A detector whose flows end after half a second of silence."""
    settings = FlowSettings(idle_seconds=0.5)
    package(tmp_path / "quick", plain, info.model_copy(update={"settings": settings}))
    return Detector.load(tmp_path / "quick")


def feed(fifo: Path, content: bytes, step: int = 1 << 16) -> threading.Thread:
    def write() -> None:
        with fifo.open("wb", buffering=0) as file:
            for start in range(0, len(content), step):
                file.write(content[start : start + step])

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def sorted_lines(records) -> list[str]:
    return sorted(eve_line(record) for record in records)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
@pytest.mark.parametrize("step", [1_111, 1 << 16])
def test_a_pipe_gives_the_verdicts_of_the_file(detector, capture, fifo, pack, step):
    thread = feed(fifo, pack(capture.read_bytes()), step)
    health = CaptureHealth()
    piped = sorted_lines(detect_stream(detector, fifo, health=health))
    thread.join()
    assert piped == sorted_lines(detect(detector, capture))
    assert (health.file, health.corrupt) == ("packets", 0)


def test_a_pipe_of_flows_whose_features_are_derived(lab, capture, fifo, tmp_path, info):
    """Pieces of a pipe end in other places than those of a file."""
    ratio = "ratio(src2dst_bytes, dst2src_bytes)"
    rows = load_source(lab, "folder", "flow").rows
    model = fit_rows("logistic_regression", rows, DEFAULT_MASKS, 0, features=[ratio])
    package(tmp_path / "derived", model, info)
    detector = Detector.load(tmp_path / "derived")
    thread = feed(fifo, capture.read_bytes(), 1_111)
    piped = sorted_lines(detect_stream(detector, fifo, health=CaptureHealth()))
    thread.join()
    assert piped == sorted_lines(detect(detector, capture))
    plain = fit_rows("logistic_regression", rows, DEFAULT_MASKS, 0)
    package(tmp_path / "plain", plain, info)
    assert piped != sorted_lines(detect(Detector.load(tmp_path / "plain"), capture))


def test_packets_of_a_pipe(packet_detector, capture, fifo):
    thread = feed(fifo, capture.read_bytes())
    piped = [eve_line(r) for r in detect_stream(packet_detector, fifo, health=CaptureHealth())]
    thread.join()
    assert piped == [eve_line(record) for record in detect(packet_detector, capture)]


def test_the_verdict_of_a_packet_comes_before_the_next_packet(
    packet_detector, write_capture, frames, fifo
):
    now = time.time_ns() // 1_000
    content = write_capture(
        [(now + n, frames["udp"]("10.0.0.1", 1, "10.0.0.2", 53, b"x")) for n in range(3)]
    ).read_bytes()
    first, rest = content[: 24 + 16 + 43], content[24 + 16 + 43 :]
    descriptor = os.open(fifo, os.O_RDWR)
    os.write(descriptor, first)
    records = detect_stream(packet_detector, fifo, health=CaptureHealth())
    assert next(records)["src_port"] == 1
    os.write(descriptor, rest)
    os.close(descriptor)
    assert len(list(records)) == 2


def test_the_verdict_of_a_flow_comes_when_it_falls_silent(
    quick, write_capture, frames, fifo, monkeypatch
):
    monkeypatch.setattr(clock_module, "DELAY_NS", 0)
    frame = frames["udp"]("10.0.0.1", 1, "10.0.0.2", 53, b"x")
    content = write_capture([(time.time_ns() // 1_000, frame)]).read_bytes()
    descriptor = os.open(fifo, os.O_RDWR)  # held open: the stream does not end
    os.write(descriptor, content)
    records = detect_stream(quick, fifo, health=CaptureHealth())
    assert next(records)["flow"]["pkts_toserver"] == 1
    os.close(descriptor)
    assert list(records) == []


def test_stopped_open_flows_end_and_none_is_lost(detector, capture, fifo):
    descriptor = os.open(fifo, os.O_RDWR)
    content = capture.read_bytes()[: 24 + 16]
    content += capture.read_bytes()[24 + 16 : 60_000]
    os.write(descriptor, content)
    health = CaptureHealth()
    records = list(detect_stream(detector, fifo, health=health, stop=lambda: True))
    os.close(descriptor)
    packets = sum(r["flow"]["pkts_toserver"] + r["flow"]["pkts_toclient"] for r in records)
    assert packets == health.packets > 50


def test_a_writer_that_dies_in_the_middle_of_a_record(detector, capture, fifo):
    thread = feed(fifo, capture.read_bytes()[:50_001])
    health = CaptureHealth()
    assert list(detect_stream(detector, fifo, health=health))
    thread.join()
    assert health.corrupt_records[0].reason == "the file ends inside a record"


def test_progress_counts_packets_without_an_end(detector, capture, fifo):
    told: list[tuple] = []
    thread = feed(fifo, capture.read_bytes())
    health = CaptureHealth()
    list(detect_stream(detector, fifo, health=health, progress=lambda *step: told.append(step)))
    thread.join()
    assert told[-1] == ("reading packets", health.packets, None, "packets")


@pytest.mark.parametrize(
    ("path", "words"),
    [("/dev/zero", "zero is no capture"), ("/dev/null", "null is empty"), ("absent", "No such")],
)
def test_what_is_no_capture_is_refused(detector, path, words):
    with pytest.raises(InputError, match=words):
        list(detect_stream(detector, Path(path), health=CaptureHealth()))


def test_a_detector_of_tables_reads_nothing_live(tmp_path, plain, info, fifo):
    package(tmp_path / "table", plain, info.model_copy(update={"granularity": "table"}))
    detector = Detector.load(tmp_path / "table")
    for records in (
        detect_stream(detector, fifo, health=CaptureHealth()),
        detect_interface(detector, "lo", health=CaptureHealth()),
    ):
        with pytest.raises(InputError, match="This detector reads tables"):
            next(records)


@pytest.fixture
def root() -> None:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except (PermissionError, AttributeError) as error:
        pytest.skip(f"capturing is not possible here: {error}")


@pytest.fixture
def filters(root) -> None:
    if find_library("pcap") is None:
        pytest.skip("filters of an interface are compiled by libpcap, which is not installed")


@pytest.fixture
def echo():
    """Send a datagram to a port of loopback and wait until it came; and that port."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        sender.connect(receiver.getsockname())

        def send() -> None:
            sender.send(b"x")
            receiver.recv(10)

        yield send, receiver.getsockname()[1]


def test_flows_of_an_interface(filters, quick, echo):
    """One while the interface is still listened to, one that is open when that ends."""
    send, port = echo
    stopped: list[bool] = []
    health = CaptureHealth()
    records = detect_interface(
        quick, "lo", bpf=f"udp port {port}", seconds=60, health=health, stop=lambda: bool(stopped)
    )
    beat = threading.Timer(0.5, send)
    beat.start()
    record = json.loads(eve_line(next(records)))
    assert (record["dest_port"], record["proto"], record["src_ip"]) == (port, "UDP", "127.0.0.1")
    assert record["ml"]["detector"] == "lab"
    send()
    stopped.append(True)
    assert len(list(records)) == 1
    assert (health.packets, health.dropped, health.format) == (2, 0, "live")
    beat.join()


def test_packets_of_an_interface(filters, packet_detector, echo):
    send, port = echo
    threading.Timer(0.5, lambda: [send() for _ in range(5)]).start()
    records = detect_interface(
        packet_detector,
        "lo",
        bpf=f"udp port {port}",
        packets=5,
        seconds=60,
        health=CaptureHealth(),
    )
    assert [record["dest_port"] for record in records] == [port] * 5


@pytest.mark.parametrize(
    ("interface", "bpf", "words"),
    [
        ("nowhere0", None, "Cannot capture: there is no interface 'nowhere0'"),
        ("lo", "udp prot", "Cannot capture: the filter 'udp prot' cannot be used"),
    ],
)
def test_an_interface_that_cannot_be_captured_on(root, quick, interface, bpf, words):
    with pytest.raises(InputError, match=words):
        list(detect_interface(quick, interface, bpf=bpf, health=CaptureHealth()))
