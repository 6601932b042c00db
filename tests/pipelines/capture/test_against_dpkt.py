"""Every packet of every Ethernet capture that dpkt reads, column by column.

dpkt opens no tunnels and leaves fragments alone: ours are read in the same way where that can be
switched off, and what is left of the differences is not compared.
"""

import dpkt

from pipelines.capture import CaptureHealth, read_batches

MAPPED = b"\0" * 10 + b"\xff\xff"
# What tunnels, fragments and authenticated packets have in common with dpkt.
OUTER = ("src_mac", "dst_mac", "ip_version", "src_ip", "dst_ip", "ttl", "ip_id", "is_fragment")
# Its header is stepped over here.
AUTHENTICATION = 51
# pcapng files whose interfaces have different clocks: dpkt reads all with the first one's.
SEVERAL_CLOCKS = {
    "anydesk.pcapng",
    "dns-google-nsid.pcapng",
    "kafka.pcapng",
    "protonvpn.pcap",
    "stun_google_meet.pcapng",
}


def by_dpkt(frame: bytes) -> dict[str, object] | None:
    """The columns that dpkt exposes of one Ethernet frame, None where it finds no IP."""
    try:
        ethernet = dpkt.ethernet.Ethernet(frame)
    except dpkt.UnpackError:
        return None
    ip = ethernet.data
    if not isinstance(ip, dpkt.ip.IP | dpkt.ip6.IP6):
        return None
    columns: dict[str, object] = {
        "src_mac": int.from_bytes(ethernet.src, "big"),
        "dst_mac": int.from_bytes(ethernet.dst, "big"),
    }
    if isinstance(ip, dpkt.ip.IP):
        columns |= {
            "ip_version": 4,
            "src_ip": MAPPED + ip.src,
            "dst_ip": MAPPED + ip.dst,
            "ttl": ip.ttl,
            "ip_id": ip.id,
            "ip_checksum": ip.sum,
            "ip_length": ip.len,
            "protocol": ip.p,
            "is_fragment": bool(ip.mf or ip.offset),
        }
    else:
        columns |= {
            "ip_version": 6,
            "src_ip": ip.src,
            "dst_ip": ip.dst,
            "ttl": ip.hlim,
            "ip_length": ip.plen + 40,
            "protocol": ip.p,
        }
    return columns | transport(ip.data)


def transport(layer: object) -> dict[str, object]:
    if isinstance(layer, dpkt.tcp.TCP):
        return {
            "src_port": layer.sport,
            "dst_port": layer.dport,
            "tcp_seq": layer.seq,
            "tcp_ack": layer.ack,
            "tcp_flags": layer.flags & 0xFF,
            "tcp_window": layer.win,
            "l4_checksum": layer.sum,
            "payload": bytes(layer.data),
        }
    if isinstance(layer, dpkt.udp.UDP):
        return {
            "src_port": layer.sport,
            "dst_port": layer.dport,
            "l4_checksum": layer.sum,
            "payload": bytes(layer.data),
        }
    if isinstance(layer, dpkt.icmp.ICMP | dpkt.icmp6.ICMP6):
        return {"icmp_type": layer.type, "icmp_code": layer.code, "l4_checksum": layer.sum}
    return {}


def ours(batch, row: int, name: str) -> object:
    if name == "payload":
        start = batch.payload_offset[row]
        return batch.buffer[start : start + batch.payload_length[row]].tobytes()
    value = getattr(batch, name)[row]
    return value.tobytes() if name.endswith("_ip") else value.item()


def records(path):
    """Packets of a capture as dpkt reads them, None where it cannot or it is not Ethernet."""
    with path.open("rb") as file:
        try:
            reader = dpkt.pcap.UniversalReader(file)
            if reader.datalink() != dpkt.pcap.DLT_EN10MB:
                return None
            return list(reader)
        except (ValueError, dpkt.UnpackError, NotImplementedError):
            return None


def differences(path, expected) -> tuple[list[str], int]:
    """What differs between dpkt's packets and ours, and how many IP packets were compared."""
    found: list[str] = []
    index = compared = 0
    for batch in read_batches(path, CaptureHealth(), decode_tunnels=False):
        for row in range(len(batch)):
            time, frame = expected[index]
            index += 1
            columns = by_dpkt(frame) or {}
            authenticated = columns.get("protocol") == AUTHENTICATION
            if batch.tunnel[row] or batch.is_fragment[row] or authenticated:
                columns = {k: v for k, v in columns.items() if k in OUTER}
            compared += bool(columns)
            late = abs(int(batch.time_ns[row]) - round(time * 1_000_000_000)) > 1_000
            if late and path.name not in SEVERAL_CLOCKS:
                found.append(f"{path.name}, packet {index}: time is not {time}")
            columns["captured_length"] = len(frame)
            for name, value in columns.items():
                if ours(batch, row, name) != value:
                    found.append(f"{path.name}, packet {index}: {name} is not {value!r}")
    assert index == len(expected), path.name
    return found, compared


def test_every_packet_equals_dpkt(data):
    captures = compared = 0
    found: list[str] = []
    for path in sorted((data / "ndpi" / "pcap").iterdir()):
        expected = records(path)
        if expected is not None:
            some, packets = differences(path, expected)
            found += some
            compared += packets
            captures += 1
    assert found == []
    assert captures > 100
    assert compared > 10_000
