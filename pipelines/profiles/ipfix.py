"""Information elements of the IANA IPFIX registry, a biflow (RFC 5103) in each row."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_table import Update
from pipelines.capture.settings import FlowSettings
from pipelines.capture.transport import ICMP_PROTOCOL, ICMPV6_PROTOCOL
from pipelines.profiles.endings import FORCED, end_reasons
from pipelines.profiles.lengths import wire_lengths
from pipelines.profiles.open_flows import OpenFlows, runs_of, sums_by_way
from pipelines.profiles.profile import Column, Profile, rows_of, schema_of
from pipelines.profiles.text import address_texts, mac_texts

REGISTRY = "https://www.iana.org/assignments/ipfix"
REVERSE = "RFC 5103, the element {} of enterprise 29305"
INITIATOR = 1
RECORD = np.dtype([("ip_bytes", "i8", 2)])
MILLISECOND = 1_000_000


def _columns(settings: FlowSettings) -> tuple[Column, ...]:
    def element(
        number: int, name: str, kind: Any, group: str, unit: str, meaning: str, *also: str
    ) -> Column:
        return Column(name, kind, group, unit, meaning, f"{REGISTRY}, element {number}", also)

    def reverse(number: int, name: str, kind: Any, group: str, unit: str, meaning: str) -> Column:
        return Column(name, kind, group, unit, meaning, REVERSE.format(number))

    whole, byte, text = pa.uint64(), pa.uint8(), pa.string()
    return (
        element(
            148, "flowId", whole, "addresses", "", "Hash of the 5-tuple, one for both ways", "ports"
        ),
        element(152, "flowStartMilliseconds", whole, "time", "ms", "First packet, since 1970"),
        element(153, "flowEndMilliseconds", whole, "time", "ms", "Last packet, since 1970"),
        element(162, "flowDurationMicroseconds", whole, "gaps", "µs", "Last packet less first"),
        element(60, "ipVersion", byte, "protocol", "", "4 or 6"),
        element(8, "sourceIPv4Address", text, "addresses", "", "Initiator, empty for IPv6"),
        element(12, "destinationIPv4Address", text, "addresses", "", "Responder, empty for IPv6"),
        element(27, "sourceIPv6Address", text, "addresses", "", "Initiator, empty for IPv4"),
        element(28, "destinationIPv6Address", text, "addresses", "", "Responder, empty for IPv4"),
        element(56, "sourceMacAddress", text, "macs", "", "MAC address of the initiator"),
        element(80, "destinationMacAddress", text, "macs", "", "MAC address of the responder"),
        element(7, "sourceTransportPort", pa.uint16(), "ports", "", "0 if none"),
        element(11, "destinationTransportPort", pa.uint16(), "ports", "", "0 if none"),
        element(4, "protocolIdentifier", byte, "protocol", "", "IP protocol number"),
        element(
            32,
            "icmpTypeCodeIPv4",
            pa.uint16(),
            "protocol",
            "",
            "256 x type + code of the first packet, empty unless ICMP",
        ),
        element(
            139,
            "icmpTypeCodeIPv6",
            pa.uint16(),
            "protocol",
            "",
            "256 x type + code of the first packet, empty unless ICMPv6",
        ),
        element(2, "packetDeltaCount", whole, "counts", "packets", "Packets of the initiator"),
        reverse(2, "reversePacketDeltaCount", whole, "counts", "packets", "Of the responder"),
        element(
            1, "octetDeltaCount", whole, "sizes", "bytes", "IP bytes of the initiator, as IP says"
        ),
        reverse(1, "reverseOctetDeltaCount", whole, "sizes", "bytes", "Of the responder"),
        element(
            352, "layer2OctetDeltaCount", whole, "sizes", "bytes", "Frame bytes of the initiator"
        ),
        reverse(352, "reverseLayer2OctetDeltaCount", whole, "sizes", "bytes", "Of the responder"),
        element(
            6, "tcpControlBits", pa.uint16(), "flags", "", "Flags of the initiator's packets, or-ed"
        ),
        reverse(6, "reverseTcpControlBits", pa.uint16(), "flags", "", "Of the responder's packets"),
        element(192, "ipTTL", byte, "ttl", "hops", "Of the initiator's first packet"),
        reverse(192, "reverseIpTTL", byte, "ttl", "hops", "Of the responder's first, 0 if none"),
        element(
            239, "biflowDirection", byte, "protocol", "", "1: the source sent the first packet"
        ),
        element(
            136,
            "flowEndReason",
            byte,
            "time",
            "",
            "1 silence, 2 too old, 4 the capture ended, 5 memory ran out",
        ),
    )


class _Ipfix:
    def __init__(self, settings: FlowSettings) -> None:
        self._settings = settings
        self._schema = schema_of(_columns(settings))
        self._open = OpenFlows(RECORD)

    def add(self, batch: PacketBatch, update: Update) -> pa.Table:
        runs = runs_of(batch, update)
        places = self._open.places(update.number[runs.starts])
        lengths = wire_lengths(batch, runs.rows)
        self._open.records["ip_bytes"][places] += sums_by_way(lengths.ip, runs)
        return self._rows(update.ended, end_reasons(batch, update, self._settings))

    def end(self, flows: np.ndarray) -> pa.Table:
        return self._rows(flows, np.full(len(flows), FORCED, np.uint8))

    def _rows(self, flows: np.ndarray, reasons: np.ndarray) -> pa.Table:
        octets = self._open.take(flows["number"])["ip_bytes"]
        values = _addresses(flows) | _icmp(flows)
        values |= {
            "flowId": flows["flow"].astype(np.uint64),
            "flowStartMilliseconds": flows["first_ns"] // MILLISECOND,
            "flowEndMilliseconds": flows["last_ns"] // MILLISECOND,
            "flowDurationMicroseconds": (flows["last_ns"] - flows["first_ns"]) // 1000,
            "ipVersion": flows["ip_version"],
            "sourceMacAddress": mac_texts(flows["src_mac"]),
            "destinationMacAddress": mac_texts(flows["dst_mac"]),
            "sourceTransportPort": flows["src_port"],
            "destinationTransportPort": flows["dst_port"],
            "protocolIdentifier": flows["protocol"],
            "biflowDirection": np.full(len(flows), INITIATOR),
            "flowEndReason": reasons,
        }
        bits = ((flows["flags"] > 0) << np.arange(8)).sum(axis=2)
        for way, ahead in enumerate(("", "reverse")):
            for name, counts in (
                ("packetDeltaCount", flows["packets"]),
                ("octetDeltaCount", octets),
                ("layer2OctetDeltaCount", flows["bytes"]),
                ("tcpControlBits", bits),
                ("ipTTL", flows["ttl"]),
            ):
                values[ahead + name[0].upper() + name[1:] if ahead else name] = counts[:, way]
        return rows_of(values, self._schema)


def _addresses(flows: np.ndarray) -> dict[str, Any]:
    is_ipv4 = pa.array(flows["ip_version"] == 4)
    columns = {}
    for end, name in (("src", "source"), ("dst", "destination")):
        texts = address_texts(flows[f"{end}_ip"])
        nothing = pa.nulls(len(flows), pa.string())
        columns[f"{name}IPv4Address"] = pc.if_else(is_ipv4, texts, nothing)
        columns[f"{name}IPv6Address"] = pc.if_else(is_ipv4, nothing, texts)
    return columns


def _icmp(flows: np.ndarray) -> dict[str, Any]:
    both = flows["icmp_type"].astype(np.uint16) * 256 + flows["icmp_code"]
    return {
        f"icmpTypeCodeIPv{version}": pa.array(both, mask=flows["protocol"] != protocol)
        for version, protocol in ((4, ICMP_PROTOCOL), (6, ICMPV6_PROTOCOL))
    }


IPFIX = Profile(
    name="ipfix",
    title="IPFIX biflows",
    unit="flow",
    notes="""\
Names and meanings are those of the IANA registry; a row is a biflow whose source is the initiator.
Counts are deltas, and a flow is reported once, so they are also its totals (a flow that grew too
old is reported in parts). `flowEndReason` 3 does not occur: a flow ends by time-outs, not by FIN.
This is a table; the binary file format of RFC 5655 is not written.""",
    columns=_columns,
    open=_Ipfix,
)
