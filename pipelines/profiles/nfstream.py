"""The columns of NFStream, as it writes them with statistics and without dissection."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_rows import FLAG_BITS, STATISTICS, WAYS, flow_statistics
from pipelines.capture.flow_table import Update
from pipelines.capture.headers import SHORT, read
from pipelines.capture.settings import FlowSettings
from pipelines.capture.tunnel_names import Tunnel
from pipelines.profiles.endings import ACTIVE, FORCED, end_reasons
from pipelines.profiles.open_flows import OpenFlows, runs_of
from pipelines.profiles.profile import Column, Profile, rows_of, schema_of
from pipelines.profiles.text import address_texts, mac_texts

PUBLISHED = "https://www.nfstream.org/docs/api"
MILLISECOND = 1_000_000
ETHERNET = 1
TAG_TYPES, MOST_TAGS = (0x8100, 0x88A8, 0x9100), 8
# NFStream's codes of the tunnels that it opens; of others it has none.
TUNNEL_IDS = np.zeros(1 << 8, np.uint8)
TUNNEL_IDS[[Tunnel.GTP_U, Tunnel.CAPWAP, Tunnel.TZSP]] = 1, 2, 3
# What to keep of a flow beside its record: VLAN and tunnel of its first packet.
RECORD = np.dtype([("begun", "?"), ("vlan_id", "u2"), ("tunnel_id", "u1")])
_INTEGER, _REAL, _TEXT = pa.int64(), pa.float64(), pa.string()
_WAY = {
    "bidirectional": "both ways",
    "src2dst": "from source to destination",
    "dst2src": "from destination to source",
}
_SENSE = {
    "min": "Least",
    "mean": "Mean",
    "stddev": "Sample standard deviation of",
    "max": "Greatest",
}


def _columns(settings: FlowSettings) -> tuple[Column, ...]:
    def column(name: str, kind: Any, group: str, unit: str, meaning: str) -> Column:
        return Column(name, kind, group, unit, meaning, PUBLISHED)

    columns = [
        column("id", _INTEGER, "time", "", "Running number of the row in its capture, from 0"),
        column(
            "expiration_id",
            _INTEGER,
            "time",
            "",
            "0 ended by silence or with the capture, 1 too old",
        ),
    ]
    for end, name in (("src", "source"), ("dst", "destination")):
        columns += [
            column(f"{end}_ip", _TEXT, "addresses", "", f"Address of the {name}"),
            column(f"{end}_mac", _TEXT, "macs", "", f"MAC address of the {name}, zeros if none"),
            column(f"{end}_oui", _TEXT, "macs", "", "First three bytes of that MAC address"),
            column(f"{end}_port", pa.uint16(), "ports", "", f"Port of the {name}, 0 if none"),
        ]
    columns += [
        column("protocol", pa.uint8(), "protocol", "", "IP protocol number"),
        column("ip_version", pa.uint8(), "protocol", "", "4 or 6"),
        column("vlan_id", pa.uint16(), "addresses", "", "Innermost VLAN of the first packet, or 0"),
        column(
            "tunnel_id",
            pa.uint8(),
            "addresses",
            "",
            "Outermost tunnel of the first packet: 1 GTP-U, 2 CAPWAP, 3 TZSP, 0 none or another",
        ),
    ]
    for way in WAYS:
        of = _WAY[way]
        columns += [
            column(f"{way}_first_seen_ms", _INTEGER, "time", "ms", f"First packet {of}, 0 if none"),
            column(f"{way}_last_seen_ms", _INTEGER, "time", "ms", f"Last packet {of}, 0 if none"),
            column(f"{way}_duration_ms", _INTEGER, "gaps", "ms", "Last less first"),
            column(f"{way}_packets", _INTEGER, "counts", "packets", f"Packets {of}"),
            column(f"{way}_bytes", _INTEGER, "sizes", "bytes", f"Bytes of frames {of}"),
        ]
    for kind, unit, group, what in (
        ("ps", "bytes", "sizes", "frame"),
        ("piat_ms", "ms", "gaps", "time between packets"),
    ):
        columns += [
            column(f"{way}_{name}_{kind}", _REAL, group, unit, f"{_SENSE[name]} {what} {_WAY[way]}")
            for way in WAYS
            for name in STATISTICS
        ]
    columns += [
        column(
            f"{way}_{flag}_packets",
            _INTEGER,
            "flags",
            "packets",
            f"Packets {_WAY[way]} with {flag.upper()}",
        )
        for way in WAYS
        for flag in FLAG_BITS
    ]
    return tuple(columns)


class _Nfstream:
    def __init__(self, settings: FlowSettings) -> None:
        self._settings = settings
        self._schema = schema_of(_columns(settings))
        self._open = OpenFlows(RECORD)
        self._written = 0

    def add(self, batch: PacketBatch, update: Update) -> pa.Table:
        runs = runs_of(batch, update)
        places = self._open.places(update.number[runs.starts])
        new = ~self._open.records["begun"][places]
        self._open.records["begun"][places] = True
        first = runs.rows[runs.starts[new]]
        self._open.records["vlan_id"][places[new]] = vlan_ids(batch, first)
        self._open.records["tunnel_id"][places[new]] = TUNNEL_IDS[batch.tunnel[first]]
        return self._rows(update.ended, end_reasons(batch, update, self._settings))

    def end(self, flows: np.ndarray) -> pa.Table:
        return self._rows(flows, np.full(len(flows), FORCED, np.uint8))

    def _rows(self, flows: np.ndarray, reasons: np.ndarray) -> pa.Table:
        kept = self._open.take(flows["number"])
        values = flow_statistics(flows) | _times(flows)
        for name in ("protocol", "ip_version", "src_port", "dst_port"):
            values[name] = flows[name]
        values["id"] = np.arange(self._written, self._written + len(flows))
        values["expiration_id"] = reasons == ACTIVE
        values["vlan_id"], values["tunnel_id"] = kept["vlan_id"], kept["tunnel_id"]
        for end in ("src", "dst"):
            macs = mac_texts(flows[f"{end}_mac"])
            values[f"{end}_ip"] = address_texts(flows[f"{end}_ip"])
            values[f"{end}_mac"], values[f"{end}_oui"] = macs, pc.utf8_slice_codeunits(macs, 0, 8)
        self._written += len(flows)
        return rows_of(values, self._schema)


def _times(flows: np.ndarray) -> dict[str, np.ndarray]:
    """First and last packets and durations in whole milliseconds, as NFStream's clock counts."""
    columns = {}
    for way, first, last in (
        ("bidirectional", flows["first_ns"], flows["last_ns"]),
        ("src2dst", flows["way_first_ns"][:, 0], flows["way_last_ns"][:, 0]),
        ("dst2src", flows["way_first_ns"][:, 1], flows["way_last_ns"][:, 1]),
    ):
        columns[f"{way}_first_seen_ms"] = first // MILLISECOND
        columns[f"{way}_last_seen_ms"] = last // MILLISECOND
        columns[f"{way}_duration_ms"] = last // MILLISECOND - first // MILLISECOND
    return columns


