"""Who a connection of Zeek's conn.log is between, and what it is called."""

from base64 import b32encode
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.capture.community_id import ANSWERS, ANSWERS_V6, community_id
from pipelines.capture.transport import (
    ICMP_PROTOCOL,
    ICMPV6_PROTOCOL,
    TCP_PROTOCOL,
    UDP_PROTOCOL,
)
from pipelines.profiles.text import address_texts

PROTOCOLS = {
    TCP_PROTOCOL: "tcp",
    UDP_PROTOCOL: "udp",
    ICMP_PROTOCOL: "icmp",
    ICMPV6_PROTOCOL: "icmp",
}
OTHER = "unknown_transport"
UID_LETTERS = 17


def identity(flows: np.ndarray) -> dict[str, Any]:
    """The columns ``ts`` to ``proto``, and ``community_id``, of flow records."""
    uids, communities = _names(flows)
    orig_p, resp_p = _ports(flows)
    protocols = [PROTOCOLS.get(number, OTHER) for number in flows["protocol"].tolist()]
    return {
        "ts": flows["first_ns"] // 1000 / 1e6,
        "uid": pa.array(uids, pa.string()),
        "id.orig_h": address_texts(flows["src_ip"]),
        "id.orig_p": orig_p,
        "id.resp_h": address_texts(flows["dst_ip"]),
        "id.resp_p": resp_p,
        "proto": pa.array(protocols, pa.string()),
        "community_id": pa.array(communities, pa.string()),
    }


def _ports(flows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ports; of ICMP the type, and the type that answers it or else the code, as Zeek has it."""
    ports = flows["src_port"].copy(), flows["dst_port"].copy()
    for protocol, answers in ((ICMP_PROTOCOL, ANSWERS), (ICMPV6_PROTOCOL, ANSWERS_V6)):
        rows = np.flatnonzero(flows["protocol"] == protocol)
        kinds, codes = flows["icmp_type"][rows].tolist(), flows["icmp_code"][rows].tolist()
        ports[0][rows] = kinds
        ports[1][rows] = [answers.get(k, c) for k, c in zip(kinds, codes, strict=True)]
    return ports


def _names(flows: np.ndarray) -> tuple[list[str], list[str]]:
    """The uid and the community id of every flow."""
    uids, communities = [], []
    sources, destinations = flows["src_ip"].tobytes(), flows["dst_ip"].tobytes()
    fields = ("src_port", "dst_port", "protocol", "icmp_type", "icmp_code", "first_ns", "number")
    rows = zip(*(flows[name].tolist() for name in fields), strict=True)
    for at, (src_port, dst_port, protocol, kind, code, first_ns, number) in enumerate(rows):
        ends = sources[16 * at : 16 * at + 16], destinations[16 * at : 16 * at + 16]
        text = f"{src_port}:{dst_port}:{protocol}:{first_ns}:{number}".encode()
        digest = sha256(b"".join(ends) + text).digest()
        uids.append("C" + b32encode(digest).decode()[:UID_LETTERS])
        is_icmp = protocol in (ICMP_PROTOCOL, ICMPV6_PROTOCOL)
        ports = (kind, code) if is_icmp else (src_port, dst_port)
        communities.append(community_id(*ends, *ports, protocol))
    return uids, communities
