"""TrafficLLM's JSON lines of ``instruction`` and ``output``: packets, flows, requests, tasks."""

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.fields import COLUMN, LABEL
from pipelines.datasets.loaders.base import Loader, groups_of, set_text
from pipelines.datasets.loaders.json_lines import (
    Record,
    first_object,
    json_blocks,
    json_sample,
    plain,
)
from pipelines.datasets.loaders.packet_text import (
    FLOW_MARK,
    LENGTHS,
    Fields,
    parse_flow,
    parse_packet,
    payload_start,
    split_instruction,
)
from pipelines.datasets.table_files import Head, TableFile

TASK = re.compile(r"conduct the (.+?) TASK", re.IGNORECASE)
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,12}")
NUMBER_OF = {"True": "1", "False": "0"}

# Data set -> its task's code and its classes in the order of the released label maps.
DATA_SETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ustc-tfc-2016": (
        "MTD",
        (
            *("Geodo", "Cridex", "Tinba", "Shifu", "Gmail", "SMB", "Weibo", "WorldOfWarcraft"),
            *("Zeus", "FTP", "MySQL", "BitTorrent", "Skype", "Miuref", "Htbot", "Outlook"),
            *("Facetime", "Virut", "Nsis-ay", "Neris"),
        ),
    ),
    "iscx-botnet": ("BND", ("IRC", "normal", "Virut", "Neris", "RBot")),
    "dohbrw-2020": ("MDD", ("benign", "malicious")),
    "csic-2010": ("WAD", ()),
    "dapt-2020": ("AAD", ("normal", "APT")),
    "iscx-vpn-2016": (
        "EVD",
        (
            *("ftps", "bittorrent", "spotify", "vimeo", "hangout", "sftp", "youtube", "icq"),
            *("netflix", "facebook", "skype", "voipbuster", "email", "aim"),
        ),
    ),
    "iscx-tor-2016": (
        "TBD",
        ("browsing", "file", "voip", "audio", "chat", "mail", "p2p", "video"),
    ),
    "cstnet-2023": ("EAC", ()),
    "cw-100": ("WF", ()),
    "app-53": ("CD", ()),
}


def label_map(classes: list[str], data_set: str = "") -> dict[str, int]:
    """Class -> id: the released numbers where the data set has some and they cover the classes."""
    released = DATA_SETS.get(data_set, ("", ()))[1]
    names = released if set(classes) <= set(released) else sorted(set(classes))
    return {name: number for number, name in enumerate(names)}


def recognise(head: Head) -> TableFile | None:
    """A first object that has an instruction and an output, or messages with an answer."""
    first = first_object(head)
    found = pair(first) if first else None
    return table_file(head) if found and found[1] is not None else None


def recognise_bare(head: Head) -> TableFile | None:
    """The same without outputs, as a detector is given."""
    first = first_object(head)
    return table_file(head) if first and pair(first) else None


def table_file(head: Head) -> TableFile:
    """The file: JSON lines or an array, whose objects have no columns in common."""
    return TableFile(head.path, head.bytes, ("instruction", "output"))


def pair(record: Record) -> tuple[str, str | None] | None:
    """The instruction of a record in either of its forms, and its output if it has one."""
    answer: Any = record.get("output")
    question: list[Any] = [record.get("instruction")]
    if "messages" in record:
        messages = record["messages"]
        if not (isinstance(messages, list) and all(isinstance(part, dict) for part in messages)):
            return None
        question, answer = [part.get("content") for part in messages], None
        if messages and messages[-1].get("role", "assistant") == "assistant":
            answer = question.pop()
    if not (question and all(isinstance(text, str) for text in question)):
        return None
    return ("\n".join(question), answer) if answer is None or isinstance(answer, str) else None


def flatten(record: Record) -> dict[str, str] | None:
    """The cells of one record, a blank label without output; None if it has no instruction."""
    found = pair(record)
    if found is None:
        return None
    task, traffic = split_instruction(found[0])
    named = TASK.search(task)
    cells = {"label": (found[1] or "").strip(), "task": named[1] if named else ""}
    if not traffic:
        return {**cells, "connection": task, "instruction": task}
    return cells | traffic_cells(traffic)


def traffic_cells(traffic: str) -> dict[str, str]:
    """The columns of the traffic in any of its forms, and what makes records one split group."""
    if traffic.startswith(FLOW_MARK):
        return {"connection": traffic, **flow_cells(parse_flow(traffic))}
    if traffic.startswith("{"):
        return {"connection": traffic, **object_cells(traffic)}
    if LENGTHS.fullmatch(traffic):
        lengths = {f"length_{n}": text for n, text in enumerate(traffic.split(), 1)}
        return {"connection": traffic, **lengths}
    if fields := parse_packet(traffic):
        return {"connection": connection(fields) or traffic, **dict(fields)}
    return {"connection": traffic, "instruction": traffic}


def flow_cells(packets: list[str]) -> dict[str, str]:
    """Headers and payloads of a flow's packets apart: headers name hosts."""
    places = [payload_start(packet) for packet in packets]
    pairs = list(zip(packets, places, strict=True))
    return {
        "packets": str(len(packets)),
        "header_bytes": FLOW_MARK.join(packet[:place] for packet, place in pairs),
        "payload_bytes": FLOW_MARK.join(packet[place:] for packet, place in pairs),
    }


