"""What packets may be carried in: the codes of ``PacketBatch.tunnel`` and their names."""

from enum import IntEnum


class Tunnel(IntEnum):
    """The outermost tunnel of a packet; 0 is none. Codes never change: they are kept in files."""

    NONE = 0
    MPLS = 1
    PPPOE = 2
    IPV4 = 3
    IPV6 = 4
    GRE = 5
    VXLAN = 6
    GENEVE = 7
    GTP_U = 8
    TEREDO = 9
    L2TP = 10
    TZSP = 11
    CAPWAP = 12


TUNNEL_NAMES = {
    Tunnel.MPLS: "MPLS",
    Tunnel.PPPOE: "PPPoE",
    Tunnel.IPV4: "IPv4 in IP",
    Tunnel.IPV6: "IPv6 in IP",
    Tunnel.GRE: "GRE",
    Tunnel.VXLAN: "VXLAN",
    Tunnel.GENEVE: "GENEVE",
    Tunnel.GTP_U: "GTP-U",
    Tunnel.TEREDO: "Teredo",
    Tunnel.L2TP: "L2TP",
    Tunnel.TZSP: "TZSP",
    Tunnel.CAPWAP: "CAPWAP",
}
