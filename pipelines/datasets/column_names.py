"""Names of table columns: made safe to print and to use, recognised where they are well known."""

import re
from collections.abc import Sequence

from pipelines.datasets.fields import COLUMN, LABEL, SPLIT

LONGEST = 64

# Columns that hold the class in public data sets, the likeliest first. Those that are not chosen
# restate the class, so they are never features.
LABEL_NAMES = (
    "label",
    "class",
    "attack",
    "attack_cat",
    "attack_category",
    "category",
    "subcategory",
    "detailed_label",
    "detailedlabel",
    "traffic_type",
    "target",
)

# Identifiers by the names that Zeek, CICFlowMeter, Argus (UNSW-NB15) and NetFlow tools give them.
KNOWN_GROUPS: dict[str, tuple[str, ...]] = {
    SPLIT: ("id", "uid", "flow_id", "flowid", "index", "unnamed_0", "pkseqid", "fuid"),
    LABEL: (*LABEL_NAMES, "difficulty"),
    "addresses": (
        *("id_orig_h", "id_resp_h", "src_ip", "dst_ip", "source_ip", "destination_ip", "srcip"),
        *("dstip", "saddr", "daddr", "src_addr", "dst_addr", "ip_src", "ip_dst", "srcaddr"),
        *("dstaddr", "ipv4_src_addr", "ipv4_dst_addr", "sourceip", "destinationip"),
    ),
    "macs": ("src_mac", "dst_mac", "smac", "dmac", "orig_l2_addr", "resp_l2_addr"),
    "ports": (
        *("id_orig_p", "id_resp_p", "src_port", "dst_port", "source_port", "destination_port"),
        *("sport", "dsport", "dport", "srcport", "dstport", "l4_src_port", "l4_dst_port"),
    ),
    "time": (
        *("ts", "timestamp", "stime", "ltime", "time", "start_time", "end_time", "first_seen"),
        *("date_first_seen", "flow_start", "flow_end", "flow_start_milliseconds"),
    ),
    "ttl": ("ttl", "sttl", "dttl", "ct_state_ttl", "min_ttl", "max_ttl"),
    "seq_ack": ("stcpb", "dtcpb", "tcp_seq", "tcp_ack"),
}
# Who began a flow, under the names that the same tools give it.
HOST_NAMES = (
    *("id_orig_h", "src_ip", "source_ip", "srcip", "saddr", "src_addr", "ip_src", "srcaddr"),
    *("ipv4_src_addr", "sourceip"),
)
# The other columns of a flow's 5-tuple and times, likewise.
TUPLE_NAMES: dict[str, tuple[str, ...]] = {
    "src": (*HOST_NAMES, "src", "source", "client_ip", "initiator"),
    "dst": (
        *("id_resp_h", "dst_ip", "destination_ip", "dstip", "daddr", "dst_addr", "ip_dst"),
        *("dstaddr", "ipv4_dst_addr", "destinationip", "dst", "destination", "server_ip"),
    ),
    "src_port": (
        *("id_orig_p", "src_port", "source_port", "sport", "srcport", "l4_src_port"),
        *("sourceport",),
    ),
    "dst_port": (
        *("id_resp_p", "dst_port", "destination_port", "dsport", "dport", "dstport"),
        *("l4_dst_port", "destinationport"),
    ),
    "protocol": ("proto", "protocol", "l4", "ip_proto", "transport"),
    "file": ("file", "capture", "pcap"),
    "start": (
        *("start", "start_time", "stime", "ts", "timestamp", "first_seen", "flow_start"),
        *("date_first_seen", "flow_start_milliseconds", "starttime", "begin"),
    ),
    "end": ("end", "end_time", "ltime", "last_seen", "flow_end", "endtime", "stop"),
    "seconds": ("duration", "dur", "duration_seconds"),
}
GROUP_OF = {name: group for group, names in KNOWN_GROUPS.items() for name in names}


def safe_names(header: Sequence[str]) -> list[str]:
    """Distinct names of ASCII letters, digits and underscores, one for each cell of ``header``."""
    names: dict[str, None] = {}
    last: dict[str, int] = {}  # the number that a name was given last
    for place, cell in enumerate(header, 1):
        name = re.sub(r"[^A-Za-z0-9]+", "_", cell).strip("_")[:LONGEST] or f"column_{place}"
        numbered, number = name, last.get(name, 1)
        while numbered in names:
            number += 1
            numbered = f"{name}_{number}"
        last[name] = number
        names[numbered] = None
    return list(names)


def known_group(name: str) -> str:
    """The field group that a safe column name is known for; ``column`` for all others."""
    return GROUP_OF.get(name.lower(), COLUMN)


def likely_label(names: Sequence[str]) -> str | None:
    """The column that most likely holds the class: a well-known name, the likeliest first."""
    by_name = {name.lower(): name for name in reversed(names)}
    return next((by_name[known] for known in LABEL_NAMES if known in by_name), None)
