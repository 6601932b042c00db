"""Packets in tunnels, each tunnel's header from literal bytes: opened, left closed, and misread by
nobody."""

import io
import ipaddress
import struct

import pytest

from pipelines.capture import CaptureHealth, FlowSettings, read_batches, read_flows
from pipelines.capture.tunnel_names import TUNNEL_NAMES, Tunnel
from pipelines.capture.tunnels import MOST_TUNNELS

MACS = bytes.fromhex("0a0000000002 0a0000000001")
TEREDO = ipaddress.ip_address("2001:0:102:304::1").packed


def inner(make, version: int = 4) -> bytes:
    if version == 4:
        return make.ipv4(make.tcp(5, 6, b"abc"), src="192.168.7.1", dst="192.168.7.2", ttl=9)
    return make.ipv6(make.tcp(5, 6, b"abc"), 6)


def teredo(make) -> bytes:
    packet = inner(make, 6)
    return packet[:8] + TEREDO + packet[24:]


# Name -> IP protocol or UDP port, the tunnel's header, the version of the packet in it, the MAC
# address that it tells.
HEADERS = {
    "IPv4": (4, "", 4, 0),
    "IPv6": (41, "", 6, 0),
    "GRE": (47, "0000 0800", 4, 0),
    "GRE of IPv6": (47, "0000 86dd", 6, 0),
    "GRE with all fields": (47, "b000 0800 0000 0000 00000007 00000001", 4, 0),
    "GRE of Ethernet": (47, "2000 6558 00000007" + MACS.hex() + "0800", 4, 1),
    "GRE of MPLS": (47, "0000 8847 00001140", 4, 0),
    "GRE of a VLAN": (47, "0000 8100 0007 0800", 4, 0),
    "GRE with Cisco's metadata": (47, "2000 8909 00000028 0800 0101 0001 0000", 4, 0),
    "PPTP": (47, "3001 880b 0020 0007 00000001 ff030021", 4, 0),
    "PPTP acknowledging": (47, "3081 880b 0020 0007 00000001 00000002 21", 4, 0),
    "ERSPAN 1": (47, "0000 88be" + MACS.hex() + "0800", 4, 1),
    "ERSPAN 2": (47, "1000 88be 00000001 1001 0000 00000000" + MACS.hex() + "0800", 4, 1),
    "ERSPAN 3": (47, "1000 22eb 00000001" + "20" * 11 + "00" + MACS.hex() + "0800", 4, 1),
    "ERSPAN 3 and more": (
        47, "1000 22eb 00000001" + "20" * 11 + "01" * 9 + MACS.hex() + "0800", 4, 1
    ),
    "GRE in UDP": (4754, "0000 0800", 4, 0),
    "VXLAN": (4789, "08000000 00000700" + MACS.hex() + "0800", 4, 1),
    "VXLAN of Linux": (8472, "08000000 00000700" + MACS.hex() + "86dd", 6, 1),
    "VXLAN with a group": (4789, "8808 0007 00000700" + MACS.hex() + "8100 0001 0800", 4, 1),
    "VXLAN-GPE": (4790, "0c000001 00000700", 4, 0),
    "VXLAN-GPE of IPv6": (4790, "0c000002 00000700", 6, 0),
    "VXLAN-GPE of Ethernet": (4790, "0c000003 00000700" + MACS.hex() + "0800", 4, 1),
    "GENEVE": (6081, "0000 6558 00000700" + MACS.hex() + "0800", 4, 1),
    "GENEVE with options": (6081, "0240 0800 00000700 01020304 05060708", 4, 0),
    "GENEVE of IPv6": (6081, "0080 86dd 00000700", 6, 0),
    "GTP-U": (2152, "30ff 002b 00000007", 4, 0),
    "GTP-U with a sequence": (2152, "32ff 002f 00000007 00010000", 4, 0),
    "GTP-U extended": (2152, "34ff 0037 00000007 000000 85 01 0909 c0 01 0909 00", 4, 0),
    "Teredo": (3544, "", 6, 0),
    "Teredo with an origin": (3544, "0000 1234 01020304", 6, 0),
    "Teredo with both": (3544, "0001 0101 aa bb 0102030405060708 00 0000 1234 01020304", 6, 0),
    "L2TP": (1701, "0002 0001 0002 ff030021", 4, 0),
    "L2TP with all fields": (1701, "4a02 003e 0001 0002 0003 0004 0001 00 ff030021", 4, 0),
    "TZSP": (37008, "0100 0001 00 0a01ff 01" + MACS.hex() + "0800", 4, 1),
    "TZSP of 802.11": (37008, "0100 0012 01 08000000 0a0000000002 0a0000000001"
                       "0a0000000003 0000 aaaa030000000800", 4, 1),
    "CAPWAP": (5247, "00100000 00000000" + MACS.hex() + "0800", 4, 1),
    "CAPWAP of 802.11": (5247, "00100300 00000000 08000000 0a0000000002 0a0000000001"
                         "0a0000000003 0000 aaaa030000000800", 4, 1),
    "CAPWAP of 802.11, swapped": (5247, "00100300 00000000 02080000 0a0000000002 0a0000000003"
                                  "0a0000000001 0000 aaaa030000000800", 4, 1),
}  # fmt: skip
CODES = {
    4: Tunnel.IPV4, 41: Tunnel.IPV6, 47: Tunnel.GRE, 4754: Tunnel.GRE, 4789: Tunnel.VXLAN,
    4790: Tunnel.VXLAN, 8472: Tunnel.VXLAN, 6081: Tunnel.GENEVE, 2152: Tunnel.GTP_U,
    3544: Tunnel.TEREDO, 1701: Tunnel.L2TP, 37008: Tunnel.TZSP, 5247: Tunnel.CAPWAP,
}  # fmt: skip


