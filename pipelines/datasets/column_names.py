"""Names of table columns: made safe to print and to use, recognised where they are well known."""

import re
from collections.abc import Iterable, Sequence
from functools import cache

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

# Identifiers, and what restates the class, by the names that Zeek, CICFlowMeter, Argus, NFStream,
# nfdump, tshark and published sets give them: the whole name in lower case.
END = "(src|dst|source|dest|destination|orig|resp|client|server|local|remote|s|d)"
ADDRESS = "(ip|ip_?v?[46]|addr|address|host)"
UNIT = "(_?(ms|us|ns|s|milliseconds|microseconds|nanoseconds|seconds))?"
GROUP_PATTERNS = {
    group: re.compile("|".join(patterns))
    for group, patterns in {
        SPLIT: (
            "id|uid|fuid|index|unnamed_0|pkseqid|no|(row|record)_?(id|no|number)",
            "flow_?(id|key|hash)|five_?tuple|community_?id|frame_(number|no)|(tcp|udp)_stream",
        ),
        LABEL: (
            *LABEL_NAMES,
            "difficulty",
            "(is_?)?attack(_?(label|type|name|id|description|desc|cat|category|class|flag))?",
            "(is_?)?malicious|attempted_category|sub_?category",
            "(binary|multi)_?(label|class)|(label|class)_?(id|name|num|binary|multi)",
            "traffic_?(category|sub_?type|class)",
        ),
        "addresses": (
            f"id_(orig|resp)_h|{END}_?{ADDRESS}(_?{ADDRESS})?|ip_?addr(ess)?|[sd]a",
            "src|dst|source|destination|initiator|responder",
            f"(ip|ip_?v?[46]|arp)_?{END}(_?{ADDRESS}|_proto_ip_?v?[46])?",
            "(orig|resp)_cc|[sd]co|(inner_|id_)*vlan(_id)?",
        ),
        "macs": (
            f"{END}_?(mac|oui|l2_addr|hw_addr|mac_oui)(_?addr(ess)?)?",
            f"(eth|ether|sll|wlan|arp)_?({END}|[sdtr]a)(_hw)?(_mac|_resolved|_oui)?",
        ),
        "ports": (
            f"id_(orig|resp)_p|(l4_)?{END}_?(port|pt)(_?(no|num|number))?|dsport|[sd]p",
            f"(tcp|udp)_?({END}_?)?port",
        ),
        "time": (
            "ts|te|[sl]time|time|date|date_?time|timestamp|unix_?time(stamp)?|write_ts",
            f"(flow_?)?(start|end|begin|stop|first|last)_?(time|date)_?(stamp)?{UNIT}",
            f"flow_(start|end){UNIT}|(.*_)?(first|last)_?(seen|switched){UNIT}|date_first_seen",
            "frame_time(_epoch|_utc|_relative)?",
        ),
        "ttl": ("(ip_|min_|max_|src2dst_|dst2src_|ct_state_|src_|dst_|s|d)?ttl|hop_limit",),
        "ip_id": ("ip_?id",),
        "seq_ack": ("[sd]tcpb|seq|sequence_?number|tcp_(seq|ack|nxtseq)(_raw)?",),
        "checksums": ("(ip|tcp|udp|icmp|icmpv6)_?checksum(_status)?",),
        "names": (
            "(host|user|server|domain)_?name|user|requested_server_name|client_hostname",
            "sni|(tls|ssl)_(sni|server_name|subject|issuer)|dns_(query|qry_name)|http_host",
        ),
    }.items()
}
# Values that are nothing else than an identifier.
SHAPES = {
    "macs": re.compile(r"([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}"),
    "addresses": re.compile(
        r"\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?|"
        # of IPv6: eight parts, or a gap, which tells them from times of day
        r"(?=.*::|([^:]*:){7})([0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(%\w+)?"
    ),
    "time": re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}[ T]\d{1,2}:\d{2}.*"),
}
# What a repeated name was given by ``safe_names``, or by pandas.
REPEATED = re.compile(r"_\d{1,2}$")
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


@cache
def known_group(name: str) -> str:
    """The field group that a safe column name is known for; ``column`` for all others.

    A repeated column (``Label_2``) is what the first of its name is.
    """
    whole = name.lower()
    for lower in (whole, REPEATED.sub("", whole)):
        for group, pattern in GROUP_PATTERNS.items():
            if pattern.fullmatch(lower):
                return group
    return COLUMN


def group_of_values(values: Iterable[str]) -> str:
    """The field group that values give away whatever their column is called, else ``column``.

    Addresses, of IP or of Ethernet, and dates with a time; blanks do not count.
    """
    found = {value.strip() for value in values} - {"", "-"}
    alike = (group for group, shape in SHAPES.items() if all(map(shape.fullmatch, found)))
    return next(alike, COLUMN) if found else COLUMN


def likely_label(names: Sequence[str]) -> str | None:
    """The column that most likely holds the class: a well-known name, the likeliest first."""
    by_name = {name.lower(): name for name in reversed(names)}
    return next((by_name[known] for known in LABEL_NAMES if known in by_name), None)
