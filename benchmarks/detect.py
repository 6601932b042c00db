"""How fast a packed detector turns a capture into EVE lines, on one core.

    python benchmarks/detect.py [--flows 50000] [--models random_forest cnn]

Makes a capture of many small TCP and UDP flows in a temporary folder, trains each model on a part
of it, packs it, and measures reading, flows, prediction and JSON together.
"""

import argparse
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import struct  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from random import Random  # noqa: E402

import pyarrow as pa  # noqa: E402

from pipelines.capture import read_flows  # noqa: E402
from pipelines.datasets.fields import DEFAULT_MASKS  # noqa: E402
from pipelines.models.registry import new_model  # noqa: E402
from pipelines.operate.detect import detect  # noqa: E402
from pipelines.operate.detector import Detector, DetectorInfo, package  # noqa: E402
from pipelines.operate.eve import eve_line  # noqa: E402
from pipelines.progress import silent  # noqa: E402

TRAINING_FLOWS = 2_000
ETHERNET = bytes.fromhex("020000000002 020000000001 0800")


def packet(
    source: tuple[int, int], target: tuple[int, int], flags: int | None, data: bytes
) -> bytes:
    """An Ethernet frame with TCP (``flags``) or UDP (None); checksums are left zero."""
    if flags is None:
        transport = struct.pack("!HHHH", source[1], target[1], 8 + len(data), 0)
    else:
        transport = struct.pack("!HHIIBBHHH", source[1], target[1], 1, 1, 80, flags, 64_000, 0, 0)
    protocol = 17 if flags is None else 6
    length = 20 + len(transport) + len(data)
    header = struct.pack(
        "!BBHHHBBHII", 0x45, 0, length, 0, 0, 64, protocol, 0, source[0], target[0]
    )
    return ETHERNET + header + transport + data


def conversation(number: int, random: Random) -> Iterator[bytes]:
    """The frames of one small flow; its class is ``number % 4``."""
    client = (0x0A000000 + number % 5_000, 20_000 + number // 5_000)
    server = (0xC6336400 + number % 200, (53, 443, 22, 25)[number % 4])
    if number % 4 == 0:
        yield packet(client, server, None, random.randbytes(random.randrange(30, 80)))
        yield packet(server, client, None, random.randbytes(random.randrange(60, 300)))
        return
    yield packet(client, server, 2, b"")
    yield packet(server, client, 18, b"")
    for _ in range(random.randrange(1, 3)):
        yield packet(client, server, 24, random.randbytes(random.randrange(40, 400 * (number % 4))))
        yield packet(server, client, 24, random.randbytes(random.randrange(40, 1_200)))
    yield packet(client, server, 17, b"")
    yield packet(server, client, 17, b"")


def write_capture(path: Path, flows: int) -> int:
    """Write a capture of ``flows`` flows and return its number of packets."""
    random, packets = Random(0), 0
    with path.open("wb") as file:
        file.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
        for number in range(flows):
            for place, frame in enumerate(conversation(number, random)):
                microseconds = number * 200 + place * 40
                moment = struct.pack(
                    "<II", 1_741_000_000 + microseconds // 10**6, microseconds % 10**6
                )
                file.write(moment + struct.pack("<II", len(frame), len(frame)) + frame)
                packets += 1
    return packets


def packed(model: str, capture: Path, folder: Path) -> Detector:
    """A detector of ``model`` trained on the first flows of the capture."""
    rows = pa.concat_tables(read_flows(capture)).slice(0, TRAINING_FLOWS)
    labels = [("dns", "web", "ssh", "mail")[(53, 443, 22, 25).index(port)] for port in _ports(rows)]
    classifier = new_model(model)
    classifier.fit(rows, labels, masks=DEFAULT_MASKS, seed=0, validation=None, progress=silent)
    info = DetectorInfo(name=model, goal="speed", granularity="flow", masks=list(DEFAULT_MASKS))
    package(folder, classifier, info)
    return Detector.load(folder)


def _ports(rows: pa.Table) -> list[int]:
    return [int(port) for port in rows["dst_port"].to_pylist()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flows", type=int, default=50_000)
    parser.add_argument("--models", nargs="+", default=["random_forest", "cnn"])
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packets = write_capture(folder / "flows.pcap", options.flows)
        print(f"{options.flows:,} flows, {packets:,} packets, one core")
        start = time.perf_counter()
        read = sum(table.num_rows for table in read_flows(folder / "flows.pcap"))
        print(f"{'flows alone':<24}{read / (time.perf_counter() - start):>10,.0f} flows/s")
        for model in options.models:
            detector = packed(model, folder / "flows.pcap", folder / model)
            start = time.perf_counter()
            with (folder / "eve.json").open("w") as file:
                for record in detect(detector, folder / "flows.pcap"):
                    file.write(eve_line(record) + "\n")
            seconds = time.perf_counter() - start
            lines = sum(1 for _ in (folder / "eve.json").open())
            print(f"{model:<24}{lines / seconds:>10,.0f} flows/s   {lines:,} lines")


if __name__ == "__main__":
    main()