def vlan_ids(batch: PacketBatch, rows: np.ndarray) -> np.ndarray:
    """The innermost VLAN of Ethernet frames, 0 without a tag."""
    ids = np.zeros(len(rows), np.uint16)
    place = batch.frame_offset[rows] + 12
    tagged = np.flatnonzero(batch.link_type[rows] == ETHERNET)
    for _ in range(MOST_TAGS):
        tagged = tagged[np.isin(read(batch.buffer, SHORT, place[tagged]), TAG_TYPES)]
        if not len(tagged):
            break
        ids[tagged] = read(batch.buffer, SHORT, place[tagged] + 2) & 0xFFF
        place[tagged] += 4
    return ids


NFSTREAM = Profile(
    name="nfstream",
    title="NFStream flows",
    unit="flow",
    notes="""\
Columns, order and values of NFStream 6 with `statistical_analysis=True`, `n_dissections=0` and its
default `accounting_mode=0`. Not here: what its dissection says (`application_name`...), the system
columns, and the lists `splt_direction`, `splt_ps` and `splt_piat_ms`, which NFStream writes only
with `splt_analysis`: the rows that netloop trains on say the same of a flow's first packets. Where
a flow has fewer packets than a statistic takes, that statistic is 0. `tunnel_id` has NFStream's
codes; of the other tunnels that are opened here, NFStream knows nothing.

## Against NFStream itself

Flows, packets and bytes of both directions, sizes and flags equal those of NFStream 6.6 (its
defaults, without dissection) on 214 of 225 captures of nDPI's regression tests; a test runs both.
Times between packets differ by up to 2 ms, as NFStream's clock counts whole milliseconds and this
one does not. MAC addresses are those within a tunnel and also read from cooked captures, where
NFStream has those outside and none. The other captures differ by definition:

| reason | what NFStream does, and what netloop does | captures |
|---|---|---|
| clock runs back | It lifts every packet to the latest time so far, so a capture whose clock runs \
back ages no flow; here each packet keeps its time, and a silence of the idle time ends a flow | \
`avast.pcap`, `ipsec_isakmp_esp.pcap` |
| no length | It drops packets whose IP header has length 0 (left to the network card); here they \
count | `anydesk.pcapng`, `line.pcap` |
| later fragments | It drops every fragment but the first; here they count to their datagram's \
flow | `dnscrypt-v1-and-resolver-pings.pcap` |
| VLAN in the key | Its flows are told apart by VLAN, too, so two directions on two VLANs are two \
flows; here they are one | `syslog.pcap` |
| authentication header | It takes the header for a protocol of its own; here it is stepped over | \
`ah.pcapng` |
| Teredo | It leaves IPv6 in UDP alone; here the inner packet counts | `teredo.pcap` |
| FabricPath | It takes what follows Cisco's FabricPath tag (0x8903) for an IP header; here the \
frame within is read | `ajp.pcap` |
| CAPWAP | It reads every 802.11 frame in CAPWAP as IP, also those that hold none; here such \
frames count to the flow of CAPWAP itself | `capwap.pcap` |
| link type | It knows no PPI (192), which is read here | `someip_sd_sample.pcap` |""",
    columns=_columns,
    open=_Nfstream,
)
