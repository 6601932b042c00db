"""Flow and packet rows as Arrow tables: every column, its type and its field group."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.capture.batch import PacketBatch
from pipelines.capture.conversations import read_packets
from pipelines.capture.flow_state import FIRST_PACKET, LONGEST, payload_slots
from pipelines.capture.flow_table import Update
from pipelines.capture.moments import joined, statistics
from pipelines.capture.settings import FlowSettings
from pipelines.datasets.fields import SPLIT, field
from pipelines.protocols.arrays import protocol_arrays
from pipelines.protocols.columns import protocol_fields

# What each row's packets say, None for nothing known (docs/protocols.md).
Said = Sequence[Mapping[str, Any] | None]

WAYS = ("bidirectional", "src2dst", "dst2src")
STATISTICS = ("min", "mean", "stddev", "max")
# In the order of the columns; bit 0 of the TCP flags byte is FIN, bit 7 is CWR.
FLAG_BITS = {"syn": 1, "cwr": 7, "ece": 6, "urg": 5, "ack": 4, "psh": 3, "rst": 2, "fin": 0}


def _identity_fields() -> list[pa.Field]:
    address = pa.binary(16)
    return [
        field("flow", pa.int64(), SPLIT),
        field("src_ip", address, "addresses"),
        field("dst_ip", address, "addresses"),
        field("src_mac", pa.uint64(), "macs"),
        field("dst_mac", pa.uint64(), "macs"),
        field("src_port", pa.uint16(), "ports"),
        field("dst_port", pa.uint16(), "ports"),
        field("first_seen_ns", pa.int64(), "time"),
        field("last_seen_ns", pa.int64(), "time"),
        field("src2dst_ttl", pa.uint8(), "ttl"),
        field("dst2src_ttl", pa.uint8(), "ttl"),
        field("ip_id", pa.uint16(), "ip_id"),
        field("tcp_seq", pa.uint32(), "seq_ack"),
        field("tcp_ack", pa.uint32(), "seq_ack"),
        field("ip_checksum", pa.uint16(), "checksums"),
        field("l4_checksum", pa.uint16(), "checksums"),
        field("ip_version", pa.uint8(), "protocol"),
        field("protocol", pa.uint8(), "protocol"),
        field("icmp_type", pa.uint8(), "protocol"),
        field("icmp_code", pa.uint8(), "protocol"),
    ]


def _statistic_fields() -> list[pa.Field]:
    real, whole = pa.float64(), pa.int64()
    return [
        *(field(f"{way}_packets", whole, "counts") for way in WAYS),
        *(field(f"{way}_bytes", whole, "sizes") for way in WAYS),
        *(field(f"{way}_{name}_ps", real, "sizes") for way in WAYS for name in STATISTICS),
        *(field(f"{way}_duration_ms", real, "gaps") for way in WAYS),
        *(field(f"{way}_{name}_piat_ms", real, "gaps") for way in WAYS for name in STATISTICS),
        *(field(f"{way}_{flag}_packets", whole, "flags") for way in WAYS for flag in FLAG_BITS),
    ]


def _packet_fields(packets: int, payloads: int, payload_bytes: int) -> list[pa.Field]:
    return [
        field("packet_length", pa.list_(pa.int32(), packets), "sizes"),
        field("packet_gap_us", pa.list_(pa.int64(), packets), "gaps"),
        field("packet_flags", pa.list_(pa.uint8(), packets), "flags"),
        field("payload_length", pa.list_(pa.int32(), payloads), "payload"),
        field("payload", pa.binary(payloads * payload_bytes), "payload"),
    ]


@cache
def flow_schema(settings: FlowSettings) -> pa.Schema:
    """The schema of flow rows: identity, statistics, first packets, payload, protocols if asked."""
    first = _packet_fields(settings.first_packets, settings.payload_packets, settings.payload_bytes)
    said = protocol_fields() if settings.protocols else []
    return pa.schema([*_identity_fields(), *_statistic_fields(), *first, *said])


@cache
def packet_schema(settings: FlowSettings) -> pa.Schema:
    """The schema of packet rows: a flow row without statistics that keeps one packet."""
    said = protocol_fields() if settings.protocols else []
    return pa.schema([*_identity_fields(), *_packet_fields(1, 1, settings.payload_bytes), *said])


def flow_rows(flows: np.ndarray, settings: FlowSettings, said: Said | None = None) -> pa.Table:
    """Flow records (``flow_state.flow_record``) as a table of flow rows.

    ``said`` is what each flow says (``Conversations.take``), for ``settings.protocols``.
    """
    columns = {name: flows[name] for name in (*FIRST_PACKET, "flow", *_PACKET_COLUMNS)}
    columns |= {"first_seen_ns": flows["first_ns"], "last_seen_ns": flows["last_ns"]}
    columns |= {f"{way}_ttl": flows["ttl"][:, i] for i, way in enumerate(WAYS[1:])}
    columns |= flow_statistics(flows)
    return _with_protocols(columns, flow_schema(settings), said)


_PACKET_COLUMNS = ("packet_length", "packet_gap_us", "packet_flags", "payload_length", "payload")


def packet_rows(batch: PacketBatch, update: Update, settings: FlowSettings) -> pa.Table:
    """The packets of a batch that have an IP header as a table of packet rows, in file order.

    For ``settings.protocols`` each has the columns of what it says by itself.
    """
    order = np.argsort(update.rows)
    rows, backward = update.rows[order], update.backward[order]
    columns = {name: getattr(batch, name)[rows] for name in FIRST_PACKET}
    columns["flow"] = update.flow[order]
    columns["first_seen_ns"] = columns["last_seen_ns"] = batch.time_ns[rows]
    columns["src2dst_ttl"] = np.where(backward, 0, batch.ttl[rows])
    columns["dst2src_ttl"] = np.where(backward, batch.ttl[rows], 0)
    length = np.minimum(batch.wire_length[rows], LONGEST)
    columns["packet_length"] = np.where(backward, -length, length)
    columns["packet_gap_us"] = update.gap_ns[order] // 1000
    columns["packet_flags"] = batch.tcp_flags[rows]
    columns["payload_length"], columns["payload"] = payload_slots(
        batch, rows, settings.payload_bytes
    )
    said = read_packets(batch, rows) if settings.protocols else None
    return _with_protocols(columns, packet_schema(settings), said)


def _with_protocols(
    columns: dict[str, np.ndarray], schema: pa.Schema, said: Said | None
) -> pa.Table:
    """The columns as a table of ``schema``, with those of protocols where it has them."""
    rows = len(next(iter(columns.values())))
    plain = [column for column in schema if column.name in columns]
    table = as_table(columns, pa.schema(plain))
    if len(plain) == len(schema):
        return table
    spoken = protocol_arrays(said or [None] * rows)
    return pa.Table.from_arrays([*table.columns, *spoken.values()], schema=schema)


def flow_statistics(flows: np.ndarray) -> dict[str, np.ndarray]:
    """The statistic columns of flow rows, from flow records."""
    size, way_gap = flows["size"], flows["way_gap"]
    sizes = (joined(size[:, 0], size[:, 1]), size[:, 0], size[:, 1])
    gaps = (flows["gap"], way_gap[:, 0], way_gap[:, 1])
    duration = flows["way_last_ns"] - flows["way_first_ns"]
    durations = (flows["last_ns"] - flows["first_ns"], duration[:, 0], duration[:, 1])
    columns: dict[str, np.ndarray] = {}
    for index, way in enumerate(WAYS):
        columns[f"{way}_packets"] = _of_way(flows["packets"], index)
        columns[f"{way}_bytes"] = _of_way(flows["bytes"], index)
        columns[f"{way}_duration_ms"] = durations[index] / 1e6
        for name, values in statistics(sizes[index]).items():
            columns[f"{way}_{name}_ps"] = values
        for name, values in statistics(gaps[index]).items():
            columns[f"{way}_{name}_piat_ms"] = values
        flags = _of_way(flows["flags"], index)
        for flag, bit in FLAG_BITS.items():
            columns[f"{way}_{flag}_packets"] = flags[:, bit]
    return columns


def _of_way(counts: np.ndarray, index: int) -> np.ndarray:
    """Counts of one way, of shape (flows, ...); of both for index 0."""
    return counts.sum(axis=1) if index == 0 else counts[:, index - 1]


def as_table(columns: dict[str, np.ndarray], schema: pa.Schema) -> pa.Table:
    """NumPy columns, one entry or one fixed-size block a row, as a table of ``schema``."""
    return pa.Table.from_arrays(
        [_array(columns[column.name], column.type) for column in schema], schema=schema
    )


def _array(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """NumPy values as an Arrow array, without a copy where the types agree.

    From buffers, as ``pa.array`` of NumPy values imports pandas wherever that is installed.
    """
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(_array(values.ravel(), kind.value_type), type=kind)
    if not pa.types.is_fixed_size_binary(kind):
        values = values.astype(kind.to_pandas_dtype(), copy=False)
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kind, len(values), [None, buffer])
