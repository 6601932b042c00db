"""The headers of tunnels: GRE, VXLAN, GENEVE, GTP-U, Teredo, L2TP, TZSP, CAPWAP.

Ports are only a hint that there is a tunnel, so each header is checked as strictly as its
specification allows; what does not fit is ``NO_TUNNEL``.
"""

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.headers import BYTE, IPV6, SHORT, WORD, Offsets, Rows, read, read_torn
from pipelines.capture.tunnel_names import Tunnel
from pipelines.capture.walk import (
    CAPWAP,
    ETHERNET,
    GENEVE,
    GRE,
    GTP_U,
    IP,
    IPV4_TYPE,
    IPV6_TYPE,
    L2TP,
    LINK,
    MPLS,
    MPLS_MULTICAST,
    NO_TUNNEL,
    NOT_IP,
    PPP,
    TEREDO,
    TZSP,
    VXLAN,
    VXLAN_GPE,
    WIFI,
    WIFI_SWAPPED,
    Steps,
    Types,
    Walk,
    chosen,
)

GRE_HEADER = np.dtype([("flags", ">u2"), ("type", ">u2")])
# RFC 2784, 2890, and 2637 for version 1, which has an acknowledgement too.
CHECKSUM, ROUTING, KEY, SEQUENCE, ACKNOWLEDGEMENT, VERSION = 0x8000, 0x4000, 0x2000, 0x1000, 0x80, 7
GRE_PPP, ERSPAN, ERSPAN_3, CISCO_METADATA = 0x880B, 0x88BE, 0x22EB, 0x8909
# What GRE carries as it carries Ethernet types.
GRE_TYPES = (IPV4_TYPE, IPV6_TYPE, ETHERNET, MPLS, MPLS_MULTICAST, 0x8100)

VXLAN_HEADER = np.dtype([("flags", ">u4"), ("network", "V3"), ("reserved", "u1")])
NETWORK_GIVEN, GROUP_GIVEN, PROTOCOL_GIVEN = 0x08, 0x80, 0x04
GENEVE_HEADER = np.dtype(
    [("version", "u1"), ("flags", "u1"), ("type", ">u2"), ("network", "V3"), ("reserved", "u1")]
)
GTP_HEADER = np.dtype([("flags", "u1"), ("message", "u1"), ("length", ">u2"), ("tunnel", ">u4")])
GTP_DATA, GTP_EXTENDED, GTP_OPTIONAL, MOST_EXTENSIONS = 255, 4, 7, 8
TEREDO_AUTHENTICATION = np.dtype([("type", ">u2"), ("id", "u1"), ("value", "u1")])
TEREDO_PREFIX, LINK_LOCAL = 0x2001_0000, 0xFE80_0000
TZSP_HEADER = np.dtype([("version", "u1"), ("type", "u1"), ("frame", ">u2")])
CAPWAP_NATIVE, CAPWAP_PIECE, CAPWAP_ALIVE = 0x100, 0x80, 0x08
TZSP_END, MOST_TAGS = 1, 64


