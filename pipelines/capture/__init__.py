"""Captures: pcap and pcapng bytes to columns of packets, and from those to flows."""

from pipelines.capture.addresses import address_text
from pipelines.capture.batch import PacketBatch
from pipelines.capture.community_id import community_id
from pipelines.capture.decode import read_batches
from pipelines.capture.flow_rows import flow_schema, packet_schema
from pipelines.capture.flows import read_flows, read_packet_rows
from pipelines.capture.health import CaptureHealth, CorruptRecord
from pipelines.capture.settings import FlowSettings

__all__ = [
    "CaptureHealth",
    "CorruptRecord",
    "FlowSettings",
    "PacketBatch",
    "address_text",
    "community_id",
    "flow_schema",
    "packet_schema",
    "read_batches",
    "read_flows",
    "read_packet_rows",
]
