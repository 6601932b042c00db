"""802.11: data frames, and the headers that capturing programs put in front of them."""

import numpy as np

from pipelines.capture.headers import BYTE, MAC, WORD, Offsets, Rows, read, read_torn
from pipelines.capture.link import mac
from pipelines.capture.walk import (
    LINK,
    LLC,
    MALFORMED_LINK,
    WIFI,
    WIFI_CONTROL,
    WIFI_EMPTY,
    WIFI_ENCRYPTED,
    WIFI_MANAGEMENT,
    WIFI_PADDED,
    WIFI_SWAPPED,
    Reader,
    Steps,
    Types,
    Walk,
    chosen,
)

RADIOTAP = np.dtype([("version", "u1"), ("", "V1"), ("length", "<u2"), ("present", "<u4")])
PRESENT_WORD = np.dtype("<u4")
# Bits of radiotap's first word of present fields, and of its flags field.
HAS_TIME, HAS_FLAGS, HAS_MORE = 1 << 0, 1 << 1, 1 << 31
ENDS_IN_CHECKSUM, IS_PADDED = 0x10, 0x20
MOST_PRESENT_WORDS = 32
CHECKSUM_BYTES = 4
PRISM = np.dtype([("code", "<u4"), ("length", "<u4")])
AVS_MAGIC = 0x80211000

CONTROL = np.dtype([("type", "u1"), ("flags", "u1")])
FRAME = np.dtype(
    [("", "V4"), ("one", MAC), ("two", MAC), ("three", MAC), ("", "V2"), ("four", MAC)]
)
# Frame control: type and subtype bits, then flags.
DATA, QUALITY, EMPTY = 2, 0x80, 0x40
TO_SYSTEM, FROM_SYSTEM, ENCRYPTED, ORDER = 0x01, 0x02, 0x40, 0x80
# An aggregate of packets, in the quality-of-service field; the first packet's header comes next.
AGGREGATE, AGGREGATE_HEADER = 0x80, 14


def _radiotap(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """Only the flags are read: they say what surrounds the frame's contents (radiotap.org)."""
    headers = read(walk.buffer, RADIOTAP, start)
    end = walk.end[rows]
    present = headers["present"]
    fields = _after_present_words(walk, present, start, end) - start
    # The time has eight bytes, aligned to eight from the header's beginning.
    fields = np.where(present & HAS_TIME, (fields + 7 & ~7) + 8, fields)
    flags = read_torn(walk.buffer, BYTE, start + fields, end)
    flags = np.where(present & HAS_FLAGS, flags, 0)
    length = headers["length"].astype(np.int64)
    walk.at[rows] = start + length
    whole = (flags & ENDS_IN_CHECKSUM != 0) & (end == walk.limit[rows])
    walk.shorten(rows, end - np.where(whole, CHECKSUM_BYTES, 0))
    good = (headers["version"] == 0) & (length >= RADIOTAP.itemsize)
    return chosen([~good, flags & IS_PADDED != 0], [MALFORMED_LINK, WIFI_PADDED], WIFI)


def _after_present_words(walk: Walk, present: np.ndarray, start: Offsets, end: Offsets) -> Offsets:
    at = start + RADIOTAP.itemsize
    more = np.flatnonzero(present & HAS_MORE)
    for _ in range(MOST_PRESENT_WORDS):
        if not len(more):
            break
        words = read_torn(walk.buffer, PRESENT_WORD, at[more], end[more])
        at[more] += PRESENT_WORD.itemsize
        more = more[words & HAS_MORE != 0]
    return at


def _prism(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """Prism's header; some drivers write AVS's under the same link type."""
    words = read(walk.buffer, WORD, start)
    is_avs = words & 0xFFFFF000 == AVS_MAGIC
    length = np.where(
        is_avs, read(walk.buffer, WORD, start + 4), read(walk.buffer, PRISM, start)["length"]
    ).astype(np.int64)
    walk.at[rows] = start + length
    return chosen([length >= PRISM.itemsize], [WIFI], MALFORMED_LINK)


def _frame(alignment: int = 1, *, swapped: bool = False) -> Reader:
    """An 802.11 frame whose header is padded to a multiple of ``alignment`` bytes.

    Some access points hand frames on with the two bytes of the frame control ``swapped``.
    """

    def decode(walk: Walk, rows: Rows, start: Offsets) -> Types:
        control = read(walk.buffer, CONTROL, start)
        kind, flags = control["type"], control["flags"]
        if swapped:
            kind, flags = flags, kind
        both = flags & (TO_SYSTEM | FROM_SYSTEM) == TO_SYSTEM | FROM_SYSTEM
        quality = kind & QUALITY != 0
        size = 24 + np.where(both, 6, 0) + np.where(quality, 2, 0)
        qos_at = start + size - 2
        size += np.where(quality & (flags & ORDER != 0), 4, 0)
        size += -size % alignment
        qos = read_torn(walk.buffer, BYTE, qos_at, walk.end[rows])
        size += np.where(quality & (qos & AGGREGATE != 0), AGGREGATE_HEADER, 0)
        walk.at[rows] = start + size
        is_data = (kind >> 2 & 3 == DATA) & (kind & EMPTY == 0)
        _addresses(walk, rows, start, flags, is_data)
        return chosen(
            [
                kind & 3 != 0,
                kind >> 2 & 3 == 0,
                kind >> 2 & 3 != DATA,
                kind & EMPTY != 0,
                flags & ENCRYPTED != 0,
            ],
            [MALFORMED_LINK, WIFI_MANAGEMENT, WIFI_CONTROL, WIFI_EMPTY, WIFI_ENCRYPTED],
            LLC,
        )

    return decode


def _addresses(
    walk: Walk, rows: Rows, start: Offsets, flags: np.ndarray, is_data: np.ndarray
) -> None:
    """Source and destination, whose places depend on which sides are the distribution system."""
    headers = read_torn(walk.buffer, FRAME, start, walk.end[rows])
    one, two, three, four = (mac(headers[name]) for name in ("one", "two", "three", "four"))
    to_system, from_system = flags & TO_SYSTEM != 0, flags & FROM_SYSTEM != 0
    src = np.select([to_system & from_system, from_system], [four, three], two)
    walk.src_mac[rows] = np.where(is_data, src, 0)
    walk.dst_mac[rows] = np.where(is_data, np.where(to_system, three, one), 0)


STEPS: Steps = {
    LINK + 119: (8, _prism),
    LINK + 127: (8, _radiotap),
    LINK + 163: (8, _prism),
    WIFI: (2, _frame()),
    WIFI_PADDED: (2, _frame(4)),
    WIFI_SWAPPED: (2, _frame(swapped=True)),
}
