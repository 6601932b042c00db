"""Unlabelled captures as traffic text."""

import struct
from pathlib import Path

import pytest

from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.errors import InputError
from pipelines.represent.corpus import held_out, traffic_corpus

GLOBAL = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)


def frame(payload: bytes) -> bytes:
    """Ethernet, IPv4 and UDP from 10.0.0.1:5000 to 10.0.0.2:53."""
    udp = struct.pack("!HHHH", 5000, 53, 8 + len(payload), 0) + payload
    ip = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0, b"\n\0\0\1", b"\n\0\0\2"
    )
    return bytes(12) + b"\x08\x00" + ip + udp


def capture(path: Path, *payloads: bytes) -> Path:
    records = [
        struct.pack("<IIII", 1_700_000_000 + place, 0, len(frame(payload)), len(frame(payload)))
        + frame(payload)
        for place, payload in enumerate(payloads)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(GLOBAL + b"".join(records))
    return path


def test_each_capture_gives_its_flows(tmp_path: Path) -> None:
    one = capture(tmp_path / "a.pcap", b"\x01\x02", b"\x03")
    two = capture(tmp_path / "sub" / "b.pcap", b"\xff")
    corpus = traffic_corpus([tmp_path])
    assert {name: [str(text) for text in texts] for name, texts in corpus.items()} == {
        str(one): ["udp4 n=2>0 b=87>0 t=1s▸44⠁⠂▸43˖1s⠃"],
        str(two): ["udp4 n=1>0 b=43>0 t=0u▸43⣿"],
    }


def test_several_sources_and_single_files(tmp_path: Path) -> None:
    one = capture(tmp_path / "one" / "a.pcap", b"x")
    two = capture(tmp_path / "two" / "b.pcap", b"y")
    assert list(traffic_corpus([one, two.parent])) == [str(one), str(two)]


def test_what_is_masked_is_not_there(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcap", b"secret")
    (text,) = traffic_corpus([path], [*DEFAULT_MASKS, "payload", "gaps"])[str(path)]
    assert str(text) == "udp4 n=1>0 b=48>0▸48"


def test_a_damaged_capture_is_left_out_and_named(tmp_path: Path) -> None:
    good = capture(tmp_path / "good.pcap", b"x")
    (tmp_path / "bad.pcap").write_bytes(GLOBAL[:10])
    told: list[str] = []
    corpus = traffic_corpus([tmp_path], warn=told.append)
    assert list(corpus) == [str(good)]
    assert len(told) == 1
    assert "bad.pcap" in told[0]


@pytest.mark.parametrize("content", [b"", GLOBAL])
def test_nothing_to_learn_from_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "empty.pcap").write_bytes(content)
    with pytest.raises(InputError):
        traffic_corpus([tmp_path])


def test_progress_is_told(tmp_path: Path) -> None:
    capture(tmp_path / "a.pcap", b"x")
    told: list[tuple[float, float | None]] = []
    traffic_corpus([tmp_path], progress=lambda what, done, total, unit: told.append((done, total)))
    assert told[-1] == (1, 1)


def test_every_nth_name_is_held_out() -> None:
    names = [f"{number:02}" for number in range(10)]
    assert held_out(reversed(names), 5) == {"04", "09"}
    assert held_out(names[:3], 5) == set()
