"""HTTP requests and TrafficLLM's lines: parsed, typed, masked, and written again without a loss."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.fields import feature_columns, group_of
from pipelines.datasets.loaders import csic, packet_text, trafficllm
from pipelines.datasets.loaders.csic import requests
from pipelines.datasets.loaders.json_lines import array_values
from pipelines.datasets.sources import describe_source, load_source
from pipelines.datasets.splits import make_split
from pipelines.errors import InputError

RAW = (
    "GET http://localhost:8080/tienda1/index.jsp HTTP/1.1\r\n"
    "User-Agent: Mozilla/5.0 (compatible; Konqueror/3.5; Linux)\r\n"
    "Host: localhost:8080\r\n"
    "Cookie: JSESSIONID=1F767F17239C9B670A39E9B10C3825F4\r\n"
    "Connection: close\r\n\r\n\r\n"
    "POST http://localhost:8080/tienda1/publico/anadir.jsp HTTP/1.1\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n"
    "Content-Length: 20\r\n\r\n"
    "id=3&nombre=Jam\xf3n\r\n\r\n"
)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode("latin-1") if isinstance(content, str) else content)
    return path


def write_csic(folder: Path, normal: str = RAW, anomalous: str = RAW) -> Path:
    write(folder / "normalTrafficTraining.txt", normal)
    write(folder / "anomalousTrafficTest.txt", anomalous.replace("id=3", "id=3'--"))
    return folder


def test_whole_requests_are_parsed(tmp_path: Path) -> None:
    loaded = load_source(write_csic(tmp_path))
    rows = loaded.rows
    assert Counter(rows["label"].to_pylist()) == {"normal": 2, "anomalous": 2}
    get, post = rows.filter(pa.compute.equal(rows["label"], "normal")).to_pylist()
    assert (get["method"], get["version"], get["path"]) == ("GET", "HTTP/1.1", "/tienda1/index.jsp")
    assert get["session"] == "JSESSIONID=1F767F17239C9B670A39E9B10C3825F4"
    assert "JSESSIONID" not in get["headers"] and "localhost" not in get["headers"]
    assert get["headers"].splitlines() == [
        "User-Agent: Mozilla/5.0 (compatible; Konqueror/3.5; Linux)",
        "Connection: close",
    ]
    assert post["body"] == "id=3&nombre=Jam\xf3n"
    assert (post["parameters"], post["body_length"], post["longest_value"]) == (2, 17, 5)


def test_cookies_hosts_and_copies_of_the_request_are_no_features(tmp_path: Path) -> None:
    schema = load_source(write_csic(tmp_path)).rows.schema
    assert group_of(schema.field("session")) == group_of(schema.field("request")) == "split"
    assert group_of(schema.field("site_host")) == "names"
    assert not {"session", "request", "site_host"} & set(feature_columns(schema))
    kinds = {name: (schema.field(name).metadata or {}).get(b"kind") for name in schema.names}
    assert kinds["path"] == kinds["body"] == b"text" and kinds["method"] is None


def test_get_and_post_of_the_same_parameters_are_one_group(tmp_path: Path) -> None:
    text = "get http://h/a.jsp?x=1\npost http://h/a.jsp?x=1\nget http://h/a.jsp?x=2\n"
    write(tmp_path / "normal.txt", text)
    write(tmp_path / "anomalous.txt", "get http://h/b.jsp?<\x85>\0\n" + "get http://h/c.jsp\n" * 99)
    rows = load_source(tmp_path).rows
    first, second, third = rows.filter(pa.compute.equal(rows["label"], "normal"))[
        "flow"
    ].to_pylist()
    assert first == second != third
    assert rows["query"].to_pylist()[0] == "<\x85>\0", "no byte ends a line but an end of line"


def test_a_body_that_looks_like_headers_stays_a_body() -> None:
    lines = ["PUT /x HTTP/1.0", "A: 1", "", "B: 2", "c", "", "GET / HTTP/1.0"]
    first, second = requests(iter(lines))
    assert first.headers == [("A", "1")] and first.body == ["B: 2", "c"]
    assert (second.method, second.url, second.body) == ("GET", "/", [])


@given(st.lists(st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=40)))
def test_any_lines_are_read(lines: list[str]) -> None:
    for request in requests(iter(lines)):
        assert len(csic.cells(request, "x")) == len(csic.COLUMNS)


def test_text_that_only_begins_with_a_verb_is_no_request(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no capture and no table"):
        load_source(write(tmp_path / "a.txt", "get up\nand go\n"))


def test_csic2010_real(data: Path) -> None:
    rows = load_source(data / "csic2010").rows
    assert Counter(rows["label"].to_pylist()) == {"normal": 21_944, "anomalous": 15_524}
    assert rows["path"].null_count == 214, "requests of the host alone"
    assert len(set(rows["flow"].to_pylist())) < 20_000
    split = make_split(rows, "row", 0.3)
    assert split.document.proof.groups_on_two_sides == 0


PACKET = (
    "frame.time: Jan 10, 2025 15:33:26.435065000 CST, frame.time_epoch: 1736494406.435065000, "
    "frame.number: 45, frame.len: 190, eth.dst_resolved: Cisco_db:19:c3, ip.id: 0x0000af56, "
    "ip.flags.df: True, ip.ttl: 51, ip.src: 49.7.253.58, ip.dst: 192.168.137.80, "
    "tcp.srcport: 8080, tcp.dstport: 49042, tcp.flags: 0x0018, tcp.segment: , "
    "tcp.flags.str: \u00b7\u00b7AP\u00b7, tcp.payload: 00a1ff"
)


def line(traffic: str, answer: str, task: str = "Please conduct the X Y TASK to tell.") -> str:
    instruction = packet_text.join_instruction(task, traffic)
    return json.dumps({"instruction": instruction, "output": answer})


def jsonl(folder: Path, *lines: str) -> Path:
    path = folder / "set_detection_packet_train.json"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_packet_texts_become_typed_columns(tmp_path: Path) -> None:
    other = PACKET.replace("8080", "49042").replace("dstport: 49042", "dstport: 8080")
    other = other.replace(
        "ip.src: 49.7.253.58, ip.dst: 192.168.137.80", "ip.src: 192.168.137.80, ip.dst: 49.7.253.58"
    )
    path = jsonl(
        tmp_path, line(PACKET, "a"), line(other, "b"), line(PACKET.replace("58,", "59,"), "b")
    )
    assert describe_source(path).preset == "trafficllm"
    rows = load_source(path).rows
    row = rows.to_pylist()[0]
    assert (row["ip_id"], row["ip_flags_df"], row["tcp_flags"]) == (0xAF56, 1, 0x18)
    assert row["first_seen_ns"] == 1_736_494_406_435_065_000
    assert (row["task"], row["host"], row["tcp_payload"]) == ("X Y", "49.7.253.58", "00a1ff")
    one, back, third = rows["flow"].to_pylist()
    assert one == back != third, "both directions of a connection are one group"
    assert feature_columns(rows.schema) == [
        *("frame_len", "ip_flags_df", "tcp_flags", "tcp_flags_str", "tcp_payload"),
    ]


def test_flows_lengths_requests_and_tasks(tmp_path: Path) -> None:
    eth = "000000000000000000000000" + "0800" + "4500002d000000004006" + "0" * 20
    tcp = "0050c35a" + "0" * 16 + "5018" + "0" * 12
    path = jsonl(tmp_path, line(f"<pck>{eth}{tcp}abcd<pck>ffff", "a"), line("<pck>", "b"))
    row = load_source(path).rows.to_pylist()[0]
    assert (row["payload_bytes"], row["packets"]) == ("abcd<pck>ffff", 2)
    assert row["header_bytes"] == f"{eth}{tcp}<pck>"
    schema = load_source(path).rows.schema
    assert feature_columns(schema) == ["packets", "payload_bytes"]
    path = jsonl(tmp_path, line("60 -1500 40", "a"), line("60 9", "b"))
    assert load_source(path).rows["length_2"].to_pylist() == [-1500, 9]
    path = jsonl(
        tmp_path, line('{"method": "GET", "url": "/a?b", "body": ""}.', "a"), line("{", "b")
    )
    assert load_source(path).rows["path"].to_pylist() == ["/a?b", None]
    task = json.dumps({"instruction": "Is this a bot?", "output": "Botnet Detection"})
    path = jsonl(tmp_path, task, task.replace("bot", "VPN").replace("Botnet", "VPN"))
    assert load_source(path).rows["instruction"].to_pylist()[0] == "Is this a bot?"


@pytest.mark.parametrize("bad", ['{"instruction": 1, "output": "a"}', "[]", "{", "null", '"x"'])
def test_lines_that_are_no_record_are_counted(tmp_path: Path, bad: str) -> None:
    loaded = load_source(jsonl(tmp_path, line(PACKET, "a"), bad, line(PACKET + "1", "b")))
    assert loaded.rows.num_rows == 2
    assert "1 line was left out, no such record, the first in line 2." in loaded.warnings[0]


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,5}(\.[a-z0-9_]{1,6}){1,2}", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters=":\n"), max_size=12).filter(
    lambda text: not text.startswith(" ")
)


@given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=6))
def test_fields_come_back_as_they_were_written(fields: list[tuple[str, str]]) -> None:
    assert packet_text.parse_packet(packet_text.packet_text(fields)) == fields


@given(st.text(max_size=60))
def test_any_text_is_parsed_without_an_error(text: str) -> None:
    packet_text.parse_packet(text)
    trafficllm.traffic_cells(text)
    assert packet_text.payload_start(text) >= 0


def test_real_prompts_come_back_byte_for_byte(data: Path) -> None:
    folder = data / "trafficllm_format"
    with gzip.open(next(folder.glob("*.gz")), "rt") as file:
        records = [json.loads(text) for text in file]
    for record in records:
        task, traffic = packet_text.split_instruction(record["instruction"])
        again = packet_text.packet_text(packet_text.parse_packet(traffic))
        assert packet_text.join_instruction(task, again) == record["instruction"]
    rows = load_source(folder).rows
    assert rows.num_rows == len(records) == 475
    masked = {"ip_src", "tcp_srcport", "eth_src", "frame_number", "tcp_stream", "tcp_seq", "ip_ttl"}
    assert masked <= set(rows.column_names)
    assert not masked & set(feature_columns(rows.schema))
    assert not [n for n in feature_columns(rows.schema) if "time_epoch" in n or "checksum" in n]


def test_released_label_maps(data: Path) -> None:
    for path in (data / "trafficllm").glob("*_label.json"):
        released = json.loads(path.read_text())
        name = path.name.removesuffix("_label.json")
        assert trafficllm.label_map(list(released), name) == released
    assert trafficllm.label_map(["b", "a"], "ustc-tfc-2016") == {"a": 0, "b": 1}


def test_messages_and_instructions_of_the_release(data: Path) -> None:
    folder = data / "trafficllm"
    loaded = load_source(folder / "sample_records_transcribed.jsonl")
    assert loaded.rows.num_rows == 17
    seen = feature_columns(loaded.rows.schema)
    assert not any(name.startswith(("eth_s", "eth_d", "ip_src")) for name in seen)
    rows = load_source(folder / "instructions_dev.jsonl").rows
    assert rows.num_rows == 4325 and feature_columns(rows.schema) == ["instruction"]


def items(text: str, size: int) -> list[object]:
    return list(array_values(text[n : n + size] for n in range(0, len(text), size)))


@given(st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=6))), st.integers(1, 9))
def test_an_array_is_read_wherever_its_pieces_end(records: list[object], size: int) -> None:
    for indent in (None, 1):
        text = json.dumps(records, indent=indent)
        assert items(text, size) == records
        assert items(text[:-1], size) == [*records, None], "cut off"


@pytest.mark.parametrize("text", ["[", "[{]", "[{} x]", "[{}] {}", "[" * 100_000])
def test_what_is_no_whole_array_ends_with_none(text: str) -> None:
    assert items(text, 7000)[-1] is None


def test_an_array_that_breaks_off_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    path.write_text(f"[{line(PACKET, 'a')},\n{line(PACKET + '1', 'b')},\n[1], {{")
    loaded = load_source(path)
    assert loaded.rows["label"].to_pylist() == ["a", "b"]
    assert "2 lines were left out, no such record, the first in line 3." in loaded.warnings[0]
