"""Addresses that are spelled out in a text, made anonymous where they stand."""

import re
from ipaddress import IPv4Address, IPv6Address

from pipelines.privacy.addresses import Anonymiser, mac_text

HEX = "[0-9A-Fa-f]"
# With dots, or as names of hosts hold it: ip-10-0-0-1.
IPV4 = r"(?<![\d.])\d{1,3}(?P<dot>[._-])\d{1,3}(?P=dot)\d{1,3}(?P=dot)\d{1,3}(?!\d|\.\d)"
PAIRS = rf"{HEX}{{2}}(?P<colon>[:-])(?:{HEX}{{2}}(?P=colon)){{4}}{HEX}{{2}}"
MAC = rf"(?<![\w:])(?:{PAIRS}|(?:{HEX}{{4}}\.){{2}}{HEX}{{4}})(?![\w:])"
END = rf"(?:\d{{1,3}}(?:\.\d{{1,3}}){{3}}|{HEX}{{0,4}})"
IPV6 = rf"(?<![\w:]){HEX}{{0,4}}:[0-9A-Fa-f:]*:{END}(?![\w:])"
ADDRESS = re.compile(f"(?P<mac>{MAC})|(?P<ipv4>{IPV4})|(?P<ipv6>{IPV6})")


def anonymous_text(words: str, anonymiser: Anonymiser) -> str:
    """``words`` with every address that is spelled out in them anonymised.

    Found are IPv4 with dots, dashes or underscores, IPv6, and MACs with colons, dashes or dots; an
    address that is written as one number, or a host by its name, is not.
    """

    def other(found: re.Match[str]) -> str:
        if found["ipv4"]:
            return _ipv4(found["ipv4"], found["dot"], anonymiser)
        if found["mac"]:
            digits = re.sub(f"[^{HEX[1:-1]}]", "", found["mac"])
            return mac_text(anonymiser.mac(int(digits, 16)))
        return _ipv6(found["ipv6"], anonymiser)

    return ADDRESS.sub(other, words)


def _ipv4(written: str, between: str, anonymiser: Anonymiser) -> str:
    octets = [int(part) for part in written.split(between)]
    if max(octets) > 255:
        return written
    return str(anonymiser.ip(IPv4Address(bytes(octets)))).replace(".", between)


def _ipv6(written: str, anonymiser: Anonymiser) -> str:
    try:
        address = IPv6Address(written)
    except ValueError:
        return written  # a time of day, say
    return anonymiser.packed(address.packed)
