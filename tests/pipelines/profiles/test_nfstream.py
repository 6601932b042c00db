"""NFStream's columns that the comparison with NFStream itself cannot prove alone."""

import struct

import pytest

from pipelines.capture.tunnel_names import Tunnel
from pipelines.profiles.nfstream import TUNNEL_IDS

GTP_PORT = 2152


def gtp(make, inner: bytes) -> bytes:
    """The IP packet of a frame in GTP-U over UDP."""
    packet = inner[14:]
    content = struct.pack("!BBHI", 0x30, 255, len(packet), 7) + packet
    ports = struct.pack("!HHHH", GTP_PORT, GTP_PORT, 8 + len(content), 0)
    return make.frame(0, 17, ports + content)


def test_tunnel_and_vlan_are_those_of_the_first_packet(make):
    plain = make.udp(0, b"x")
    tagged = make.frame(0, 17, plain[34:], vlans=[7, 9])
    first_inside = make.flow("nfstream", gtp(make, plain), tagged)
    first_outside = make.flow("nfstream", tagged, gtp(make, plain))
    assert (first_inside["tunnel_id"], first_inside["vlan_id"]) == (1, 0)
    assert (first_outside["tunnel_id"], first_outside["vlan_id"]) == (0, 9)
    assert first_inside["src_port"] == first_outside["src_port"] == 40000


@pytest.mark.parametrize(
    ("capture", "port", "tunnel"),
    [("ipv6_in_gtp.pcap", 49120, 1), ("capwap.pcap", 68, 2), ("4in6tunnel.pcap", 64455, 0)],
)
def test_tunnels_of_real_captures(data, make, capture, port, tunnel):
    path = data / "ndpi" / "pcap" / capture
    if not path.exists():
        pytest.skip(f"{capture} is not among the captures")
    (row,) = (r for r in make.rows("nfstream", path.read_bytes()) if r["src_port"] == port)
    assert row["tunnel_id"] == tunnel


def test_tunnels_that_nfstream_does_not_open_have_no_code():
    known = {tunnel.name: int(TUNNEL_IDS[tunnel]) for tunnel in Tunnel if TUNNEL_IDS[tunnel]}
    assert known == {"GTP_U": 1, "CAPWAP": 2, "TZSP": 3}


def test_rows_are_numbered_as_they_are_written(make):
    packets = [(second * 1000, make.tcp(0, "S", client=40000 + second % 3)) for second in range(9)]
    rows = make.rows("nfstream", make.pcap(packets), piece_bytes=200)
    assert [row["id"] for row in rows] == [0, 1, 2]
