"""The innermost addresses and ports of every packet against tshark's, tunnels and all.

Skipped where tshark is not installed. The last values that tshark prints are those of the innermost
packet; what ICMP quotes is left out of them, as it is here.
"""

import ipaddress
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from pipelines.capture import CaptureHealth, read_batches

FIELDS = (
    "frame.protocols",
    *(f"{ip}.{end}" for ip in ("ip", "ipv6") for end in ("src", "dst")),
    *(f"{layer}.{end}port" for layer in ("tcp", "udp", "sctp") for end in ("src", "dst")),
)
TRANSPORTS = ("tcp", "udp", "sctp")
UNKNOWN = object()
# Captures with packets of which tshark 4.0 says something else, and why it may.
EXPLAINED = {
    "802_15_4": "tshark opens 6LoWPAN, which counts as unsupported here",
    "LINKTYPE_IPV4_invalid": "an IPv6 packet under the link type of IPv4: malformed here",
    "PIM_register": "tshark opens what PIM registers; here it is a message about a packet",
    "arista_ether": "tshark opens Arista's tags",
    "bigtcp": "IP lengths of 0 (large segments), with which tshark 4.0 reads no transport header",
    "brcm-tag": "tshark 4.0 does not read the link type",
    "cve2015-0261-ipv6": "tshark does not read SLIP",
    "dsa__": "tshark 4.0 does not read the link type",
    "edsa": "tshark 4.0 does not read the link type",
    "fuzz-2021": "tshark shows a packet that the file does not hold in full",
    "hoobr_juniper": "tshark refuses the file",
    "icmp6_nodeinfo": "tshark does not read SLIP",
    "juniper": "tshark opens Juniper's link types",
    "kday6": "tshark refuses the file",
    "macsec": "tshark reads on where MACsec does not encrypt",
    "mpls-over-udp": "tshark opens MPLS in UDP",
    "nhrp": "tshark takes the packet that NHRP quotes",
    "nsh": "tshark opens NSH",
    "vtp_asan": "tshark refuses the file",
    "vxlan_port_8472": "tshark looks for VXLAN on one port",
    "of13": "tshark takes the packets that OpenFlow hands over",
}
# Captures with every tunnel and link type that tshark knows too: a fast part of the whole.
SOME = (
    "ndpi/pcap/4in6tunnel.pcap",
    "ndpi/pcap/6in6tunnel.pcap",
    "ndpi/pcap/ajp.pcap",
    "ndpi/pcap/capwap.pcap",
    "ndpi/pcap/discord_mid_flow.pcap",
    "ndpi/pcap/ipv6_in_gtp.pcap",
    "ndpi/pcap/syslog.pcap",
    "ndpi/pcap/teredo.pcap",
    "robustness/pcap/tcpdump/erspan-type-iii-ft-7__*",
    "robustness/pcap/tcpdump/mpls-traceroute__*",
    "robustness/pcap/tcpdump/various_gre__*",
    "robustness/pcap/tcpdump/vxlan__*",
    "robustness/pcap/zeek/mixed-vlan-mpls__*",
    "robustness/pcap/zeek/tunnels_geneve*",
    "robustness/pcap/zeek/tunnels_gtp_gtp2*",
)

MOST_OF_A_LINK = 8

tshark = shutil.which("tshark")
pytestmark = pytest.mark.skipif(tshark is None, reason="tshark is not installed")


def by_tshark(path: Path) -> list[dict[str, str]]:
    command = [str(tshark), "-n", "-r", str(path), "-T", "fields", "-E", "separator=/t"]
    command += [part for field in FIELDS for part in ("-e", field)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    lines = done.stdout.decode(errors="replace").splitlines()
    return [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in lines]


def innermost(packet: dict[str, str]) -> object:
    """Addresses and ports as tshark has them, None without IP, ``UNKNOWN`` if it gives up."""
    layers = packet["frame.protocols"].split(":")
    icmp = [index for index, layer in enumerate(layers) if layer in ("icmp", "icmpv6")]
    layers = layers[: icmp[0]] if icmp else layers
    found = [index for index, layer in enumerate(layers) if layer in ("ip", "ipv6")]
    if not found:
        return None
    ip = layers[found[-1]]
    place = layers.count(ip) - 1
    try:
        addresses = [
            ipaddress.ip_address(packet[f"{ip}.{end}"].split(",")[place]) for end in ("src", "dst")
        ]
    except (IndexError, ValueError):
        return UNKNOWN
    return *addresses, _ports(packet, layers, layers[found[-1] :])


def _ports(packet: dict[str, str], layers: list[str], inner: list[str]) -> object:
    for layer in TRANSPORTS:
        if layer in inner:
            place = layers.count(layer) - 1
            ends = [packet[f"{layer}.{end}port"].split(",") for end in ("src", "dst")]
            if place < min(map(len, ends)) and all(end[place] for end in ends):
                return tuple(int(end[place]) for end in ends)
            return UNKNOWN
    return (0, 0)


def ours(path: Path) -> list[tuple[object, bool]]:
    """Addresses and ports of every packet, and whether it is a fragment."""
    packets: list[tuple[object, bool]] = []
    for batch in read_batches(path, CaptureHealth()):
        for row in range(len(batch)):
            known: object = None
            if batch.ip_version[row]:
                skip = 12 if batch.ip_version[row] == 4 else 0
                ends = (column[row].tobytes()[skip:] for column in (batch.src_ip, batch.dst_ip))
                ports = int(batch.src_port[row]), int(batch.dst_port[row])
                known = (*map(ipaddress.ip_address, ends), ports)
            packets.append((known, bool(batch.is_fragment[row])))
    return packets


def differences(path: Path) -> list[str]:
    theirs, mine = by_tshark(path), ours(path)
    if len(theirs) != len(mine):
        return [f"{path.name}: {len(theirs)} packets, not {len(mine)}"]
    found = []
    for number, (packet, (known, is_fragment)) in enumerate(zip(theirs, mine, strict=True), 1):
        other = innermost(packet)
        if not _agree(known, other, is_fragment):
            found.append(f"{path.name}, packet {number}: {known} is not {other}")
    return found


def _agree(known: object, other: object, is_fragment: bool) -> bool:
    if other is UNKNOWN:
        return True
    if not isinstance(known, tuple) or not isinstance(other, tuple):
        return known == other
    # Only the packet that completes a datagram has ports in tshark.
    free = is_fragment or other[2] is UNKNOWN
    return known[:2] == other[:2] and (free or known[2] == other[2])


@pytest.mark.parametrize("pattern", SOME)
def test_tunnels_equal_tshark(data, pattern):
    (path,) = sorted(data.glob(pattern))[:1]
    assert differences(path) == []


def is_odd(health: CaptureHealth) -> bool:
    """Whether there is more than plain Ethernet in a capture, which ``test_against_dpkt`` reads."""
    return bool(health.tunnels or health.fragments or set(health.link_types) - {1})


@pytest.mark.slow
def test_every_odd_capture_equals_tshark_or_is_explained(data):
    """All captures with tunnels or fragments, and the first few of every link type."""
    found, seen = [], Counter[int]()
    for folder in ("ndpi/pcap", "robustness/pcap"):
        for path in sorted(p for p in (data / folder).rglob("*") if p.is_file()):
            health = CaptureHealth()
            for _ in read_batches(path, health):
                pass
            if path.name.startswith(tuple(EXPLAINED)) or not is_odd(health):
                continue
            seen.update(health.link_types.keys())
            if health.tunnels or min(seen[link] for link in health.link_types) <= MOST_OF_A_LINK:
                found += differences(path)
    assert found == []
    assert len(seen) > 20
