"""IP addresses of 16 bytes, and their text."""

from ipaddress import IPv6Address
from socket import AF_INET, inet_ntop

MAPPED = b"\0" * 10 + b"\xff\xff"


def address_text(address: bytes) -> str:
    """The usual text of a 16-byte address: ``192.0.2.1`` for ``::ffff:192.0.2.1``, else as IPv6.

    Raises ValueError for any other number of bytes.
    """
    if len(address) == 16 and address.startswith(MAPPED):
        return inet_ntop(AF_INET, address[12:])
    return str(IPv6Address(address))
