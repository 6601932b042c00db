"""TrafficLLM's flow texts: the first packets of a flow as hexadecimal bytes behind ``<pck>``."""

import struct
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_rows import flow_rows
from pipelines.capture.flow_table import Update
from pipelines.capture.settings import FlowSettings
from pipelines.capture.transport import TCP_PROTOCOL, UDP_PROTOCOL
from pipelines.datasets.loaders.packet_text import flow_text, join_instruction
from pipelines.profiles.profile import Column, Profile, schema_of
from pipelines.profiles.trafficllm import TASK

SOURCE = "https://github.com/ZGC-LLM-Safety/TrafficLLM (form of flows)"
ETHERNET_BYTES = 14
ETHERNET_TYPE = {4: 0x0800, 6: 0x86DD}
# In place of addresses: who began the flow, and who answers.
INITIATOR, RESPONDER = 1, 2
MOST_LENGTH = 0xFFFF


def _columns(settings: FlowSettings) -> tuple[Column, ...]:
    return (
        Column(
            "instruction",
            pa.string(),
            "payload",
            "",
            "The task, then the flow's first packets behind <packet>:, without identifiers",
            SOURCE,
            ("protocol", "sizes", "flags"),
        ),
    )


class _Flows:
    def __init__(self, settings: FlowSettings) -> None:
        self._settings = settings
        self._schema = schema_of(_columns(settings))

    def add(self, batch: PacketBatch, update: Update) -> pa.Table:
        return self.end(update.ended)

    def end(self, flows: np.ndarray) -> pa.Table:
        wanted = ["ip_version", "protocol", "packet_length", "packet_flags"]
        rows = flow_rows(flows, self._settings).select([*wanted, "payload_length", "payload"])
        texts = [join_instruction(TASK, flow_text(self._packets(row))) for row in rows.to_pylist()]
        return pa.table([pa.array(texts, pa.string())], schema=self._schema)

    def _packets(self, row: dict[str, Any]) -> list[str]:
        """The first packets of a flow, each a frame in hexadecimal."""
        room = self._settings.payload_bytes
        told = zip(row["packet_length"], row["packet_flags"], row["payload_length"], strict=False)
        return [
            (
                frame_header(row["ip_version"], row["protocol"], length, flags)
                + row["payload"][place * room : place * room + max(kept, 0)]
            ).hex()
            for place, (length, flags, kept) in enumerate(told)
            if length != 0
        ]


def frame_header(version: int, protocol: int, length: int, flags: int) -> bytes:
    """The Ethernet, IP and transport header of a packet, zeros wherever an identifier would be.

    ``length`` is the frame's on the wire, negative for a packet of the responder.
    """
    ends = (INITIATOR, RESPONDER) if length > 0 else (RESPONDER, INITIATOR)
    size = min(max(abs(length) - ETHERNET_BYTES, 0), MOST_LENGTH)
    link = struct.pack("!12xH", ETHERNET_TYPE[version])
    if version == 4:
        network = struct.pack("!BxH5xB2xII", 0x45, size, protocol, *ends)
    else:
        size = max(size - 40, 0)
        network = struct.pack("!B3xHBx", 0x60, size, protocol)
        network += b"".join(end.to_bytes(16, "big") for end in ends)
    if protocol == TCP_PROTOCOL:
        return link + network + struct.pack("!12xBB6x", 0x50, flags)
    if protocol == UDP_PROTOCOL:
        size -= 20 if version == 4 else 0
        return link + network + struct.pack("!4xH2x", max(size, 0))
    return link + network


TRAFFICLLM_FLOWS = Profile(
    name="trafficllm-flow",
    title="TrafficLLM's flows",
    unit="flow",
    notes="""\
Instruction data as TrafficLLM reads them, a line a flow: with `--format jsonl --label ...` it is
`{"instruction": ..., "output": ...}`, and the traffic is `<pck>` and the hexadecimal bytes of a
packet, for each of the flow's first packets (4 unless the settings say otherwise).

The released sets hold raw frames, with MAC and IP addresses, ports, TTL and sequence numbers. Here
a header is written anew: Ethernet, IP and TCP or UDP without options, zero wherever an identifier
would be. What it says is the IP version, the protocol, the length (the frame's on the wire without
14 bytes of Ethernet), TCP flags and the direction: address 1 began the flow, address 2 answers.
Behind it come the first bytes of payload (64 unless the settings say otherwise); of other protocols
than TCP and UDP they follow the IP header. netloop reads such files back, headers and payloads as
two columns, headers masked. A line is a flow, but time-outs may cut a 5-tuple into several and the
text does not say which: divide the captures first, and export each side.""",
    columns=_columns,
    open=_Flows,
    label_column="output",
)
