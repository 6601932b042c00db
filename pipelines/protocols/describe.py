"""Which protocol a flow speaks, by what it says and not by its ports, and the columns of it."""

from collections.abc import Sequence
from typing import Any

from pipelines.protocols import quic
from pipelines.protocols.dns import split_tcp
from pipelines.protocols.openings import DNS_PORT
from pipelines.protocols.say_banner import dialogue_row, ssh_row
from pipelines.protocols.say_dns import dns_row
from pipelines.protocols.say_http import http_row
from pipelines.protocols.say_tls import dtls_row, quic_row, tls_row
from pipelines.protocols.tls_records import HANDSHAKE

Row = dict[str, Any]
# They look like DNS but ask the neighbourhood: NetBIOS, multicast DNS, LLMNR.
NEIGHBOUR_PORTS = {137, 5353, 5355}


def describe_stream(
    forward: bytes, backward: bytes, ports: Sequence[int], first_seen_ns: int
) -> Row | None:
    """The columns of a TCP flow whose directions begin with these bytes; None if it says nothing
    that is known. A dialogue that turns to TLS has the columns of both."""
    row = http_row(forward, backward) or ssh_row(forward, backward)
    row = row or dialogue_row(forward, backward)
    if row is None and DNS_PORT in ports:
        row = dns_row([*split_tcp(forward), *split_tcp(backward)])
    secured = tls_row(forward, backward, first_seen_ns)
    return (row or {}) | secured if secured else row


def describe_datagrams(
    forward: Sequence[bytes], backward: Sequence[bytes], ports: Sequence[int], first_seen_ns: int
) -> Row | None:
    """The columns of a UDP flow that begins with these datagrams; None if it says nothing known."""
    for one, other in ((forward, backward), (backward, forward)):
        if one and quic.is_quic(one[0]):
            return quic_row(one, other, first_seen_ns)
    datagrams = [*forward, *backward]
    if any(data[:2] == bytes((HANDSHAKE, 0xFE)) for data in datagrams):
        return dtls_row(forward, backward, first_seen_ns)
    if NEIGHBOUR_PORTS.intersection(ports):
        return None
    first = [way[0] if way else b"" for way in (forward, backward)]
    return dns_row(datagrams) or http_row(first[0], first[1])  # SSDP is HTTP in datagrams
