"""Background: chatter of a host and its network, whatever a capture is labelled with."""

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator

from pipelines.cleaning.kinds import FilterParams, Finding, Flags, Kind, Pool, of_captures
from pipelines.datasets.keys import numbers, text_codes

UDP, ICMPV6 = 17, 58
# By a UDP port on either side (IANA).
UDP_PORTS: dict[str, tuple[int, ...]] = {
    "DHCP": (67, 68),
    "NTP": (123,),
    "NetBIOS": (137, 138),
    "DHCPv6": (546, 547),
    "RIP": (520, 521),
    "SSDP": (1900,),
    "HSRP": (1985,),
    "WS-Discovery": (3702,),
    "mDNS": (5353,),
    "LLMNR": (5355,),
}
# By the number of the IP protocol (IANA).
IP_PROTOCOLS: dict[str, int] = {"IGMP": 2, "EIGRP": 88, "OSPF": 89, "PIM": 103, "VRRP": 112}
# By the type of an ICMPv6 message (RFC 4861, RFC 2710, RFC 3810).
ICMPV6_TYPES: dict[str, tuple[int, ...]] = {
    "ICMPv6 neighbour discovery": (133, 134, 135, 136, 137),
    "ICMPv6 multicast listeners": (130, 131, 132, 143),
}
PROTOCOLS: tuple[str, ...] = (*UDP_PORTS, *IP_PROTOCOLS, *ICMPV6_TYPES)
NEEDS = ("src_port", "dst_port", "protocol", "icmp_type")


class Background(FilterParams):
    """Which protocols are background."""

    protocols: list[str] = Field(default_factory=lambda: list(PROTOCOLS))

    @field_validator("protocols")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        if unknown := [name for name in names if name not in PROTOCOLS]:
            raise ValueError(f"no such protocol: {unknown[0]}; they are {', '.join(PROTOCOLS)}")
        return names


def protocol_rows(rows: pa.Table, name: str) -> Flags:
    """The rows of one of the ``PROTOCOLS``, shape (rows,)."""
    protocol = numbers(rows, "protocol")
    if name in UDP_PORTS:
        ports = UDP_PORTS[name]
        either = np.isin(numbers(rows, "src_port"), ports) | np.isin(
            numbers(rows, "dst_port"), ports
        )
        return np.asarray(either & (protocol == UDP))
    if name in IP_PROTOCOLS:
        return np.asarray(protocol == IP_PROTOCOLS[name])
    types = np.isin(numbers(rows, "icmp_type"), ICMPV6_TYPES[name])
    return np.asarray(types & (protocol == ICMPV6))


def background_rows(rows: pa.Table, protocols: list[str]) -> np.ndarray:
    """The place in ``protocols`` of the protocol of each row; -1 for rows of none."""
    found = np.full(rows.num_rows, -1)
    for place, name in enumerate(protocols):
        found[protocol_rows(rows, name)] = place
    return found


def shared_protocols(rows: pa.Table) -> list[str]:
    """The protocols that are seen in at least two classes, or that the only class has.

    What a single class of several speaks is its behaviour, not background.
    """
    classes, labels = text_codes(rows, "label")
    enough = min(2, len(classes))
    return [
        name
        for name in PROTOCOLS
        if len(np.unique(labels[protocol_rows(rows, name)])) >= max(enough, 1)
    ]


def _find(pool: Pool, params: Background) -> Finding:
    found = background_rows(pool.rows, params.protocols)
    classes, labels = text_codes(pool.rows, "label")
    hit = found >= 0
    told = []
    for place, name in enumerate(params.protocols):
        mine = found == place
        if mine.any():
            seen = len(np.unique(labels[mine]))
            told.append(f"{name} {mine.sum():,} rows in {seen} of {len(classes)} classes")
    details = [params.protocols[place] for place in found[hit]]
    return Finding(hit, details, evidence="; ".join(told) + "." if told else "")


BACKGROUND_PROTOCOLS = Kind(
    name="background_protocols",
    params=Background,
    find=_find,
    reason="Address assignment, announcements, clocks and routing of hosts of several classes. "
    "ARP and spanning tree never become rows.",
    needs=NEEDS,
    shows=("protocol", "bidirectional_packets", "bidirectional_bytes"),
    proposed=of_captures,
    defaults=lambda pool: {"protocols": shared_protocols(pool.rows)},
)
