"""TrafficLLM's packet texts: an instruction a packet, to be written as JSON lines."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_table import Update
from pipelines.capture.settings import FlowSettings
from pipelines.capture.transport import TCP_PROTOCOL, UDP_PROTOCOL
from pipelines.datasets.loaders.packet_text import Fields, join_instruction, packet_text
from pipelines.profiles.lengths import wire_lengths
from pipelines.profiles.profile import Column, Profile, schema_of

SOURCE = "https://github.com/ZGC-LLM-Safety/TrafficLLM (names of fields: tshark)"
TASK = (
    "Given the following traffic data <packet> that contains protocol fields, traffic features, "
    "and payloads. Please conduct the TRAFFIC DETECTION TASK to determine which class the traffic "
    "belongs to."
)
FLAGS = ("fin", "syn", "reset", "push", "ack", "urg", "ecn", "cwr")


def _columns(settings: FlowSettings) -> tuple[Column, ...]:
    return (
        Column(
            "instruction",
            pa.string(),
            "payload",
            "",
            "The task, then the packet's fields behind <packet>:, without identifiers",
            SOURCE,
            ("protocol", "sizes", "flags"),
        ),
    )


class _Packets:
    def __init__(self, settings: FlowSettings) -> None:
        self._most = settings.payload_bytes
        self._schema = schema_of(_columns(settings))

    def add(self, batch: PacketBatch, update: Update) -> pa.Table:
        rows = np.sort(update.rows)
        lengths = wire_lengths(batch, rows).header
        texts = [
            join_instruction(TASK, packet_text(self._fields(batch, row, int(length))))
            for row, length in zip(rows.tolist(), lengths.tolist(), strict=True)
        ]
        return pa.table([pa.array(texts, pa.string())], schema=self._schema)

    def end(self, flows: np.ndarray) -> pa.Table:
        return self._schema.empty_table()

    def _fields(self, batch: PacketBatch, row: int, header: int) -> Fields:
        """What is said of a packet, in TrafficLLM's order; nothing that a default mask hides."""
        protocol = int(batch.protocol[row])
        fields: Fields = [
            ("frame.len", str(batch.wire_length[row])),
            ("ip.version", str(batch.ip_version[row])),
            ("ip.len", str(batch.ip_length[row])),
            ("ip.proto", str(protocol)),
        ]
        payload = _payload(batch, row)
        if protocol == TCP_PROTOCOL:
            flags = int(batch.tcp_flags[row])
            fields += [("tcp.hdr_len", str(header)), ("tcp.flags", f"0x{flags:08x}")]
            fields += [
                (f"tcp.flags.{name}", str(flags >> bit & 1)) for bit, name in enumerate(FLAGS)
            ]
            fields.append(("tcp.window_size_value", str(batch.tcp_window[row])))
            if len(payload):
                fields.append(("tcp.payload", payload[: self._most].tobytes().hex()))
        elif protocol == UDP_PROTOCOL:
            fields.append(("data.len", str(len(payload))))
            if len(payload):
                fields.append(("data.data", payload[: self._most].tobytes().hex()))
        return fields


def _payload(batch: PacketBatch, row: int) -> NDArray[np.uint8]:
    start = int(batch.payload_offset[row])
    return np.asarray(batch.buffer[start : start + int(batch.payload_length[row])])


TRAFFICLLM_PACKETS = Profile(
    name="trafficllm",
    title="TrafficLLM",
    unit="packet",
    notes="""\
Instruction data as TrafficLLM reads them; with `--format jsonl --label ...` a line is
`{"instruction": ..., "output": ...}`. Fields have tshark's names and TrafficLLM's order. Addresses,
ports, times, TTL, IP id, sequence numbers and checksums are never written, though the released sets
hold them. `tcp.payload` and `data.data` are the first bytes of payload in hexadecimal (64 unless
the settings say otherwise). netloop reads such files back: each field is a typed column. The text
does not say which packets are of one flow, so a file that was read back can only be split by equal
packets: divide the captures first, and export each side.""",
    columns=_columns,
    open=_Packets,
    label_column="output",
)
