"""From rows of the data contract to what their texts say."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.capture import address_text
from pipelines.datasets.fields import feature_columns, is_captured
from pipelines.datasets.keys import matrix
from pipelines.represent.traffic_text.row_text import PacketText, RowText
from pipelines.represent.traffic_text.symbols import rounded_time, time_text

KIND = ("ip_version", "protocol", "icmp_type", "icmp_code")
PACKETS = ("packet_length", "packet_gap_us", "packet_flags", "payload_length", "payload")
ICMP = {(4, 1), (6, 58)}
# Sums that a few packets do not show; the other statistics are told by the packets themselves.
PAIRS = {"n": "packets", "b": "bytes"}
DURATION = "bidirectional_duration_ms"
STATISTICS = ("bidirectional_", "src2dst_", "dst2src_")
TTLS = ("src2dst_ttl", "dst2src_ttl")


def row_texts(rows: pa.Table, masks: Iterable[str]) -> Iterator[RowText]:
    """What the text of each row says under ``masks``: of flows, packets or table records.

    Gaps and durations keep two digits; null values are left out. Everything else is as it is in
    the row but the statistics of flows, which repeat what packets, counts and bytes say.
    """
    seen = feature_columns(rows.schema, masks)
    if not is_captured(rows.schema):
        for values in _values(rows, seen):
            yield RowText(values=values)
        return
    others = [name for name in seen if not _told_elsewhere(name)]
    kinds, sums = _kinds(rows, seen), _sums(rows, seen)
    for kind, (total, values, packets) in zip(
        kinds, zip(sums, _values(rows, others), _packets(rows, seen), strict=True), strict=True
    ):
        icmp = kind[2:] if kind and kind[:2] in ICMP else None
        yield RowText(kind and kind[:2], icmp, total | values, tuple(packets))


def _told_elsewhere(name: str) -> bool:
    statistic = name.startswith(STATISTICS) and name not in TTLS
    return statistic or name in KIND or name in PACKETS


def _kinds(rows: pa.Table, seen: list[str]) -> Iterator[Any]:
    if not all(name in seen for name in KIND[:2]):
        return iter([None] * rows.num_rows)
    zeros = [0] * rows.num_rows
    return zip(*(rows[name].to_pylist() if name in seen else zeros for name in KIND), strict=True)


def _sums(rows: pa.Table, seen: list[str]) -> Iterator[dict[str, str]]:
    columns: dict[str, list[str]] = {}
    for name, what in PAIRS.items():
        ways = (f"src2dst_{what}", f"dst2src_{what}")
        if all(way in seen for way in ways):
            forth, back = (rows[way].to_pylist() for way in ways)
            columns[name] = [f"{a}>{b}" for a, b in zip(forth, back, strict=True)]
    if DURATION in seen:
        microseconds = np.maximum(rows[DURATION].to_numpy() * 1000, 0).astype(np.int64)
        columns["t"] = [time_text(rounded_time(value)) for value in microseconds.tolist()]
    for place in range(rows.num_rows):
        yield {name: values[place] for name, values in columns.items()}


def _values(rows: pa.Table, names: list[str]) -> Iterator[dict[str, str]]:
    columns = {name: _texts(rows[name]) for name in names}
    for place in range(rows.num_rows):
        row = {name: values[place] for name, values in columns.items()}
        yield {name: value for name, value in row.items() if value is not None}


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    """The values of a column as texts: addresses as such, whole numbers without a point."""
    if column.type == pa.binary(16):
        return [value and address_text(value) for value in column.to_pylist()]
    if pa.types.is_floating(column.type):
        return [None if value is None else f"{value:.6g}" for value in column.to_pylist()]
    return [None if value is None else str(value) for value in column.to_pylist()]


def _packets(rows: pa.Table, seen: list[str]) -> Iterator[list[PacketText]]:
    """The first packets of every row, as far as they may be seen."""
    lengths, gaps, flags = (_lists(rows, name, seen) for name in PACKETS[:3])
    sizes = _lists(rows, "payload_length", seen)
    slots = rows.schema.field("payload_length").type.list_size
    payload = matrix(rows, "payload").reshape(rows.num_rows, slots, -1) if sizes else None
    for row in range(rows.num_rows):
        packets = []
        for place in range(_count(row, lengths, gaps, flags, sizes)):
            length = lengths[row][place] if lengths else None
            size = sizes[row][place] if sizes and place < slots else 0
            packets.append(
                PacketText(
                    backward=None if length is None else length < 0,
                    length=None if length is None else abs(length),
                    flags=flags[row][place] if flags else 0,
                    gap_us=rounded_time(max(gaps[row][place], 0)) if gaps else 0,
                    payload=_slot(payload, row, place, size),
                )
            )
        yield packets


def _slot(payload: np.ndarray | None, row: int, place: int, size: int) -> bytes:
    """The captured bytes of one payload slot; -1 is the size of one without a packet."""
    return b"" if payload is None or size <= 0 else payload[row, place, :size].tobytes()


def _lists(rows: pa.Table, name: str, seen: list[str]) -> list[list[int]] | None:
    values: list[list[int]] = matrix(rows, name).tolist() if name in seen else []
    return values or None


def _count(row: int, *columns: list[list[int]] | None) -> int:
    """How many packets of a row there are, from what may be seen of them.

    Lengths say it; without them the last packet of which anything is known is taken for the last.
    """
    lengths, gaps, flags, sizes = columns
    if lengths:
        return sum(length != 0 for length in lengths[row])
    known = [0]
    for column in (gaps, flags):
        if column:
            known += [place + 1 for place, value in enumerate(column[row]) if value]
    if sizes:
        known += [place + 1 for place, size in enumerate(sizes[row]) if size >= 0]
    return max(known)
