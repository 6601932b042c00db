"""A small lab, detectors packed on it, and captures made byte by byte."""

import struct
from collections.abc import Callable, Sequence
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import pytest

from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.sources import load_source
from pipelines.models.registry import new_model
from pipelines.operate.detector import Detector, DetectorInfo, package
from pipelines.progress import silent

BENIGN = ["web", "dns", "mail", "ssh", "backup"]
PCAP = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)

Record = tuple[int, bytes]
"""Microseconds since 1970, and a frame."""


def ip_frame(src: str, dst: str, protocol: int, transport: bytes) -> bytes:
    source, target = ip_address(src).packed, ip_address(dst).packed
    macs = bytes.fromhex("020000000002020000000001")
    if ":" in src:
        header = struct.pack("!IHBB", 6 << 28, len(transport), protocol, 64) + source + target
        return macs + b"\x86\xdd" + header + transport
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(transport), 1, 0, 64, protocol, 0)
    return macs + b"\x08\x00" + header + source + target + transport


def tcp_frame(src: str, sport: int, dst: str, dport: int, flags: int, data: bytes = b"") -> bytes:
    header = struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 80, flags, 64_000, 0, 0)
    return ip_frame(src, dst, 6, header + data)


def udp_frame(src: str, sport: int, dst: str, dport: int, data: bytes = b"") -> bytes:
    return ip_frame(src, dst, 17, struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data)


def icmp_frame(src: str, dst: str, kind: int) -> bytes:
    return ip_frame(src, dst, 58 if ":" in src else 1, struct.pack("!BBHI", kind, 0, 0, 7))


def pcap_bytes(records: Sequence[Record]) -> bytes:
    headers = (
        struct.pack("<IIII", time // 10**6, time % 10**6, len(frame), len(frame))
        for time, frame in records
    )
    pairs = zip(headers, (frame for _, frame in records), strict=True)
    return PCAP + b"".join(header + frame for header, frame in pairs)


@pytest.fixture
def write_capture(tmp_path) -> Callable[..., Path]:
    """Write records, (microseconds, frame), into a capture."""

    def write(records: Sequence[Record], name: str = "capture.pcap") -> Path:
        path = tmp_path / name
        path.write_bytes(pcap_bytes(records))
        return path

    return write


@pytest.fixture(scope="session")
def frames() -> dict[str, Callable[..., bytes]]:
    """What makes frames: ip, tcp, udp, icmp."""
    return {"ip": ip_frame, "tcp": tcp_frame, "udp": udp_frame, "icmp": icmp_frame}


@pytest.fixture(scope="session")
def lab(tiny_lab) -> Path:
    """The tiny lab."""
    return tiny_lab


@pytest.fixture(scope="session")
def fitted(lab) -> Callable[[str, str], object]:
    """Fit a model by name on the lab's flows or packets, once."""

    @cache
    def fit(name: str, granularity: str = "flow"):
        rows = load_source(lab, "folder", granularity).rows
        model = new_model(name)
        labels = rows["label"].to_pylist()
        model.fit(rows, labels, masks=DEFAULT_MASKS, seed=0, validation=None, progress=silent)
        return model

    return fit


@pytest.fixture(scope="session")
def forest(fitted):
    """A random forest over the lab's flows."""
    return fitted("random_forest")


@pytest.fixture(scope="session")
def plain(fitted):
    """The model that is packed and loaded fastest, where it does not matter which."""
    return fitted("majority")


@pytest.fixture(scope="session")
def info() -> DetectorInfo:
    """A description of a detector of the lab's flows."""
    return DetectorInfo(
        name="lab",
        goal="Find the attacks in these captures",
        granularity="flow",
        masks=list(DEFAULT_MASKS),
        benign=BENIGN,
        metrics={"macro_f1": {"value": 0.9, "low": 0.8, "high": 0.95}},
    )


@pytest.fixture
def folder(tmp_path, plain, info) -> Path:
    """A packed detector, fresh for every test."""
    package(tmp_path / "detector", plain, info)
    return tmp_path / "detector"


@pytest.fixture(scope="session")
def detector(tmp_path_factory, forest, info) -> Detector:
    """A detector of the lab's flows, packed and loaded."""
    path = tmp_path_factory.mktemp("detector") / "lab"
    package(path, forest, info)
    return Detector.load(path)


@pytest.fixture(scope="session")
def packet_detector(tmp_path_factory, fitted, info) -> Detector:
    """A detector of the lab's packets."""
    path = tmp_path_factory.mktemp("detector") / "lab"
    model = fitted("random_forest", "packet")
    package(path, model, info.model_copy(update={"granularity": "packet"}))
    return Detector.load(path)
