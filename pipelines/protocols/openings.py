"""How what is known begins: a glance at a few bytes that saves reading all other traffic."""

import re

# DNS over TCP begins with its length, and so with any byte: only its port tells.
DNS_PORT = 53
# Lines of text, TLS records, and what may come before TLS: TPKT of remote desktops, SSLRequest of
# PostgreSQL, both sides of MySQL, LDAP, SOCKS, resets of OpenVPN.
STREAM = re.compile(
    rb"[\t\r\n -~]{4}|[\t\r\n -~]{1,3}\Z|[\x14-\x17](?:\x03|\Z)|\x03\x00\x00|\x00\x00\x00\x08\x04"
    rb"|..\x00\x00\x0a|\x20\x00\x00\x01|0.\x02\x01|0\x84.{4}\x02\x01|\x04[\x01\x02]|\x05[\x00-\x0a]"
    rb"|\x00.[\x38\x40\x50]",
    re.DOTALL,
)
# Long headers of QUIC, DTLS handshakes, STUN (DTLS may come next), verbs of HTTP, DNS headers as
# ``read_dns`` takes them.
DATAGRAM = re.compile(
    rb"[\xc0-\xff](?:\x00\x00\x00\x01|\x6b\x33\x43\xcf|\xff\x00\x00[\x17-\x20]|\xfa\xce\xb0[\x02\x0e])"
    rb"|\x16\xfe|[\x00-\x03].{3}\x21\x12\xa4\x42|[A-Z][A-Z/-]{2}"
    rb"|..[\x00-\x37\x80-\xb7][\x00-\x3f\x80-\xbf]\x00[\x00\x01][\x00-\x03].[\x00-\x03].[\x00-\x03].",
    re.DOTALL,
)


def is_opening(payload: bytes, *, is_tcp: bool) -> bool:
    """Whether a stream or datagram that begins with these bytes may be one that is known."""
    return (STREAM if is_tcp else DATAGRAM).match(payload) is not None
