"""The raw fields that the audit looks up: what a plain table of past values could have learned."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.datasets.fields import DEFAULT_MASKS, LABEL, SPLIT, groups_of, is_captured
from pipelines.datasets.keys import (
    Codes,
    array_codes,
    column_codes,
    combine,
    matrix,
    matrix_codes,
    numbers,
    payload_codes,
)

HOUR_NS = 3_600_000_000_000
VENDOR_SHIFT = 24  # the first three of a MAC's six bytes name its vendor
IPV4_PREFIX = 14  # ::ffff:a.b, the /16 of an IPv4 address as 16 bytes
# Groups whose columns are looked up only where they are named here, and what is no field at all.
STATISTICS = (LABEL, SPLIT, "time", "sizes", "gaps", "flags", "counts", "payload")
SITE_BYTES = 6  # the /48 that an IPv6 site is given


@dataclass(frozen=True)
class RawField:
    """A field, or a small set of them, of captured rows.

    ``columns``: what it is made of; absent from rows without one of them. ``groups``: the field
    groups it touches. A mask on any of them takes it from a model.
    """

    name: str
    columns: tuple[str, ...]
    groups: tuple[str, ...]
    read: Callable[[pa.Table], Codes]


def column(name: str, source: str, *groups: str) -> RawField:
    """A field that is a column as it is."""
    return RawField(name, (source,), groups, lambda rows: column_codes(rows[source]))


def first_of(name: str, group: str, source: str) -> RawField:
    """The first element of a column of lists: that of the first packet."""
    return RawField(name, (source,), (group,), lambda rows: array_codes(matrix(rows, source)[:, 0]))


def vendor(name: str, source: str) -> RawField:
    """The vendor bytes of a MAC address."""
    return RawField(
        name,
        (source,),
        ("macs",),
        lambda rows: array_codes(numbers(rows, source) >> np.uint64(VENDOR_SHIFT)),
    )


def prefix(name: str, source: str) -> RawField:
    """The network of an address: /16 of IPv4, /48 of IPv6."""
    return RawField(name, (source,), ("addresses",), lambda rows: networks(matrix(rows, source)))


def networks(addresses: np.ndarray) -> Codes:
    """Codes of the networks of addresses of shape (rows, 16)."""
    mapped = (addresses[:, :10] == 0).all(axis=1) & (addresses[:, 10:12] == 255).all(axis=1)
    kept = np.where(mapped, IPV4_PREFIX, SITE_BYTES)
    return matrix_codes(np.where(np.arange(16) < kept[:, None], addresses, 0).astype(np.uint8))


def together(*parts: RawField) -> RawField:
    """Several fields as one: their values side by side."""
    return RawField(
        " + ".join(part.name for part in parts),
        tuple(name for part in parts for name in part.columns),
        tuple(dict.fromkeys(group for part in parts for group in part.groups)),
        lambda rows: combine(*(part.read(rows) for part in parts)),
    )


def lowest_port(rows: pa.Table) -> Codes:
    """The lower of the two ports, mostly the server's."""
    return array_codes(np.minimum(numbers(rows, "src_port"), numbers(rows, "dst_port")))


def hours(rows: pa.Table) -> np.ndarray:
    """Hours since 1970 of each row's first packet."""
    return np.asarray(numbers(rows, "first_seen_ns") // HOUR_NS)


TTL = column("ttl", "src2dst_ttl", "ttl")
PROTOCOL = column("protocol", "protocol", "protocol")
MAC_VENDOR = vendor("mac_vendor", "src_mac")
SRC_PREFIX = prefix("src_prefix_16", "src_ip")
DST_PREFIX = prefix("dst_prefix_16", "dst_ip")
LOWEST_PORT = RawField("lowest_port", ("src_port", "dst_port"), ("ports",), lowest_port)
FIRST_LENGTH = first_of("first_packet_length", "sizes", "packet_length")
DAY = RawField("day", ("first_seen_ns",), ("time",), lambda rows: array_codes(hours(rows) // 24))
HOUR = RawField("hour", ("first_seen_ns",), ("time",), lambda rows: array_codes(hours(rows) % 24))

CAPTURE_FIELDS: tuple[RawField, ...] = (
    TTL,
    column("reply_ttl", "dst2src_ttl", "ttl"),
    column("src_mac", "src_mac", "macs"),
    MAC_VENDOR,
    vendor("dst_mac_vendor", "dst_mac"),
    column("src_ip", "src_ip", "addresses"),
    column("dst_ip", "dst_ip", "addresses"),
    SRC_PREFIX,
    DST_PREFIX,
    RawField(
        "prefix_16",
        ("src_ip", "dst_ip"),
        ("addresses",),
        lambda rows: combine(SRC_PREFIX.read(rows), DST_PREFIX.read(rows)),
    ),
    column("src_port", "src_port", "ports"),
    column("dst_port", "dst_port", "ports"),
    LOWEST_PORT,
    together(PROTOCOL, LOWEST_PORT),
    PROTOCOL,
    column("ip_version", "ip_version", "protocol"),
    column("icmp_type", "icmp_type", "protocol"),
    column("icmp_code", "icmp_code", "protocol"),
    DAY,
    HOUR,
    column("ip_id", "ip_id", "ip_id"),
    column("tcp_seq", "tcp_seq", "seq_ack"),
    column("tcp_ack", "tcp_ack", "seq_ack"),
    column("ip_checksum", "ip_checksum", "checksums"),
    column("l4_checksum", "l4_checksum", "checksums"),
    FIRST_LENGTH,
    column("packet_count", "bidirectional_packets", "counts"),
    column("bytes", "bidirectional_bytes", "sizes"),
    first_of("first_packet_flags", "flags", "packet_flags"),
    RawField("payload", ("payload", "payload_length"), ("payload",), payload_codes),
    together(TTL, FIRST_LENGTH),
    together(MAC_VENDOR, TTL),
)


def raw_fields(schema: pa.Schema) -> Iterator[RawField]:
    """The fields to look up in rows of this schema: those above, or every column of a table.

    Of captures also every column of one value a row that no field above reads, but for statistics
    (sizes, gaps, flags, counts): what protocols say, names of hosts.
    """
    if is_captured(schema):
        known = [raw for raw in CAPTURE_FIELDS if set(raw.columns) <= set(schema.names)]
        yield from known
        read = {name for raw in known for name in raw.columns}
        for declared in schema:
            groups = groups_of(declared)
            telling = not set(groups) <= set(STATISTICS)
            if declared.name not in read and telling and is_single(declared.type):
                yield column(declared.name, declared.name, *groups)
        return
    for declared in schema:
        groups = groups_of(declared)
        if not {LABEL, SPLIT}.isdisjoint(groups):
            continue
        if declared.name == "first_seen_ns":
            yield from (DAY, HOUR)
        else:
            yield column(declared.name, declared.name, *groups)


def is_single(kind: pa.DataType) -> bool:
    """Whether a column holds one value a row rather than a list."""
    return not (pa.types.is_nested(kind) or pa.types.is_fixed_size_binary(kind))


def blamed_group(groups: tuple[str, ...]) -> str:
    """The one mask that takes a set of fields from a model: an identifier's if it holds one."""
    return next((group for group in DEFAULT_MASKS if group in groups), groups[0])
