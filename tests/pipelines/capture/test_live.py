"""Live streams: pipes and devices read as their bytes come, and how they end."""

import os
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pipelines.capture import CaptureHealth, FlowSettings, read_batches, read_flows
from pipelines.capture import clock as clock_module
from pipelines.capture.clock import PacketClock
from pipelines.capture.flows import flow_tables
from pipelines.capture.live import STANDARD_INPUT, LiveStream, as_file, is_stream, open_stream
from pipelines.errors import InputError

SECOND = 1_000_000_000


@pytest.fixture
def pipe():
    """A LiveStream, what feeds it, and the list that stops it once there is something in it."""
    reading, writing = os.pipe()
    stopped: list[bool] = []
    yield LiveStream(reading, "pipe", stop=lambda: bool(stopped)), writing, stopped
    os.close(reading)


@pytest.fixture
def fifo(tmp_path) -> Path:
    path = tmp_path / "packets"
    os.mkfifo(path)
    return path


@pytest.fixture
def packet(make):
    def packet(time_ns: int, port: int = 1) -> bytes:
        frame = make.ethernet(make.ipv4(make.udp(port, 53, b"x")))
        return make.pcap((time_ns, frame))[24:]

    return packet


def test_it_has_nothing_then_something_then_an_end(pipe):
    stream, writing, _ = pipe
    view = bytearray(10)
    assert stream.readinto(view) is None
    os.write(writing, b"abc")
    assert stream.readinto(view) == 3
    assert view[:3] == b"abc"
    assert stream.readinto(view) is None
    os.close(writing)
    assert stream.readinto(view) == 0
    assert stream.readable()


def test_it_fills_what_it_is_given_and_no_more(pipe):
    stream, writing, _ = pipe
    os.write(writing, b"abcdef")
    view = bytearray(4)
    assert (stream.readinto(view), bytes(view)) == (4, b"abcd")
    assert (stream.readinto(view), bytes(view[:2])) == (2, b"ef")
    os.close(writing)


def test_what_comes_closely_together_is_read_together(pipe):
    stream, writing, _ = pipe

    def feed() -> None:
        for _ in range(5):
            os.write(writing, b"x" * 1_000)
        os.close(writing)

    thread = threading.Thread(target=feed)
    thread.start()
    thread.join()
    assert stream.readinto(bytearray(1 << 20)) == 5_000


def test_once_stopped_it_gives_what_is_there_and_then_ends(pipe):
    stream, writing, stopped = pipe
    os.write(writing, b"abc")
    stopped.append(True)
    assert stream.readinto(bytearray(10)) == 3
    assert stream.readinto(bytearray(10)) == 0
    os.close(writing)


def test_once_stopped_it_ends_though_more_comes_all_the_time(monkeypatch):
    monkeypatch.setattr("pipelines.capture.live.DRAIN_SECONDS", 0.2)
    with open_stream(Path("/dev/zero"), stop=lambda: True) as stream:
        view = bytearray(1_000)
        end = time.monotonic() + 20
        while stream.readinto(view) and time.monotonic() < end:
            pass
        assert stream.readinto(view) == 0


def test_what_a_stream_is(tmp_path, fifo):
    assert is_stream(STANDARD_INPUT)
    assert is_stream(fifo)
    assert is_stream(Path("/dev/zero"))
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for name in ("file", "socket", "absent", "."):
            assert not is_stream(tmp_path / name)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert not is_stream(tmp_path / "loop")


def test_a_fifo_is_opened_before_anybody_writes_to_it(fifo, make, packet):
    """Reading waits for the writer, and opening does not."""
    content = make.pcap() + packet(1) + packet(2)
    with open_stream(fifo) as stream:
        assert stream.name == "packets"
        assert stream.readinto(bytearray(10)) is None
        writer = threading.Thread(target=fifo.write_bytes, args=(content,))
        writer.start()
        health = CaptureHealth()
        counts = [len(batch) for batch in read_batches(stream, health)]
        writer.join()
    assert sum(counts) == 2
    assert (health.file, health.bytes, health.corrupt) == ("packets", len(content), 0)


def test_a_fifo_that_is_stopped_before_anybody_writes_is_empty(fifo):
    with open_stream(fifo, stop=lambda: True) as stream, pytest.raises(InputError, match="empty"):
        list(read_batches(stream, CaptureHealth()))


def test_a_writer_that_dies_in_the_middle_of_a_record(pipe, make, packet):
    stream, writing, _ = pipe
    os.write(writing, make.pcap() + packet(1) + packet(2)[:-5])
    os.close(writing)
    health = CaptureHealth()
    assert sum(map(len, read_batches(stream, health))) == 1
    assert health.corrupt_records[0].reason == "the file ends inside a record"
    assert health.corrupt_records[0].offset == 24 + len(packet(1))


@pytest.mark.parametrize(
    ("path", "words"), [("absent", "No such file"), ("closed", "denied|ENXIO")]
)
def test_a_stream_that_cannot_be_opened_is_refused(tmp_path, path, words):
    if path == "closed" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    os.mkfifo(tmp_path / "closed", 0)
    with pytest.raises(InputError, match=words), open_stream(tmp_path / path):
        pass