def carried(make, carrier: int, content: bytes) -> bytes:
    """An Ethernet frame whose IP protocol or UDP port ``carrier`` carries ``content``."""
    if carrier < 256:
        return make.ethernet(make.ipv4(content, protocol=carrier))
    return make.ethernet(make.ipv4(make.udp(40_000, carrier, content), protocol=17))


def frame(make, name: str) -> bytes:
    carrier, header, version, _ = HEADERS[name]
    packet = teredo(make) if carrier == 3544 else inner(make, version)
    return carried(make, carrier, bytes.fromhex(header) + packet)


def read(make, data: bytes, *, wire: int = 0, **options):
    batch, health = make.decode(make.pcap((0, data), wire=wire), **options)
    assert health.packets == health.decoded == 1
    return batch, health


@pytest.mark.parametrize("name", HEADERS)
def test_the_packet_is_the_innermost_one(make, name):
    carrier, _, version, has_mac = HEADERS[name]
    data = frame(make, name)
    batch, health = read(make, data)
    assert (batch.ip_version[0], batch.protocol[0], batch.src_port[0]) == (version, 6, 5)
    payload = batch.buffer[batch.payload_offset[0] :][: batch.payload_length[0]]
    assert payload.tobytes() == b"abc"
    assert batch.ttl[0] == (9 if version == 4 else 63)
    # Nothing of the outer headers is kept but the length of the frame.
    assert batch.src_mac[0] == has_mac * 0x0A0000000001
    assert batch.dst_mac[0] == has_mac * 0x0A0000000002
    assert (batch.ip_id[0], batch.ip_checksum[0]) == ((7, 0xBEEF) if version == 4 else (0, 0))
    assert batch.wire_length[0] == batch.captured_length[0] == len(data)
    assert batch.tunnel[0] == CODES[carrier]
    assert health.tunnels == {TUNNEL_NAMES[CODES[carrier]]: 1}


