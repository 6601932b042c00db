"""What lies between a link header and IP: VLAN tags, LLC and SNAP, MPLS, PPP and PPPoE."""

import numpy as np

from pipelines.capture.headers import BYTE, SHORT, WORD, Offsets, Rows, read, read_torn
from pipelines.capture.link import LEAST_TYPE, typed
from pipelines.capture.tunnel_names import Tunnel
from pipelines.capture.walk import (
    ETHERNET,
    FRAME_RELAY,
    IPV4_TYPE,
    IPV6_TYPE,
    LLC,
    MALFORMED_LINK,
    MPLS,
    MPLS_MULTICAST,
    NOT_IP,
    OTHER_LLC,
    OTHER_MPLS,
    PPP,
    PPP_PROTOCOL,
    PPPOE,
    PSEUDOWIRE,
    SNAP,
    Steps,
    Types,
    Walk,
    always,
    chosen,
)

VLAN_TYPES = (0x8100, 0x88A8, 0x9100)
LLC_HEADER = np.dtype([("dsap", "u1"), ("ssap", "u1"), ("control", "u1")])
SNAP_HEADER = np.dtype([("organisation", ">u2"), ("last", "u1"), ("type", ">u2")])
PPPOE_HEADER = np.dtype([("version", "u1"), ("code", "u1"), ("session", ">u2"), ("length", ">u2")])
BOTTOM_OF_STACK = 0x100
# PPP protocols: IPv4, IPv6, MPLS unicast and multicast.
PPP_KINDS = {0x0021: IPV4_TYPE, 0x0057: IPV6_TYPE, 0x0281: MPLS, 0x0283: MPLS_MULTICAST}
# Types that tell an Ethernet frame in a pseudowire: IP, ARP, VLAN tags, MPLS, PPPoE.
FRAME_TYPES = (0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8, 0x8847, 0x8863, 0x8864)


def _tag(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """A tag that ends in the type of what follows."""
    return typed(walk, rows, read(walk.buffer, SHORT, walk.at[rows] - 2).astype(np.int32))


def _llc(walk: Walk, rows: Rows, start: Offsets) -> Types:
    headers = read(walk.buffer, LLC_HEADER, start)
    unnumbered = headers["control"] == 3
    is_snap = unnumbered & (headers["dsap"] == 0xAA)
    is_ip = unnumbered & (headers["dsap"] == 0x06)
    return chosen([is_snap, is_ip], [SNAP, IPV4_TYPE], OTHER_LLC)


def _snap(walk: Walk, rows: Rows, start: Offsets) -> Types:
    headers = read(walk.buffer, SNAP_HEADER, start)
    # The organisations 00:00:00 and, for bridges (802.1H), 00:00:f8 use Ethernet types.
    known = (headers["organisation"] == 0) & np.isin(headers["last"], (0, 0xF8))
    types = headers["type"].astype(np.int32)
    return np.where(known & (types >= LEAST_TYPE), types, OTHER_LLC).astype(np.int32)


def _mpls(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """One label. What follows the last one is told by its first four bits, if at all (RFC 4928)."""
    walk.mark_tunnel(rows, Tunnel.MPLS)
    label = read(walk.buffer, WORD, start)
    version = read_torn(walk.buffer, BYTE, walk.at[rows], walk.end[rows]) >> 4
    return chosen(
        [(label & BOTTOM_OF_STACK) == 0, version == 4, version == 6],
        [MPLS, IPV4_TYPE, IPV6_TYPE],
        PSEUDOWIRE,
    )


def _pseudowire(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """An Ethernet frame behind a control word of four bytes (RFC 4448) or behind none."""
    end = walk.end[rows]
    behind_word = np.isin(read_torn(walk.buffer, SHORT, start + 16, end), FRAME_TYPES)
    behind_word &= read_torn(walk.buffer, BYTE, start, end) >> 4 == 0
    is_frame = np.isin(read_torn(walk.buffer, SHORT, start + 12, end), FRAME_TYPES)
    walk.at[rows] += np.where(behind_word & ~is_frame, 4, 0)
    return chosen([behind_word | is_frame], [ETHERNET], OTHER_MPLS)


def _pppoe(walk: Walk, rows: Rows, start: Offsets) -> Types:
    headers = read(walk.buffer, PPPOE_HEADER, start)
    walk.mark_tunnel(rows, Tunnel.PPPOE)
    walk.shorten(rows, start + PPPOE_HEADER.itemsize + headers["length"].astype(np.int64))
    good = (headers["version"] == 0x11) & (headers["code"] == 0)
    return chosen([good], [PPP], MALFORMED_LINK)


def _ppp(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """PPP (RFC 1661): address and control or not, the protocol in two bytes or compressed to one.

    Serial lines also carry Cisco's HDLC, told by its address; it has Ethernet types.
    """
    end = walk.end[rows]
    first = read_torn(walk.buffer, SHORT, start, end)
    cisco = (first == 0x0F00) | (first == 0x8F00)
    at = start + np.where((first == 0xFF03) | cisco, 2, 0)
    protocol = read_torn(walk.buffer, SHORT, at, end).astype(np.int32)
    short = ~cisco & ((protocol & 0x100) != 0)
    protocol[short] >>= 8
    walk.at[rows] = at + np.where(short, 1, 2)
    known = [~cisco & (protocol == number) for number in PPP_KINDS]
    kinds: list[int | Types] = [protocol, *PPP_KINDS.values(), PPP_PROTOCOL + protocol]
    return chosen([cisco, *known, ~cisco], kinds, NOT_IP)


def _frame_relay(walk: Walk, rows: Rows, start: Offsets) -> Types:
    """An address of two to four bytes, then a network layer id (RFC 2427) or an Ethernet type."""
    end = walk.end[rows]
    address = read_torn(walk.buffer, WORD, start, end)
    size = np.select([address & 0x1_0000 != 0, address & 0x100 != 0], [2, 3], 4)
    at = start + size
    word = read_torn(walk.buffer, SHORT, at, end).astype(np.int32)
    numbered = word >> 8 == 3
    padded = numbered & (word & 0xFF == 0)
    layer = np.where(padded, read_torn(walk.buffer, BYTE, at + 2, end), word & 0xFF)
    walk.at[rows] = at + np.where(padded, 3, 2)
    kinds = chosen(
        [layer == 0xCC, layer == 0x8E, layer == 0x80], [IPV4_TYPE, IPV6_TYPE, SNAP], OTHER_LLC
    )
    return chosen([numbered, word >= LEAST_TYPE], [kinds, word], OTHER_LLC)


STEPS: Steps = {
    **dict.fromkeys(VLAN_TYPES, (4, _tag)),
    0x8909: (8, _tag),  # Cisco MetaData
    0x88E7: (4, always(ETHERNET)),  # a provider's backbone (802.1ah)
    0x8903: (2, always(ETHERNET)),  # Cisco FabricPath
    LLC: (3, _llc),
    SNAP: (5, _snap),
    MPLS: (4, _mpls),
    MPLS_MULTICAST: (4, _mpls),
    PSEUDOWIRE: (0, _pseudowire),
    PPPOE: (6, _pppoe),
    PPP: (1, _ppp),
    FRAME_RELAY: (2, _frame_relay),
}
