"""TrafficLLM's packet texts: written without identifiers, read back as the same fields."""

import json
from pathlib import Path

import pyarrow as pa

from pipelines.capture import CaptureHealth, FlowSettings
from pipelines.datasets.fields import feature_columns
from pipelines.datasets.loaders.packet_text import parse_packet, split_instruction
from pipelines.datasets.sources import load_source
from pipelines.profiles.export import profile_rows
from pipelines.profiles.registry import PROFILES

IDENTIFIERS = (
    "eth.",
    "ip.src",
    "ip.dst",
    "port",
    "time",
    "ttl",
    "ip.id",
    "seq",
    "checksum",
    "stream",
)


def texts(capture: Path) -> list[str]:
    tables = profile_rows(capture, PROFILES["trafficllm"], FlowSettings(), health=CaptureHealth())
    return pa.concat_tables(tables)["instruction"].to_pylist()


def test_a_packet_is_told_without_identifiers(data: Path) -> None:
    capture = next((data / "ustc_tfc2016" / "sessions").rglob("BitTorrent.pcap"))
    written = texts(capture)
    tcp = next(text for text in written if "tcp.flags" in text)
    fields = dict(parse_packet(split_instruction(tcp)[1]))
    assert fields["ip.version"] == "4" and int(fields["frame.len"]) >= int(fields["ip.len"])
    assert not [name for name in fields if any(part in name for part in IDENTIFIERS)]
    flags = int(fields["tcp.flags"], 16)
    assert int(fields["tcp.flags.syn"]) == flags >> 1 & 1


def test_what_was_written_is_read_back(data: Path, tmp_path: Path) -> None:
    captures = sorted((data / "ustc_tfc2016" / "sessions").rglob("*.pcap"))[:2]
    path = tmp_path / "own_detection_packet_train.json"
    written = [(text, capture.stem) for capture in captures for text in texts(capture)[:200]]
    path.write_text("".join(json.dumps({"instruction": t, "output": o}) + "\n" for t, o in written))
    rows = load_source(path).rows
    assert rows["label"].to_pylist() == [label for _, label in written]
    assert {"frame_len", "tcp_flags", "tcp_payload"} <= set(feature_columns(rows.schema))
    for row, (text, _) in zip(rows.to_pylist(), written, strict=True):
        for name, value in parse_packet(split_instruction(text)[1]):
            column = row[name.replace(".", "_")]
            assert column == (value if isinstance(column, str) else int(value, 0))