@pytest.mark.parametrize("name", HEADERS)
def test_a_closed_tunnel_shows_the_outer_packet_and_hides_the_inner_one(make, name):
    carrier = HEADERS[name][0]
    batch, health = read(make, frame(make, name), decode_tunnels=False)
    outer = (carrier, 0) if carrier < 256 else (17, carrier)
    assert (batch.protocol[0], batch.dst_port[0]) == outer
    assert batch.src_mac[0] == 0x020000000001
    # Inner addresses, ports and times to live are not what a mask of the payload would look for.
    assert batch.payload_length[0] == 0
    assert batch.tunnel[0] == CODES[carrier]
    assert sum(health.tunnels.values()) == 1


@pytest.mark.parametrize("name", HEADERS)
def test_a_tunnel_cut_anywhere(make, name):
    """Wherever the snap length fell: the outer packet, and never an invented inner one."""
    carrier, header, version, _ = HEADERS[name]
    data = frame(make, name)
    outer = 14 + 20 + (0 if carrier < 256 else 8)
    whole = outer + len(bytes.fromhex(header)) + (20 if version == 4 else 40)
    for size in range(34, len(data)):
        content = make.pcap((0, data[:size]), wire=len(data) - size)
        batch, _ = make.decode(content + b"\xff" * 100)
        assert batch.ip_version[0] == 4 or size >= whole
        is_inner = batch.ttl[0] != 64
        assert is_inner == (size >= whole), size
        if size >= outer + len(bytes.fromhex(header)):
            # All of the tunnel's header is there: what was captured of the packet is no payload.
            assert batch.payload_length[0] == 0 or is_inner


def plain(make, port: int, content: bytes):
    batch, health = read(make, carried(make, port, content))
    assert health.tunnels == {}
    return batch


@pytest.mark.parametrize(
    ("port", "content"),
    [
        (4789, "hello, this is no VXLAN but something else"),
        (4789, b"\x08\0\0\1" + bytes(40)),
        (4789, b"\x08\0\0\0\0\0\7\1" + bytes(40)),
        (4789, b"\x08\0\0\0"),
        (6081, b"\x40\0\x65\x58" + bytes(40)),
        (6081, b"\0\0\x12\x34" + bytes(40)),
        (6081, b"\0\1\x65\x58" + bytes(40)),
        (2152, b"\x30\1\0\0\0\0\0\7" + bytes(40)),
        (2152, b"\x50\xff\0\x20" + bytes(40)),
        (2152, b"\x30\xff\1\x20" + bytes(40)),
        (3544, bytes(60)),
        (3544, b"\x60\0\0\0\0\0\x3b\1" + bytes(32)),
        (1701, b"\xc8\2\0\x14" + bytes(40)),
        (1701, b"\0\2\0\1\0\2\xc0\x21" + bytes(40)),
        (1701, b"\0\3\0\1\0\2\xff\3\0\x21" + bytes(40)),
        (1701, b"\x40\2\xff\xff\0\1\0\2\xff\3\0\x21" + bytes(40)),
        (37008, b"\2\0\0\1\1" + bytes(40)),
        (37008, b"\1\0\0\1" + b"\7\1\7" * 100),
        (37008, b"\1\0\0\x77\1" + bytes(40)),
        (5247, b"\1" + bytes(40)),
        (5247, b"\0\x10\0\x08" + bytes(40)),
        (5247, b"\0\x10\0\x80" + bytes(40)),
        (4754, b"\0\0\x12\x34" + bytes(40)),
        (4754, b"\0\7\x08\0" + bytes(40)),
    ],
)  # fmt: skip
def test_ordinary_packets_on_the_ports_of_tunnels(make, port, content):
    content = content.encode() if isinstance(content, str) else content
    batch = plain(make, port, content)
    assert (batch.dst_port[0], batch.payload_length[0]) == (port, len(content))


