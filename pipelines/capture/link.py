"""The link layer: the headers of the link types that captures have, and their MAC addresses.

Link types are numbered in the registry of the pcap format (LINKTYPE_ values).
"""

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.headers import (
    BYTE,
    COOKED,
    COOKED2,
    ETHERNET_HEADER,
    SHORT,
    WORD,
    Offsets,
    Rows,
    read,
    read_torn,
)
from pipelines.capture.walk import (
    ETHERNET,
    FRAME_RELAY,
    IP,
    IPV4_TYPE,
    IPV6_TYPE,
    LINK,
    LLC,
    MALFORMED_LINK,
    NOT_IP,
    PPP,
    PPPOE,
    WIFI,
    Reader,
    Steps,
    Types,
    Walk,
    always,
    chosen,
)

# An Ethernet type below this is the length of an 802.3 frame.
LEAST_TYPE = 0x600
NFLOG_PAYLOAD, MOST_ATTRIBUTES = 9, 64
ARCNET_1051, ARCNET_IPV4, ARCNET_IPV6 = 240, 212, 196
ATTRIBUTE = np.dtype([("length", "<u2"), ("type", "<u2")])
PKTAP = np.dtype([("length", "<u4"), ("next", "<u4"), ("link_type", "<u4")])
PPI = np.dtype([("version", "u1"), ("flags", "u1"), ("length", "<u2"), ("link_type", "<u4")])


def mac(records: np.ndarray) -> NDArray[np.uint64]:
    """MAC addresses as numbers."""
    high, low = records["high"].astype(np.uint64), records["low"].astype(np.uint64)
    return (high << np.uint64(32)) | low