def test_packets_come_one_by_one_with_empty_batches_between(pipe, make, packet):
    stream, writing, _ = pipe
    health, told = CaptureHealth(), []
    os.write(writing, make.pcap())
    batches = read_batches(stream, health, progress=lambda *call: told.append(call))
    assert len(next(batches)) == 0
    os.write(writing, packet(1)[:20])
    assert len(next(batches)) == 0
    os.write(writing, packet(1)[20:] + packet(2))
    assert next(batches).time_ns.tolist() == [0, 0]  # microseconds in the file
    assert len(next(batches)) == 0
    os.close(writing)
    assert list(batches) == []
    assert told[-1] == ("reading pipe", 2, None, "packets")


def live_flows(stream, health) -> list[int]:
    settings = FlowSettings(idle_seconds=0.5)
    tables = flow_tables(read_batches(stream, health), settings, health)
    return [port for table in tables for port in table["src_port"].to_pylist()]


def test_a_flow_ends_while_nothing_comes(pipe, make, packet, monkeypatch):
    """A live source: the packet is of now, so time passes although no packet says so."""
    monkeypatch.setattr(clock_module, "DELAY_NS", 0)
    stream, writing, _ = pipe
    os.write(writing, make.pcap() + packet(time.time_ns()))
    health = CaptureHealth()
    settings = FlowSettings(idle_seconds=0.5)
    tables = flow_tables(read_batches(stream, health), settings, health)
    assert next(tables)["src_port"].to_pylist() == [1]  # the pipe is still open
    os.write(writing, packet(time.time_ns(), port=2))
    assert next(tables)["src_port"].to_pylist() == [2]
    os.close(writing)
    assert list(tables) == []


def test_a_file_that_is_piped_slowly_has_the_flows_of_the_file(pipe, make, packet):
    """Packets of 2023 that stall for longer than the idle time are still one flow."""
    stream, writing, _ = pipe
    noon = 1_700_000_000 * SECOND

    def feed() -> None:
        os.write(writing, make.pcap() + packet(noon))
        time.sleep(2)
        os.write(writing, packet(noon + SECOND // 10))
        os.close(writing)

    thread = threading.Thread(target=feed)
    thread.start()
    assert live_flows(stream, CaptureHealth()) == [1]
    thread.join()


class Batch:
    """What the clock needs of a batch."""

    def __init__(self, *times: int) -> None:
        self.time_ns = np.array(times)


def test_the_clock_of_a_live_source_goes_on(monkeypatch):
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 5 * SECOND)
    clock = PacketClock()
    clock.add(Batch(now - 3 * SECOND, now - 2 * SECOND))
    assert clock.now_ns() == now - 2 * SECOND
    monkeypatch.setattr(time, "monotonic_ns", lambda: 15 * SECOND)
    assert clock.now_ns() == now - 2 * SECOND + 9 * SECOND  # less one for buffers
    clock.add(Batch(now - 8 * SECOND))  # late: time never goes back
    assert clock.now_ns() == now - 2 * SECOND


@pytest.mark.parametrize("age", [61, -61, 10**9])
def test_the_clock_of_a_file_stands_still(monkeypatch, age):
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    clock = PacketClock()
    clock.add(Batch(now - age * SECOND))
    later = time.monotonic_ns() + 1_000 * SECOND
    monkeypatch.setattr(time, "monotonic_ns", lambda: later)
    assert clock.now_ns() == now - age * SECOND


def test_flows_of_a_pipe_are_those_of_the_file(tmp_path, make, pipe):
    stream, writing, _ = pipe
    packets = [
        (n * SECOND // 4, make.ethernet(make.ipv4(make.udp(n % 7, 2, bytes(n)))))
        for n in range(200)
    ]
    content = make.pcap(*packets)
    path = tmp_path / "whole.pcap"
    path.write_bytes(content)

    def feed() -> None:
        for start in range(0, len(content), 1_999):
            os.write(writing, content[start : start + 1_999])
        os.close(writing)

    thread = threading.Thread(target=feed)
    thread.start()
    key = lambda row: (row["first_seen_ns"], row["src_port"])  # noqa: E731
    piped = sorted((row for t in read_flows(stream) for row in t.to_pylist()), key=key)
    thread.join()
    assert piped == sorted((row for t in read_flows(path) for row in t.to_pylist()), key=key)


def test_a_stream_as_a_file(fifo, make, packet, tmp_path):
    content, told = make.pcap() + packet(1) * 1_000, []
    writer = threading.Thread(target=fifo.write_bytes, args=(content,))
    writer.start()
    with as_file(fifo, progress=lambda *call: told.append(call)) as path:
        writer.join()
        assert path.name == "packets"
        assert path.read_bytes() == content
    assert not path.exists()
    assert told[-1] == ("copying packets", len(content), None, "bytes")
    with as_file(tmp_path) as same:
        assert same == tmp_path


def test_an_endless_stream_as_a_file_until_it_is_stopped(monkeypatch):
    monkeypatch.setattr("pipelines.capture.live.DRAIN_SECONDS", 0.05)
    with as_file(Path("/dev/zero"), stop=lambda: True) as path:
        assert path.stat().st_size > 0