@pytest.mark.parametrize(
    "damage",
    [
        lambda packet: b"\x55" + packet[1:],
        lambda packet: b"\x44" + packet[1:],
        lambda packet: packet[:2] + b"\0\x13" + packet[4:],
    ],
    ids=["version 5", "a header of 16 bytes", "shorter than its header"],
)
@pytest.mark.parametrize("name", ["IPv4", "GRE", "VXLAN", "GENEVE", "CAPWAP"])
def test_an_inner_header_that_nobody_sends_is_not_believed(make, name, damage):
    carrier, header, _, _ = HEADERS[name]
    content = bytes.fromhex(header) + damage(inner(make))
    batch, health = read(make, carried(make, carrier, content))
    assert (batch.ttl[0], batch.tunnel[0], health.tunnels) == (64, 0, {})
    assert batch.payload_length[0] == (0 if carrier < 256 else len(content))


@pytest.mark.parametrize("name", ["IPv4", "GRE", "VXLAN", "GENEVE", "GTP-U", "CAPWAP"])
def test_a_packet_longer_than_its_tunnel_was_cut_to_fit(make, name):
    """Its header must not be payload, and it is what tshark shows."""
    carrier, header, _, _ = HEADERS[name]
    packet = inner(make)
    content = bytes.fromhex(header) + packet[:2] + b"\x05\xdc" + packet[4:]
    batch, _ = read(make, carried(make, carrier, content))
    assert (batch.src_port[0], batch.ip_length[0], batch.payload_length[0]) == (5, 1500, 3)


def test_a_tcp_packet_on_a_port_of_a_tunnel_is_none(make):
    content = bytes.fromhex(HEADERS["VXLAN"][1]) + inner(make)
    batch, health = read(make, make.ethernet(make.ipv4(make.tcp(4789, 4789, content))))
    assert (batch.src_port[0], health.tunnels) == (4789, {})


def test_a_tunnel_of_something_else_than_ip_has_no_payload(make):
    """ARP in VXLAN holds addresses too."""
    content = bytes.fromhex("08000000 00000700") + MACS + b"\x08\x06" + bytes(28)
    batch, health = read(make, carried(make, 4789, content))
    assert (batch.dst_port[0], batch.payload_length[0]) == (4789, 0)
    assert health.tunnels == {"VXLAN": 1}


@pytest.mark.parametrize(
    ("port", "header"), [(4790, "0c000004 00000700 0006"), (1701, "0003 0000 00000007")]
)
def test_what_is_known_but_not_opened_has_no_payload(make, port, header):
    data = carried(make, port, bytes.fromhex(header) + inner(make))
    batch, _ = read(make, data)
    assert (batch.dst_port[0], batch.payload_length[0]) == (port, 0)


@pytest.mark.parametrize("header", ["1c000001 00000700", "0c000005 00000700", "0c000101 00000700"])
def test_other_flags_are_no_protocol_extension(make, header):
    data = carried(make, 4790, bytes.fromhex(header) + inner(make))
    assert read(make, data)[0].payload_length[0] > 0


def test_either_port_tells(make):
    content = bytes.fromhex(HEADERS["VXLAN"][1]) + inner(make)
    data = make.ethernet(make.ipv4(make.udp(4789, 40_000, content), protocol=17))
    assert read(make, data)[0].src_port[0] == 5


def test_tunnels_in_tunnels(make):
    """The innermost packet counts, the outermost tunnel is named."""
    packet = make.ipv4(inner(make), protocol=4)
    vxlan = bytes.fromhex(HEADERS["VXLAN"][1]) + packet
    gre = bytes.fromhex("0000 0800") + make.ipv4(make.udp(1, 4789, vxlan), protocol=17)
    batch, health = read(make, carried(make, 47, gre))
    assert (batch.src_port[0], batch.ttl[0], batch.tunnel[0]) == (5, 9, Tunnel.GRE)
    assert health.tunnels == {"GRE": 1}
    # MPLS and PPPoE are part of the link, and outermost.
    data = MACS + bytes.fromhex("8847 00001140") + make.ipv4(packet, protocol=4)
    assert read(make, data)[0].tunnel[0] == Tunnel.MPLS