def object_cells(traffic: str) -> dict[str, str]:
    """A request that the release writes as a JSON object, with a column for each key."""
    try:
        found = json.loads(traffic.rstrip("."))
    except (ValueError, RecursionError):
        return {"body": traffic}
    return {"path" if name == "url" else name: text for name, text in plain(found).items()}


def connection(fields: Fields) -> str:
    """The two ends of a packet's flow in one order; empty if the text does not say both."""
    value: dict[str, Any] = dict(fields)
    ends = []
    for end in ("src", "dst"):
        host = value.get(f"ip.{end}") or value.get(f"ipv6.{end}")
        port = value.get(f"tcp.{end}port") or value.get(f"udp.{end}port") or ""
        if not host:
            return ""
        ends.append(f"{host} {port}")
    return " ".join([*sorted(ends), value.get("ip.proto", "")])


def mend(table: pa.Table) -> pa.Table:
    """Hexadecimal numbers and truth values as decimal numbers; texts stay as they are."""
    for name in table.column_names:
        if name in TEXTS or group(name) in (LABEL, "split"):
            continue
        values = pc.unique(table[name]).to_pylist()
        odd = {text: NUMBER_OF.get(text) or str(int(text, 16)) for text in values if is_odd(text)}
        if odd:
            place = pc.index_in(table[name], pa.array(list(odd)))
            known = pc.take(pa.array(list(odd.values())), place)
            table = set_text(table, name, pc.coalesce(known, table[name]))
    return table


def is_odd(text: str) -> bool:
    """Whether a value is a number that is not written as one."""
    return text in NUMBER_OF or HEXADECIMAL.fullmatch(text) is not None


TEXTS = frozenset(
    (
        *("tcp_payload", "data_data", "payload_bytes", "instruction", "path", "query", "body"),
        "tls_record_version",
    )
)
KNOWN = groups_of(
    {
        LABEL: ("label",),
        "split": ("task", "connection", "frame_number", "tcp_stream", "udp_stream", "tcp_segment"),
        "time": ("frame_time", "frame_time_epoch", "frame_time_relative", "frame_offset_shift"),
        "macs": ("eth_dst", "eth_dst_resolved", "eth_src", "eth_src_resolved"),
        "addresses": ("ip_src", "ip_dst", "ipv6_src", "ipv6_dst", "header_bytes"),
        "ports": ("tcp_srcport", "tcp_dstport", "udp_srcport", "udp_dstport"),
        "ip_id": ("ip_id",),
        "ttl": ("ip_ttl",),
        "seq_ack": ("tcp_seq", "tcp_nxtseq", "tcp_ack"),
        "checksums": (
            *("ip_checksum", "ip_checksum_status", "tcp_checksum", "tcp_checksum_status"),
            *("udp_checksum", "udp_checksum_status"),
        ),
        "gaps": ("frame_time_delta", "tcp_time_relative", "tcp_time_delta"),
        "protocol": (
            *("frame_encap_type", "frame_protocols", "eth_type", "ip_version", "ip_proto"),
            *("ip_dsfield", "ip_dsfield_dscp", "ip_dsfield_ecn"),
        ),
        "counts": ("packets", "tcp_segment_count"),
        "payload": ("tcp_payload", "data_data", "payload_bytes"),
        "http": ("method", "path", "query", "body"),
    }
)
PATTERNS = (
    (re.compile(r"^(eth|sll|wlan)_.*(src|dst|addr|oui|sa$|da$|ta$|ra$)"), "macs"),
    (re.compile(r"^ip(v6)?_(.*_)?(src|dst|addr|host)"), "addresses"),
    (re.compile(r"port$"), "ports"),
    (re.compile(r"checksum"), "checksums"),
    (re.compile(r"time|epoch"), "time"),
    (re.compile(r"stream|number|index"), "split"),
    (re.compile(r"(^|_)flags(_|$)|urgent_pointer"), "flags"),
    (re.compile(r"len(gth)?(_|$)|window|bytes|frag_offset"), "sizes"),
    (re.compile(r"^tls_"), "tls"),
)


def group(name: str) -> str:
    """The field group of a column, by tshark's name with underscores."""
    known = KNOWN(name)
    if known != COLUMN:
        return known
    return next((kind for pattern, kind in PATTERNS if pattern.search(name.lower())), COLUMN)


def read(file: TableFile, warnings: list[str]) -> Iterator[pa.Table]:
    """Blocks of records, a column a field."""
    return json_blocks(file, warnings, flatten)


TRAFFICLLM = Loader(
    name="trafficllm",
    title="TrafficLLM's JSON lines",
    recognise=recognise,
    bare=recognise_bare,
    read=read,
    sample=partial(json_sample, flatten=flatten),
    mend=mend,
    labels={"attack": "label"},
    groups=group,
    texts=TEXTS,
    time=("frame_time_epoch",),
    host=("ip_src", "ipv6_src"),
    record=("connection",),
    same_header=False,
    faults=(
        "Texts hold MAC and IP addresses, ports, times, frame and stream numbers, sequence numbers "
        "and checksums: each is a column that is masked or bookkeeping.",
        "The release is split by packet; here the packets of a connection are one split group.",
        "Numbers are decimal, hexadecimal or True and False by tshark's version: all are numbers.",
        "Flows hold raw frames: headers and payloads are two columns, headers masked.",
    ),
)
