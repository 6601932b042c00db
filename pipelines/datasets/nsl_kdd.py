"""The layout of NSL-KDD and KDD Cup 99: no header, 41 features, the attack, the difficulty."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

NAME = "nsl_kdd"
LABELS = ("class", "attack", "category")

FEATURES = (
    *("duration", "protocol_type", "service", "flag", "src_bytes", "dst_bytes", "land"),
    *("wrong_fragment", "urgent", "hot", "num_failed_logins", "logged_in", "num_compromised"),
    *("root_shell", "su_attempted", "num_root", "num_file_creations", "num_shells"),
    *("num_access_files", "num_outbound_cmds", "is_host_login", "is_guest_login", "count"),
    *("srv_count", "serror_rate", "srv_serror_rate", "rerror_rate", "srv_rerror_rate"),
    *("same_srv_rate", "diff_srv_rate", "srv_diff_host_rate", "dst_host_count"),
    *("dst_host_srv_count", "dst_host_same_srv_rate", "dst_host_diff_srv_rate"),
    *("dst_host_same_src_port_rate", "dst_host_srv_diff_host_rate", "dst_host_serror_rate"),
    *("dst_host_srv_serror_rate", "dst_host_rerror_rate", "dst_host_srv_rerror_rate"),
)
# The difficulty says how many learners got the row right: it is made from the label.
COLUMNS = (*FEATURES, "attack", "difficulty")

ATTACKS: dict[str, tuple[str, ...]] = {
    "dos": (
        *("back", "land", "neptune", "pod", "smurf", "teardrop"),
        *("apache2", "mailbomb", "processtable", "udpstorm"),
    ),
    "probe": ("ipsweep", "nmap", "portsweep", "satan", "mscan", "saint"),
    "r2l": (
        *("ftp_write", "guess_passwd", "imap", "multihop", "phf", "spy", "warezclient"),
        *("warezmaster", "httptunnel", "named", "sendmail", "snmpgetattack", "snmpguess"),
        *("worm", "xlock", "xsnoop"),
    ),
    "u2r": (
        *("buffer_overflow", "loadmodule", "perl", "rootkit"),
        *("ps", "sqlattack", "xterm"),
    ),
}
CATEGORY_OF = {name: category for category, names in ATTACKS.items() for name in names}


def matches(cells: Sequence[str]) -> bool:
    """Whether a first row has the layout: 42 or 43 cells, a protocol in the second."""
    if len(cells) not in (len(COLUMNS) - 1, len(COLUMNS)):
        return False
    return cells[0].isdigit() and cells[1] in {"tcp", "udp", "icmp"} and cells[4].isdigit()


def add_labels(table: pa.Table) -> pa.Table:
    """Replace the text column ``attack`` by ``class``, ``attack`` and ``category``.

    KDD Cup 99 ends attack names with a full stop, which goes. An attack that nobody has sorted
    gets the category ``unknown``.
    """
    attack = pc.utf8_rtrim(pc.utf8_trim_whitespace(table["attack"]), ".")
    normal = pc.equal(attack, "normal")
    known = pa.array(list(CATEGORY_OF))
    place = pc.index_in(attack, known)
    category = pc.fill_null(pc.take(pa.array(list(CATEGORY_OF.values())), place), "unknown")
    table = table.drop_columns(["attack"])
    table = table.append_column("class", pc.if_else(normal, "normal", "attack"))
    table = table.append_column("attack", attack)
    return table.append_column("category", pc.if_else(normal, "normal", category))
