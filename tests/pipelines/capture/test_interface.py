"""Live interfaces: loopback traffic that the tests make themselves, captured as root."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from scapy.error import Scapy_Exception

from pipelines.capture import CaptureHealth
from pipelines.capture.decode import Decoder
from pipelines.capture.interface import frames_of, interface_frames
from pipelines.errors import InputError
from pipelines.generate.scapy_packets import CaptureSocket

# Each test has a port of its own, so that packets of another never count.
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def root() -> None:
    try:
        CaptureSocket("lo", "udp").close()  # a filter takes libpcap
    except (PermissionError, ValueError, OSError) as error:
        pytest.skip(f"capturing on loopback is not possible here: {error}")


@pytest.fixture
def udp():
    """What sends a datagram on loopback and waits until it came, and the port that it goes to."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        sender.connect(receiver.getsockname())

        def send(data: bytes) -> None:
            sender.send(data)
            assert receiver.recv(2_000) == data

        yield send, receiver.getsockname()[1]


def capture(source: CaptureSocket, health: CaptureHealth, **options) -> list:
    decoder = Decoder()
    return [
        decoder.decode(some, health) for some in interface_frames(source, "lo", health, **options)
    ]


def test_frames_of_packets_in_memory(make):
    packets = [
        (make.ethernet(make.ipv4(make.udp(1, 2, b"x" * size), protocol=17)), 1_000 + size)
        for size in range(4)
    ]
    frames = frames_of(packets, 1, offset=100)
    health = CaptureHealth()
    batch = Decoder().decode(frames, health)
    assert batch.payload_length.tolist() == [0, 1, 2, 3]
    assert batch.time_ns.tolist() == [1_000, 1_001, 1_002, 1_003]
    assert batch.captured_length.tolist() == batch.wire_length.tolist() == [42, 43, 44, 45]
    assert batch.record_offset.tolist() == [100, 142, 185, 229]
    assert (health.packets, health.decoded) == (4, 4)


def test_frames_of_nothing():
    health = CaptureHealth()
    assert len(Decoder().decode(frames_of([], 1), health)) == 0
    assert (health.packets, health.first_ns) == (0, None)


