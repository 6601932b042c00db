"""Protocol headers as NumPy record types, and how to read many of them at once.

A piece of a capture is one byte buffer. A view of it with a stride of one byte has, at index i,
the header that begins at byte i; indexing that view with an array of offsets reads one header a
packet in a single call. Every buffer ends in ``PADDING`` spare bytes, and NumPy checks each
index, so no read can leave the buffer; bytes behind a packet's end are cut off by ``read_torn``.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# Spare bytes behind a piece: more than any header or payload slot that is read from it.
PADDING = 1 << 16

Buffer: TypeAlias = NDArray[np.uint8]
Offsets: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = "slice | NDArray[np.intp]"

ADDRESS = np.dtype([("high", ">u8"), ("low", ">u8")])

MAC = np.dtype([("high", ">u2"), ("low", ">u4")])
ETHERNET_HEADER = np.dtype([("dst", MAC), ("src", MAC), ("type", ">u2")])
COOKED = np.dtype([("", "V4"), ("size", ">u2"), ("src", MAC), ("", "V2"), ("type", ">u2")])
COOKED2 = np.dtype([("type", ">u2"), ("", "V9"), ("size", "u1"), ("src", MAC), ("", "V2")])
IPV4 = np.dtype(
    [
        ("version_length", "u1"),
        ("service", "u1"),
        ("length", ">u2"),
        ("id", ">u2"),
        ("fragment", ">u2"),
        ("ttl", "u1"),
        ("protocol", "u1"),
        ("checksum", ">u2"),
        ("src", ">u4"),
        ("dst", ">u4"),
    ]
)
IPV6 = np.dtype(
    [
        ("version_flow", ">u4"),
        ("length", ">u2"),
        ("next", "u1"),
        ("hops", "u1"),
        ("src", ADDRESS),
        ("dst", ADDRESS),
    ]
)
EXTENSION = np.dtype([("next", "u1"), ("length", "u1"), ("fragment", ">u2"), ("id", ">u4")])
TCP = np.dtype(
    [
        ("src_port", ">u2"),
        ("dst_port", ">u2"),
        ("seq", ">u4"),
        ("ack", ">u4"),
        ("offset", "u1"),
        ("flags", "u1"),
        ("window", ">u2"),
        ("checksum", ">u2"),
        ("urgent", ">u2"),
    ]
)
UDP = np.dtype([("src_port", ">u2"), ("dst_port", ">u2"), ("length", ">u2"), ("checksum", ">u2")])
ICMP = np.dtype([("type", "u1"), ("code", "u1"), ("checksum", ">u2")])
BYTE = np.dtype("u1")
SHORT = np.dtype(">u2")
WORD = np.dtype(">u4")


def read(buffer: Buffer, header: np.dtype, offsets: Offsets) -> np.ndarray:
    """The headers that begin at ``offsets``, one record each; IndexError outside ``buffer``."""
    count = len(buffer) - header.itemsize + 1
    every = np.ndarray((count,), raw_kind(header), buffer=buffer.data, strides=(1,))
    return every[offsets].view(header)


def raw_kind(record: np.dtype) -> np.dtype:
    """Records as plain bytes: NumPy copies these at once, but the fields of a record one by one."""
    return np.dtype((np.void, record.itemsize))


def read_torn(buffer: Buffer, header: np.dtype, offsets: Offsets, ends: Offsets) -> np.ndarray:
    """Like ``read``, but a field that does not end before ``ends`` (one a header) reads as zero."""
    records = read(buffer, header, np.minimum(offsets, ends))
    torn = np.flatnonzero(offsets + header.itemsize > ends)
    if len(torn):
        available = (ends - offsets)[torn]
        if header.fields is None:
            records[torn] = 0
        for name, (kind, start, *_) in (header.fields or {}).items():
            lost = torn[available < start + kind.itemsize]
            records[name][lost] = np.zeros((), kind)
    return records


def rows_where(mask: NDArray[np.bool_]) -> Rows:
    """The rows where ``mask`` is true: a slice if all are, which NumPy copies much faster."""
    return slice(None) if mask.all() else np.flatnonzero(mask)