def ethernet(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """An Ethernet header, of 802.3 with LLC behind it or with a type."""
    headers = read(walk.buffer, ETHERNET_HEADER, start)
    walk.src_mac[rows] = mac(headers["src"])
    walk.dst_mac[rows] = mac(headers["dst"])
    return typed(walk, rows, headers["type"].astype(np.int32))


def typed(walk: Walk, rows: Rows, types: Types) -> Types:
    """Ethernet types, or LLC where the field is the length of an 802.3 frame."""
    short = np.flatnonzero(types < LEAST_TYPE)
    if len(short):
        of = np.arange(len(walk.at))[rows][short]
        length = types[short]
        walk.shorten(of, np.where(length > 0, walk.at[of] + length, walk.limit[of]))
        types[short] = LLC
    return types


def _tagged(tag_bytes: int) -> Reader:
    """Ethernet with a switch's tag of ``tag_bytes`` between the addresses and the type."""

    def decode(walk: Walk, rows: Rows, start: Offsets) -> Types:
        ethernet(walk, rows, start)
        types = read(walk.buffer, SHORT, start + 12 + tag_bytes)
        return typed(walk, rows, types.astype(np.int32))

    return decode


def _cooked(header: np.dtype) -> Reader:
    def decode(walk: Walk, rows: Rows, start: Offsets) -> Types:
        headers = read(walk.buffer, header, start)
        walk.src_mac[rows] = np.where(headers["size"] == 6, mac(headers["src"]), 0)
        types = headers["type"].astype(np.int32)
        # Linux numbers 802.2 frames 4.
        return np.where(types == 4, LLC, types).astype(np.int32)

    return decode


def _type_at(offset: int) -> Reader:
    """A header with an Ethernet type at ``offset``."""
    return lambda walk, rows, start: read(walk.buffer, SHORT, start + offset).astype(np.int32)


def _ip(walk: Walk, rows: Rows, start: Offsets) -> Types:
    version = read(walk.buffer, BYTE, start) >> 4
    return chosen([version == 4, version == 6], [IPV4_TYPE, IPV6_TYPE], NOT_IP)


def _loopback(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """BSD loopback: an address family in the byte order of the machine that captured."""
    family = read(walk.buffer, WORD, start)
    family = np.where(family > 0xFFFF, family.byteswap(), family)
    # IPv6 is family 10 on Linux, 24, 28 or 30 on the BSDs and macOS.
    ipv6 = np.isin(family, (10, 24, 28, 30))
    return chosen([family == 2, ipv6], [IPV4_TYPE, IPV6_TYPE], NOT_IP)


def _arcnet(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """ARCNET as Linux captures it: RFC 1051, or RFC 1201 with three bytes more."""
    protocol = read(walk.buffer, BYTE, start + 4)
    walk.at[rows] += np.where(protocol == ARCNET_1051, 0, 3)
    is_ipv4 = (protocol == ARCNET_1051) | (protocol == ARCNET_IPV4)
    return chosen([is_ipv4, protocol == ARCNET_IPV6], [IPV4_TYPE, IPV6_TYPE], NOT_IP)


def _packet_filter(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """OpenBSD's pflog: a header that begins with its length and the address family."""
    headers = read(walk.buffer, BYTE, start).astype(np.int64)
    family = read(walk.buffer, BYTE, start + 1)
    walk.at[rows] = start + ((headers + 3) & ~3)
    return chosen([family == 2, np.isin(family, (10, 24, 28, 30))], [IPV4_TYPE, IPV6_TYPE], NOT_IP)


def _wrapped(header: np.dtype) -> Reader:
    """A header that says how long it is, and of which link type the frame behind it is."""

    def decode(walk: Walk, rows: Rows, start: Offsets) -> Types:
        headers = read(walk.buffer, header, start)
        length = headers["length"].astype(np.int64)
        walk.at[rows] = start + length
        link_type = headers["link_type"].astype(np.int64)
        good = (length >= header.itemsize) & (link_type <= 0xFFFF)
        return np.where(good, LINK + link_type, MALFORMED_LINK).astype(np.int32)

    return decode


def _netfilter_log(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """Linux netfilter: attributes in the byte order of the machine, the packet being one of them.

    Nearly all machines are little-endian; a capture of another one counts as malformed.
    """
    family = read(walk.buffer, BYTE, start)
    at, open_rows = start + 4, np.arange(len(start))
    end, found = np.array(walk.end[rows]), np.zeros(len(start), bool)
    for _ in range(MOST_ATTRIBUTES):
        attributes = read_torn(walk.buffer, ATTRIBUTE, at[open_rows], end[open_rows])
        is_payload = attributes["type"] == NFLOG_PAYLOAD
        found[open_rows[is_payload]] = True
        goes_on = ~is_payload & (attributes["length"] >= ATTRIBUTE.itemsize)
        size = (attributes["length"].astype(np.int64) + 3) & ~3
        at[open_rows] = np.minimum(at[open_rows] + np.where(is_payload, 4, size), end[open_rows])
        open_rows = open_rows[goes_on & (at[open_rows] < end[open_rows])]
        if not len(open_rows):
            break
    walk.at[rows] = at
    ipv4, ipv6 = found & (family == 2), found & (family == 10)
    return chosen([ipv4, ipv6, found], [IPV4_TYPE, IPV6_TYPE, NOT_IP], MALFORMED_LINK)


# Link type -> bytes of its header, and what reads it.
LINK_TYPES: Steps = {
    0: (4, _loopback),
    1: (14, ethernet),
    8: (16, always(IP)),  # SLIP
    9: (0, always(PPP)),
    10: (13, always(LLC)),  # FDDI
    12: (0, always(IP)),
    14: (0, always(IP)),
    50: (0, always(PPP)),
    51: (0, always(PPPOE)),
    100: (0, always(LLC)),  # ATM
    101: (0, always(IP)),
    104: (4, _type_at(2)),  # Cisco HDLC
    105: (0, always(WIFI)),
    107: (0, always(FRAME_RELAY)),
    108: (4, _loopback),
    113: (16, _cooked(COOKED)),
    117: (4, _packet_filter),
    122: (16, always(LLC)),  # IP over Fibre Channel
    129: (5, _arcnet),
    138: (18, _type_at(16)),  # IP over FireWire
    149: (12, _wrapped(PKTAP)),
    166: (2, always(PPP)),  # pppd: the direction and a control byte
    192: (8, _wrapped(PPI)),
    204: (1, always(PPP)),  # with the direction
    228: (0, always(IPV4_TYPE)),
    229: (0, always(IPV6_TYPE)),
    239: (4, _netfilter_log),
    242: (44, _type_at(40)),  # IP over InfiniBand
    258: (12, _wrapped(PKTAP)),
    276: (20, _cooked(COOKED2)),
    281: (18, _tagged(4)),  # Broadcom's tag
    282: (4, always(ETHERNET)),
    284: (18, _tagged(4)),  # Marvell's tags
    285: (22, _tagged(8)),
}
STEPS: Steps = {LINK + code: step for code, step in LINK_TYPES.items()} | {
    IP: (0, _ip),
    ETHERNET: (14, ethernet),
}