def test_a_filter_that_cannot_be_used_leaves_no_socket_open(monkeypatch):
    """Not even as long as its error lives, which holds on to what was half made."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except (PermissionError, AttributeError) as error:
        pytest.skip(f"capturing is not possible here: {error}")

    def refuse(*_: object) -> None:
        raise Scapy_Exception("no such filter")

    monkeypatch.setattr("scapy.arch.linux.attach_filter", refuse)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ValueError, match="no such filter") as caught:
        CaptureSocket("lo", "udp")
    assert os.listdir("/proc/self/fd") == before, caught


def test_every_datagram_is_captured_once_and_whole(root, udp):
    send, port = udp
    before = time.time_ns()
    with CaptureSocket("lo", f"udp port {port}") as source:
        assert source.link_type == 1
        for number in range(300):
            send(f"{number:05}".encode())
        health = CaptureHealth()
        batches = capture(source, health, packets=300, seconds=20)
    assert (health.packets, health.decoded, health.dropped) == (300, 300, 0)
    assert (health.file, health.format) == ("lo", "live")
    payloads = [
        batch.buffer[start : start + 5].tobytes()
        for batch in batches
        for start in batch.payload_offset.tolist()
    ]
    assert payloads == [f"{number:05}".encode() for number in range(300)]
    times = np.concatenate([batch.time_ns for batch in batches])
    minute = 60 * 10**9  # a clock may be set while packets come
    assert before - minute < times.min() <= times.max() <= time.time_ns() + minute


def test_a_tcp_connection_has_both_directions(root):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with CaptureSocket("lo", f"tcp port {port}") as source:
            with socket.create_connection(("127.0.0.1", port)) as client:
                accepted, _ = server.accept()
                client.sendall(b"question")
                accepted.recv(100)
                accepted.sendall(b"answer")
                client.recv(100)
                accepted.close()
            health = CaptureHealth()
            batches = capture(source, health, seconds=1)
    flags = [flag for batch in batches for flag in batch.tcp_flags.tolist()]
    assert flags[:3] == [0x02, 0x12, 0x10]
    assert {p for b in batches for p in b.dst_port.tolist()} >= {port}
    assert {p for b in batches for p in b.src_port.tolist()} >= {port}
    assert sum(bool(flag & 1) for flag in flags) == 2


def test_it_takes_no_more_packets_than_asked_for(root, udp):
    send, port = udp
    with CaptureSocket("lo", f"udp port {port}") as source:
        for _ in range(50):
            send(b"x")
        health = CaptureHealth()
        capture(source, health, packets=7)
    assert health.packets == 7


def test_nothing_comes_and_time_is_told(root, udp):
    _, port = udp
    health, told = CaptureHealth(), []
    with CaptureSocket("lo", f"udp port {port}") as source:
        batches = capture(source, health, seconds=0.6, progress=lambda *call: told.append(call))
    assert [len(batch) for batch in batches] == [0] * len(batches)
    assert len(batches) >= 2
    assert told[-1] == ("listening on lo", 0, None, "packets")


def test_it_stops_when_told(root, udp):
    _, port = udp
    stopped: list[bool] = []
    with CaptureSocket("lo", f"udp port {port}") as source:
        threading.Timer(0.3, stopped.append, [True]).start()
        capture(source, CaptureHealth(), stop=lambda: bool(stopped))
    assert stopped


def test_what_the_system_drops_is_counted(root, udp):
    """A buffer for a few packets, and nobody who reads while hundreds come."""
    send, port = udp
    with CaptureSocket("lo", f"udp port {port}") as source:
        source._socket.ins.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        for _ in range(500):
            send(bytes(1_000))
        health = CaptureHealth()
        capture(source, health, seconds=0.6)
    assert health.dropped > 0
    assert health.packets + health.dropped == 500
    assert health.to_json()["dropped"] == health.dropped


@pytest.mark.parametrize("how", ["stop", "seconds"])
def test_what_waits_at_the_end_is_taken(root, udp, how):
    """Stopped before the first look: what had come by then counts."""
    send, port = udp
    with CaptureSocket("lo", f"udp port {port}") as source:
        for _ in range(200):
            send(b"x")
        health = CaptureHealth()
        limit = {"stop": lambda: True} if how == "stop" else {"seconds": 0}
        capture(source, health, **limit)
    assert health.packets == 200


def test_what_comes_after_the_end_is_not_waited_for(root, udp):
    """A source that never falls silent is left at the first packet that came too late."""
    send, port = udp
    with CaptureSocket("lo", f"udp port {port}") as source:
        health = CaptureHealth()
        frames = interface_frames(source, "lo", health, stop=lambda: True)
        send(b"in time")
        assert len(next(frames).start) == 1
        send(b"too late")
        assert list(frames) == []


@pytest.mark.parametrize(
    ("interface", "bpf", "words"),
    [
        ("nowhere0", None, "there is no interface 'nowhere0'; there are .*lo"),
        ("lo", "udp prot 9", "the filter 'udp prot 9' cannot be used: .*syntax error"),
        ("lo", "host :::", "the filter"),
    ],
)
def test_what_cannot_be_captured_on(root, interface, bpf, words):
    with pytest.raises(ValueError, match=words):
        CaptureSocket(interface, bpf)


def test_without_the_right_to_capture(tmp_path):
    """As an ordinary user, in a process of its own."""
    script = (
        "import os; os.setgid(65534); os.setuid(65534)\n"
        "from pipelines.generate.scapy_packets import CaptureSocket\n"
        "try: CaptureSocket('lo')\n"
        "except PermissionError: print('refused')\n"
    )
    if os.geteuid() != 0:
        pytest.skip("only root can become an ordinary user")
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import pipelines.generate.scapy_packets, scapy.layers.l2\n{script}",
        ],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert ended.stdout == "refused\n", ended.stderr


IN_A_NETWORK_OF_ITS_OWN = """
import socket, subprocess, sys, threading, time
from pipelines.capture import CaptureHealth
from pipelines.capture.interface import interface_frames
from pipelines.errors import InputError
from pipelines.generate.scapy_packets import CaptureSocket

def link(state): subprocess.check_call(["ip", "link", "set", "lo", state])

try: CaptureSocket("lo")
except OSError as error: print(error.strerror)
link("up")
with CaptureSocket("lo") as source:
    link("down")
    try: list(interface_frames(source, "lo", CaptureHealth(), seconds=5))
    except InputError as error: print(error)
link("up")
with CaptureSocket("lo") as source:
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.sendto(b"x", ("127.0.0.1", 9))
    health = CaptureHealth()
    frames = interface_frames(source, "lo", health, seconds=10)
    print(len(next(frames).start) > 0)
    link("down")
    print(sum(len(some.start) for some in frames))
    print([record.reason for record in health.corrupt_records])
"""


def test_an_interface_that_is_or_goes_down(root):
    if not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("there is no unshare or no ip")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("no network namespace can be made here")
    ended = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", IN_A_NETWORK_OF_ITS_OWN],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=60,
    )
    assert ended.stdout.splitlines() == [
        "Network is down",
        "The interface lo is down. Bring it up: ip link set lo up",
        "True",
        "0",
        "['the interface went down']",
    ], ended.stderr


def test_other_trouble_is_not_taken_for_an_interface_that_is_down():
    class Broken:
        link_type = 1

        def __init__(self, descriptor: int) -> None:
            self.descriptor = descriptor

        def fileno(self) -> int:
            return self.descriptor

        def receive(self, most: int) -> list:
            raise OSError(5, "Input/output error")

        def dropped(self) -> int:
            return 0

    reading, writing = os.pipe()
    os.write(writing, b"x")
    with pytest.raises(OSError, match="Input/output error") as caught:
        list(interface_frames(Broken(reading), "lo", CaptureHealth()))
    assert not isinstance(caught.value, InputError)
    os.close(reading)
    os.close(writing)