@pytest.mark.parametrize("depth", [MOST_TUNNELS, MOST_TUNNELS + 1, 200])
def test_nesting_is_bounded_and_counted(make, depth):
    packet = inner(make)
    for _ in range(depth):
        packet = make.ipv4(packet, protocol=4)
    batch, health = read(make, make.ethernet(packet))
    assert (batch.src_port[0] == 5) == (depth <= MOST_TUNNELS)
    assert health.too_nested == (depth > MOST_TUNNELS)
    if depth > MOST_TUNNELS:
        assert (batch.protocol[0], batch.payload_length[0]) == (4, 0)


def test_rows_that_are_no_tunnels_stay_what_they_are(make):
    frames = [
        make.ethernet(make.ipv4(make.udp(5, 6, b"abc"), protocol=17)),
        carried(make, 4789, bytes.fromhex(HEADERS["VXLAN"][1]) + inner(make)),
        make.ethernet(bytes(28), 0x0806),
        carried(make, 4789, b"no tunnel"),
        carried(make, 41, inner(make, 6)),
        make.ethernet(make.ipv6(make.udp(7, 8, b"abcd")), 0x86DD),
    ]
    batch, health = make.decode(make.pcap(*enumerate(frames)))
    assert batch.src_port.tolist() == [5, 5, 0, 40_000, 5, 7]
    assert batch.payload_length.tolist() == [3, 3, 0, 9, 3, 4]
    assert batch.ip_version.tolist() == [4, 4, 0, 4, 6, 6]
    assert batch.tunnel.tolist() == [0, Tunnel.VXLAN, 0, 0, Tunnel.IPV6, 0]
    assert health.tunnels == {"VXLAN": 1, "IPv6 in IP": 1}


def test_flows_are_those_of_the_inner_packets(make):
    """Both ways of a conversation in a tunnel are one flow, whatever the outer ports are."""
    there = bytes.fromhex(HEADERS["VXLAN"][1]) + make.ipv4(make.tcp(5, 6), src="1.1.1.1")
    back = bytes.fromhex(HEADERS["VXLAN"][1]) + make.ipv4(
        make.tcp(6, 5), src="10.0.0.2", dst="1.1.1.1"
    )
    frames = [
        make.ethernet(make.ipv4(make.udp(100 + n, 4789, data), protocol=17))
        for n, data in enumerate((there, back, there))
    ]
    content = make.pcap(*enumerate(frames))
    (flow,) = make.flows(content)
    assert (flow["src_port"], flow["bidirectional_packets"]) == (5, 3)
    assert flow["bidirectional_bytes"] == sum(map(len, frames))
    assert len(make.flows(content, FlowSettings(decode_tunnels=False))) == 3


def test_every_tunnel_has_a_name_and_codes_do_not_change():
    assert set(TUNNEL_NAMES) == set(Tunnel) - {Tunnel.NONE}
    assert [int(code) for code in Tunnel] == list(range(13))
    assert (Tunnel.VXLAN, Tunnel.GTP_U, Tunnel.CAPWAP) == (6, 8, 12)


def test_tunnels_in_real_captures(data):
    """GTP-U, Teredo and others, of which tshark finds as many (``test_against_tshark``)."""
    expected = {"teredo.pcap": {"Teredo": 24}, "4in6tunnel.pcap": {"IPv4 in IP": 4}}
    for name, tunnels in expected.items():
        health = CaptureHealth()
        list(read_batches(data / "ndpi" / "pcap" / name, health))
        assert health.tunnels == tunnels
    settings = FlowSettings(decode_tunnels=False)
    closed = list(
        read_flows(io.BytesIO((data / "ndpi" / "pcap" / "teredo.pcap").read_bytes()), settings)
    )
    assert {p for table in closed for p in table["protocol"].to_pylist()} == {17}


def test_gtp_lengths_are_checked(make):
    packet = inner(make)
    for length, is_tunnel in ((len(packet), True), (len(packet) + 1, False)):
        content = struct.pack("!BBHI", 0x30, 255, length, 7) + packet
        batch, _ = read(make, carried(make, 2152, content))
        assert (batch.tunnel[0] == Tunnel.GTP_U) == is_tunnel
