"""Anonymous addresses: IPv4 and IPv6 keep their networks, MACs keep their vendor."""

import hashlib
from ipaddress import IPv4Address, IPv6Address

from pipelines.privacy.prefixes import PrefixKeeper

MAC_BITS, VENDOR_BITS, OCTET_BITS = 48, 24, 8
# IEEE 802: an address with this bit in its first octet was made up, and has no vendor.
MADE_UP = 0x02 << 40


class Anonymiser:
    """Addresses by one workspace's key: the same address always becomes the same other one."""

    def __init__(self, key: bytes) -> None:
        self._addresses = PrefixKeeper(key)
        # MACs must not tell how addresses of equal leading bits were turned.
        self._macs = PrefixKeeper(hashlib.sha256(key + b"mac").digest())

    def ip(self, address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
        """Another address of the same version; as many leading bits in common as before."""
        width = address.max_prefixlen
        turned = self._addresses.turned(int(address), width)
        return IPv4Address(turned) if width == 32 else IPv6Address(turned)

    def packed(self, address: bytes) -> str:
        """An address of rows (16 bytes, IPv4 as ::ffff:a.b.c.d), anonymised, as text."""
        return str(self.ip(_unpacked(address)))

    def mac(self, address: int) -> int:
        """A MAC (48 bits) with its vendor kept; 0 stays 0, for it stands where there is none.

        One that was made up by its host has no vendor: only the flags in its first octet stay.
        """
        if not address:
            return 0
        kept = OCTET_BITS if address & MADE_UP else VENDOR_BITS
        return self._macs.turned(address, MAC_BITS, kept)


def mac_text(address: int) -> str:
    """A MAC as six pairs of hexadecimal digits with colons."""
    return address.to_bytes(6, "big").hex(":")


def written(address: bytes) -> str:
    """An address of rows (16 bytes, IPv4 as ::ffff:a.b.c.d) as text."""
    return str(_unpacked(address))


def _unpacked(address: bytes) -> IPv4Address | IPv6Address:
    ip = IPv6Address(address)
    return ip.ipv4_mapped or ip
