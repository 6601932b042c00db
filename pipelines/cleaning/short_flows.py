"""Flows that hold too little to be judged by."""

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipelines.cleaning.kinds import FilterParams, Finding, Flags, Kind, of_captures
from pipelines.datasets.keys import matrix, numbers

TCP, UDP = 6, 17
SHOWN = ("protocol", "bidirectional_packets", "bidirectional_bytes", "bidirectional_duration_ms")


class FewPackets(FilterParams):
    """How short is too short."""

    packets: int = Field(default=2, ge=1, description="Flows with fewer go")


def few_packets(rows: pa.Table, packets: int = 2) -> Flags:
    """Flows with fewer than ``packets`` packets."""
    return np.asarray(numbers(rows, "bidirectional_packets") < packets)


def other_protocols(rows: pa.Table) -> Flags:
    """Rows that are neither TCP nor UDP."""
    return ~np.isin(numbers(rows, "protocol"), (TCP, UDP))


def tcp_without_payload(rows: pa.Table) -> Flags:
    """TCP flows of which no packet was pushed and no first packet carries a byte."""
    silent = np.all(matrix(rows, "payload_length") <= 0, axis=1)
    unpushed = numbers(rows, "bidirectional_psh_packets") == 0
    return np.asarray((numbers(rows, "protocol") == TCP) & silent & unpushed)


def tcp_without_handshake(rows: pa.Table) -> Flags:
    """TCP flows without any SYN: they began before the capture, or after a time-out."""
    unopened = numbers(rows, "bidirectional_syn_packets") == 0
    return np.asarray((numbers(rows, "protocol") == TCP) & unopened)


FEW_PACKETS = Kind(
    name="few_packets",
    params=FewPackets,
    find=lambda pool, params: Finding(few_packets(pool.rows, params.packets)),
    reason="One packet says little about behaviour; scans and floods are made of such flows.",
    needs=("bidirectional_packets",),
    shows=SHOWN,
    proposed=of_captures,
)
OTHER_PROTOCOLS = Kind(
    name="other_protocols",
    params=FilterParams,
    find=lambda pool, params: Finding(other_protocols(pool.rows)),
    reason="Neither TCP nor UDP: no ports and little payload, mostly ICMP and routing.",
    needs=("protocol",),
    shows=SHOWN,
    proposed=of_captures,
)
TCP_WITHOUT_PAYLOAD = Kind(
    name="tcp_without_payload",
    params=FilterParams,
    find=lambda pool, params: Finding(tcp_without_payload(pool.rows)),
    reason="TCP that never carried a byte: refused or half-open connections, which is what scans "
    "and floods look like.",
    needs=("protocol", "payload_length", "bidirectional_psh_packets"),
    shows=SHOWN,
    proposed=of_captures,
)
TCP_WITHOUT_HANDSHAKE = Kind(
    name="tcp_without_handshake",
    params=FilterParams,
    find=lambda pool, params: Finding(tcp_without_handshake(pool.rows)),
    reason="TCP without a SYN: the flow began before its capture did or goes on after a time-out, "
    "so its first packets are not the beginning of anything.",
    needs=("protocol", "bidirectional_syn_packets"),
    shows=SHOWN,
    proposed=of_captures,
)