def _gre(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """GRE of version 0, and of version 1, which carries PPP; routed GRE is long gone."""
    walk.mark_tunnel(rows, Tunnel.GRE)
    headers = read(walk.buffer, GRE_HEADER, start)
    flags, kind = headers["flags"], headers["type"].astype(np.int32)
    at = start + GRE_HEADER.itemsize + _gre_fields_bytes(flags)
    # Cisco's metadata: eight bytes, of which the first two are the type of what follows.
    has_metadata = kind == CISCO_METADATA
    next_kind = read_torn(walk.buffer, SHORT, at, walk.end[rows])
    kind = np.where(has_metadata, next_kind, kind).astype(np.int32)
    at += np.where(has_metadata, 8, 0)
    at += _mirror_bytes(walk, kind, flags, at, walk.end[rows])
    walk.at[rows] = at
    is_ppp, is_mirror = kind == GRE_PPP, (kind == ERSPAN) | (kind == ERSPAN_3)
    good = (flags & ROUTING == 0) & (flags & VERSION == np.where(is_ppp, 1, 0))
    # PPTP acknowledges in packets that carry nothing.
    is_empty = is_ppp & (flags & SEQUENCE == 0)
    conditions = [~good, is_empty, is_ppp, is_mirror, np.isin(kind, GRE_TYPES)]
    return chosen(conditions, [NO_TUNNEL, NOT_IP, PPP, ETHERNET, kind], NO_TUNNEL)


def _gre_fields_bytes(flags: NDArray[np.uint16]) -> NDArray[np.int64]:
    """The size of the optional fields, of four bytes each."""
    size = np.where((flags & VERSION == 1) & (flags & ACKNOWLEDGEMENT != 0), 4, 0)
    for flag in (CHECKSUM, KEY, SEQUENCE):
        size += np.where(flags & flag != 0, 4, 0)
    return size


def _mirror_bytes(
    walk: Walk, kind: Types, flags: NDArray[np.uint16], at: Offsets, end: Offsets
) -> NDArray[np.int64]:
    """The size of ERSPAN's header: its first type has none and no sequence number; the third has
    eight bytes more if its last bit says so."""
    last = read_torn(walk.buffer, BYTE, at + 11, end)
    third = 12 + (last & 1).astype(np.int64) * 8
    second = np.where(flags & SEQUENCE != 0, 8, 0)
    return np.select([kind == ERSPAN, kind == ERSPAN_3], [second, third], 0)


def _vxlan(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """RFC 7348, with the group policy that some implementations add."""
    walk.mark_tunnel(rows, Tunnel.VXLAN)
    headers = read(walk.buffer, VXLAN_HEADER, start)
    plain = headers["flags"] == NETWORK_GIVEN << 24
    grouped = headers["flags"] >> 24 == NETWORK_GIVEN | GROUP_GIVEN
    return chosen([(plain | grouped) & (headers["reserved"] == 0)], [ETHERNET], NO_TUNNEL)


def _vxlan_gpe(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """The generic protocol extension: version 0, and one byte says what follows. That may be a
    service header (RFC 8300), which stays closed."""
    walk.mark_tunnel(rows, Tunnel.VXLAN)
    headers = read(walk.buffer, VXLAN_HEADER, start)
    word = headers["flags"]
    good = word & 0xFFFFFF00 == (NETWORK_GIVEN | PROTOCOL_GIVEN) << 24
    good &= headers["reserved"] == 0
    kinds = [IPV4_TYPE, IPV6_TYPE, ETHERNET, NOT_IP]
    return chosen([good & (word & 0xFF == n) for n in (1, 2, 3, 4)], kinds, NO_TUNNEL)


def _geneve(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """RFC 8926: version 0, and the options' size in words."""
    walk.mark_tunnel(rows, Tunnel.GENEVE)
    headers = read(walk.buffer, GENEVE_HEADER, start)
    walk.at[rows] += (headers["version"] & 0x3F).astype(np.int64) * 4
    kind = headers["type"].astype(np.int32)
    good = (headers["version"] >> 6 == 0) & (headers["flags"] & 0x3F == 0)
    good &= (headers["reserved"] == 0) & np.isin(kind, (ETHERNET, IPV4_TYPE, IPV6_TYPE))
    return np.where(good, kind, NO_TUNNEL).astype(np.int32)


def _gtp(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """User data of GTP version 1 (3GPP TS 29.281), behind its optional fields and extensions."""
    walk.mark_tunnel(rows, Tunnel.GTP_U)
    headers = read(walk.buffer, GTP_HEADER, start)
    flags = headers["flags"]
    stop = start + GTP_HEADER.itemsize + headers["length"].astype(np.int64)
    good = (flags & 0xF8 == 0x30) & (headers["message"] == GTP_DATA) & (stop <= walk.limit[rows])
    at = start + GTP_HEADER.itemsize + np.where(flags & GTP_OPTIONAL != 0, 4, 0)
    end = np.minimum(walk.end[rows], stop)
    _skip_gtp_extensions(walk, at, end, np.flatnonzero(flags & GTP_EXTENDED))
    walk.shorten(rows, np.where(good, stop, walk.limit[rows]))
    walk.at[rows] = at
    return chosen([good], [IP], NO_TUNNEL)


def _skip_gtp_extensions(walk: Walk, at: Offsets, end: Offsets, rows: NDArray[np.intp]) -> None:
    """Each begins with its size in words and ends with the type of the next, 0 if none."""
    for _ in range(MOST_EXTENSIONS):
        rows = rows[read_torn(walk.buffer, BYTE, at[rows] - 1, end[rows]) != 0]
        if not len(rows):
            return
        words = read_torn(walk.buffer, BYTE, at[rows], end[rows]).astype(np.int64)
        # An extension of no size is none: step out of the packet.
        at[rows] = np.where(words > 0, at[rows] + words * 4, end[rows] + 1)


def _teredo(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """RFC 4380: an authentication and an origin, or neither, then IPv6 with Teredo's addresses."""
    walk.mark_tunnel(rows, Tunnel.TEREDO)
    end = walk.end[rows]
    headers = read_torn(walk.buffer, TEREDO_AUTHENTICATION, start, end)
    sizes = headers["id"].astype(np.int64) + headers["value"]
    at = start + np.where(headers["type"] == 1, sizes + 13, 0)
    at += np.where(read_torn(walk.buffer, SHORT, at, end) == 0, 8, 0)
    walk.at[rows] = at
    inner = read_torn(walk.buffer, IPV6, at, end)
    good = (inner["version_flow"] >> 28 == 6) & (at + IPV6.itemsize <= end)
    # What the snap length cut off is believed, so that its first half is no payload.
    cut = (at + IPV6.itemsize > end) & (end < walk.limit[rows])
    cut &= (at >= end) | (read_torn(walk.buffer, BYTE, at, end) >> 4 == 6)
    prefixes = [(inner[name]["high"] >> np.uint64(32)).astype(np.int64) for name in ("src", "dst")]
    of_teredo = [(p == TEREDO_PREFIX) | (p & 0xFFC0_0000 == LINK_LOCAL) for p in prefixes]
    return chosen([cut | good & (of_teredo[0] | of_teredo[1])], [IPV6_TYPE], NO_TUNNEL)


def _l2tp(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """Data of L2TP version 2 (RFC 2661) that carries PPP; control messages carry no packets.

    What data of version 3 (RFC 3931) carries was agreed before: it stays closed.
    """
    walk.mark_tunnel(rows, Tunnel.L2TP)
    flags, end = read(walk.buffer, SHORT, start), walk.end[rows]
    sized, sequenced, padded = (flags & flag != 0 for flag in (0x4000, 0x0800, 0x0200))
    length = read_torn(walk.buffer, SHORT, start + 2, end).astype(np.int64)
    at = start + 6 + np.where(sized, 2, 0) + np.where(sequenced, 4, 0)
    padding = read_torn(walk.buffer, SHORT, at, end).astype(np.int64)
    at += np.where(padded, padding + 2, 0)
    walk.at[rows] = at
    stop = np.where(sized, start + length, walk.limit[rows])
    word = read_torn(walk.buffer, SHORT, at, end)
    good = (flags & 0xB4FF == 2) & (stop <= walk.limit[rows])
    good &= np.isin(word, (0xFF03, 0x0021, 0x0057)) | np.isin(word >> 8, (0x21, 0x57))
    walk.shorten(rows, np.where(good, stop, walk.limit[rows]))
    is_newer = (flags == 3) & (read_torn(walk.buffer, SHORT, start + 2, end) == 0)
    return chosen([good, is_newer], [PPP, NOT_IP], NO_TUNNEL)


def _tzsp(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """Received frames of Ethernet or 802.11, behind tags of which the last has type 1."""
    walk.mark_tunnel(rows, Tunnel.TZSP)
    headers = read(walk.buffer, TZSP_HEADER, start)
    at, end = start + TZSP_HEADER.itemsize, walk.end[rows]
    tags, ended = np.arange(len(start)), np.zeros(len(start), bool)
    for _ in range(MOST_TAGS):
        if not len(tags):
            break
        kind = read_torn(walk.buffer, BYTE, at[tags], end[tags])
        size = read_torn(walk.buffer, BYTE, at[tags] + 1, end[tags]).astype(np.int64) + 2
        within = at[tags] < end[tags]
        at[tags] += np.where(kind <= TZSP_END, 1, size)
        ended[tags[within & (kind == TZSP_END)]] = True
        tags = tags[within & (kind != TZSP_END)]
    walk.at[rows] = at
    good = ended & (headers["version"] == 1) & (headers["type"] == 0)
    frame = headers["frame"]
    return chosen([good & (frame == 1), good & (frame == 18)], [ETHERNET, LINK + 105], NO_TUNNEL)


def _capwap(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """Data of access points (RFC 5415): whole frames of Ethernet or 802.11, in clear."""
    walk.mark_tunnel(rows, Tunnel.CAPWAP)
    word = read(walk.buffer, WORD, start)
    at = start + (word >> 19 & 31).astype(np.int64) * 4
    walk.at[rows] = at
    control = read_torn(walk.buffer, SHORT, at, walk.end[rows])
    good = (word >> 24 == 0) & (word >> 19 & 31 >= 2) & (word & (CAPWAP_PIECE | CAPWAP_ALIVE) == 0)
    native = word & CAPWAP_NATIVE != 0
    wifi = good & native & (word >> 9 & 31 == 1)
    # 802.11 has version 0, in the last two bits of the first byte.
    swapped = wifi & (control & 0x0300 != 0) & (control & 0x03 == 0)
    return chosen([swapped, wifi, good & ~native], [WIFI_SWAPPED, WIFI, ETHERNET], NO_TUNNEL)


STEPS: Steps = {
    GRE: (4, _gre),
    VXLAN: (8, _vxlan),
    VXLAN_GPE: (8, _vxlan_gpe),
    GENEVE: (8, _geneve),
    GTP_U: (8, _gtp),
    TEREDO: (1, _teredo),
    L2TP: (2, _l2tp),
    TZSP: (4, _tzsp),
    CAPWAP: (8, _capwap),
}
