"""TrafficLLM's flow texts: first packets without identifiers, read back as the same payloads."""

import json
import shutil
import struct
from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.capture import CaptureHealth, FlowSettings, read_flows
from pipelines.datasets.loaders.packet_text import parse_flow, payload_start, split_instruction
from pipelines.datasets.sources import load_source
from pipelines.profiles.export import export_source, profile_rows
from pipelines.profiles.registry import PROFILES
from pipelines.profiles.trafficllm_flows import frame_header


def packets_of(row: dict[str, str]) -> list[str]:
    return parse_flow(split_instruction(row["instruction"])[1])


def test_a_flow_is_its_first_packets_without_identifiers(make) -> None:
    packets = make.tcp(0, "S"), make.tcp(1, "SA"), make.tcp(0, "PA", 9, b"GET", ack=7)
    syn, answer, get = packets_of(make.flow("trafficllm-flow", *packets))
    zeros, tcp = bytes(12).hex(), bytes(12).hex() + "50{}" + bytes(6).hex()
    ip = "4500" + "{}" + "00" * 5 + "06" + "0000" + "{}"
    there, back = "0000000100000002", "0000000200000001"
    assert syn == zeros + "0800" + ip.format("0028", there) + tcp.format("02")
    assert answer == zeros + "0800" + ip.format("0028", back) + tcp.format("12")
    assert get == zeros + "0800" + ip.format("002b", there) + tcp.format("18") + b"GET".hex()


def test_only_first_packets_and_first_bytes_are_told(make) -> None:
    settings = FlowSettings(payload_packets=2, payload_bytes=3)
    content = make.pcap((n, make.udp(0, bytes([n] * 9))) for n in range(5))
    (row,) = make.rows("trafficllm-flow", content, settings)
    frames = packets_of(row)
    assert [frame[payload_start(frame) :] for frame in frames] == ["000000", "010101"]
    assert [frame[76:80] for frame in frames] == ["0011", "0011"], "UDP's own length"


@given(
    st.sampled_from([4, 6]), st.integers(0, 255), st.integers(-70000, 70000), st.integers(0, 255)
)
def test_every_header_ends_where_the_reader_finds_its_payload(
    version: int, protocol: int, length: int, flags: int
) -> None:
    header = frame_header(version, protocol, length, flags)
    assert payload_start(header.hex() + "ab" * 60) == 2 * len(header)
    (kind,) = struct.unpack_from("!H", header, 12)
    assert kind == (0x0800 if version == 4 else 0x86DD)


def test_what_was_written_is_read_back(data: Path, tmp_path: Path) -> None:
    captures = sorted((data / "ustc_tfc2016" / "sessions").rglob("*.pcap"))[:2]
    for capture in captures:
        (tmp_path / "captures" / capture.stem).mkdir(parents=True)
        shutil.copy(capture, tmp_path / "captures" / capture.stem)
    path = tmp_path / "own_detection_flow_train.json"
    sources = tmp_path / "captures"
    with path.open("wb") as file:
        done = export_source(sources, PROFILES["trafficllm-flow"], "jsonl", file, label="folder")
    rows = load_source(path).rows
    flows = {capture.stem: pa.concat_tables(read_flows(capture)) for capture in captures}
    assert rows.num_rows == done.rows == sum(table.num_rows for table in flows.values())
    expected = [
        (label, told_payloads(row)) for label, table in flows.items() for row in table.to_pylist()
    ]
    found = list(zip(rows["label"].to_pylist(), rows["payload_bytes"].to_pylist(), strict=True))
    assert found == expected


def told_payloads(row: dict[str, object]) -> str:
    settings = FlowSettings()
    payload, told = row["payload"], zip(row["packet_length"], row["payload_length"], strict=False)
    room = settings.payload_bytes
    parts = [
        payload[n * room : n * room + max(kept, 0)].hex()
        for n, (length, kept) in enumerate(told)
        if length
    ]
    return "<pck>".join(parts) or None


def test_a_class_and_an_array_of_lines(data: Path, tmp_path: Path) -> None:
    capture = next((data / "ustc_tfc2016" / "sessions").rglob("Tinba.pcap"))
    tables = profile_rows(
        capture, PROFILES["trafficllm-flow"], FlowSettings(), health=CaptureHealth()
    )
    texts = pa.concat_tables(tables)["instruction"].to_pylist()
    records = [{"instruction": t, "output": "ab"[n % 2]} for n, t in enumerate(texts)]
    (tmp_path / "lines.json").write_text("".join(json.dumps(r) + "\n" for r in records))
    (tmp_path / "array.json").write_text(json.dumps(records, indent=1))
    lines, array = (load_source(tmp_path / f"{kind}.json").rows for kind in ("lines", "array"))
    assert lines.drop_columns("capture").equals(array.drop_columns("capture"))
    assert lines.num_rows == len(texts) > 10
