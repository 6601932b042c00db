"""How many packets a second of CPU become flows: from a file, compressed, a pipe, an interface.

    python benchmarks/live.py [--packets 400000]

The capture holds small UDP packets, which compress far better than real traffic does. A thread
copies it into the pipe. What comes from loopback (as root) waits in the capture socket before the
clock starts: receiving, decoding and flows are measured, not sending.
"""

import argparse
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import bz2  # noqa: E402
import gzip  # noqa: E402
import lzma  # noqa: E402
import socket  # noqa: E402
import struct  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import zstandard  # noqa: E402

from pipelines.capture import CaptureHealth, FlowSettings, read_flows  # noqa: E402
from pipelines.capture.decode import Decoder  # noqa: E402
from pipelines.capture.flows import flow_tables  # noqa: E402
from pipelines.capture.interface import interface_frames  # noqa: E402
from pipelines.capture.live import open_stream  # noqa: E402
from pipelines.generate.scapy_packets import CaptureSocket  # noqa: E402

PACK = {
    ".pcap": bytes,
    ".gz": lambda content: gzip.compress(content, 1),
    ".zst": zstandard.compress,
    ".bz2": lambda content: bz2.compress(content, 1),
    ".xz": lambda content: lzma.compress(content, preset=0),
}
PAYLOAD_BYTES = 200
FLOWS = 5_000
# What waits in a capture socket of 64 MB.
LOOPBACK_PACKETS = 30_000


def write_capture(path: Path, packets: int) -> None:
    """UDP packets of 5,000 senders, 10,000 a second."""
    head = bytes.fromhex("020000000002 020000000001 0800 4500") + struct.pack(
        "!HHHBBH", 28 + PAYLOAD_BYTES, 1, 0, 64, 17, 0
    )
    frame = head + bytes.fromhex("0a000001 0a000002 0400 0035 00d0 0000") + bytes(PAYLOAD_BYTES)
    moment = [("seconds", "<u4"), ("fraction", "<u4"), ("captured", "<u4"), ("wire", "<u4")]
    records = np.zeros(packets, [*moment, ("frame", "u1", (len(frame),))])
    number = np.arange(packets)
    records["seconds"] = 1_700_000_000 + number // 10_000
    records["fraction"] = number % 10_000 * 100
    records["captured"] = records["wire"] = len(frame)
    records["frame"] = np.frombuffer(frame, np.uint8)
    records["frame"][:, 28] = number % FLOWS >> 8
    records["frame"][:, 29] = number % FLOWS & 255
    path.write_bytes(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1) + records.tobytes())


def piped(capture: Path, health: CaptureHealth) -> Iterator[pa.Table]:
    """The flows of a capture that a thread copies into a named pipe."""
    fifo = capture.with_suffix(".fifo")
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(capture.read_bytes(),))
    writer.start()
    with open_stream(fifo) as stream:
        yield from read_flows(stream, health=health)
    writer.join()


def loopback(health: CaptureHealth) -> Iterator[pa.Table]:
    """The flows of datagrams that wait in a capture socket. Its first table comes after them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        with CaptureSocket("lo", f"udp port {receiver.getsockname()[1]}") as source:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for _ in range(LOOPBACK_PACKETS):
                    sender.sendto(bytes(PAYLOAD_BYTES), receiver.getsockname())
            yield pa.table({})
            decoder = Decoder()
            frames = interface_frames(source, "lo", health, stop=lambda: True)
            batches = (decoder.decode(some, health) for some in frames)
            yield from flow_tables(batches, FlowSettings(), health)


def measure(name: str, tables: Iterator[pa.Table], health: CaptureHealth) -> None:
    """Print packets per second of CPU, and what the system dropped."""
    start = time.process_time()
    flows = sum(table.num_rows for table in tables)
    rate = health.packets / (time.process_time() - start)
    print(f"{name:<12}{rate:>12,.0f} packets/s   {flows:,} flows, {health.dropped:,} dropped")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packets", type=int, default=400_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        capture = Path(name, "live.pcap")
        write_capture(capture, options.packets)
        content = capture.read_bytes()
        for suffix, pack in PACK.items():
            path = capture.with_suffix(suffix)
            path.write_bytes(pack(content))
            health = CaptureHealth()
            measure(suffix, read_flows(path, health=health), health)
        health = CaptureHealth()
        measure("pipe", piped(capture, health), health)
    health = CaptureHealth()
    tables = loopback(health)
    try:
        next(tables)
    except PermissionError:
        print("loopback    only root may capture")
    else:
        measure("loopback", tables, health)


if __name__ == "__main__":
    main()
