"""The layout of NSL-KDD and KDD Cup 99: no header, 41 features, the attack, the difficulty."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.fields import LABEL
from pipelines.datasets.loaders.base import Loader, binary, groups_of, rename_values
from pipelines.datasets.table_files import Head, TableFile

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


def recognise_nsl(head: Head) -> TableFile | None:
    """A first row of 42 or 43 cells, a protocol in the second, no full stop after the attack."""
    cells = first_cells(head, 42, 43)
    if cells is None or cells[41].endswith("."):
        return None
    return TableFile(head.path, head.bytes, COLUMNS[: len(cells)])


def recognise_kdd99(head: Head) -> TableFile | None:
    """A first row of 42 cells, a protocol in the second, a full stop after the attack."""
    cells = first_cells(head, 42)
    if cells is None or not cells[41].endswith("."):
        return None
    return TableFile(head.path, head.bytes, COLUMNS[:42])


def recognise_bare(head: Head) -> TableFile | None:
    """A first row of the 41 features alone."""
    if first_cells(head, len(FEATURES)) is None:
        return None
    return TableFile(head.path, head.bytes, FEATURES)


def first_cells(head: Head, *counts: int) -> list[str] | None:
    """The cells of the first row if it has the shape that both sets share, and is of a width."""
    cells = [cell.strip() for cell in head.text.lstrip().split("\n", 1)[0].split(",")]
    if len(cells) not in counts:
        return None
    alike = cells[0].isdigit() and cells[1] in {"tcp", "udp", "icmp"} and cells[4].isdigit()
    return cells if alike else None


def add_labels(table: pa.Table) -> pa.Table:
    """Replace the text column ``attack`` by ``class``, ``attack`` and ``category``.

    KDD Cup 99 ends attack names with a full stop, which goes. An attack that nobody has sorted
    gets the category ``unknown``.
    """
    attack = pc.utf8_rtrim(pc.utf8_trim_whitespace(table["attack"]), ".")
    category = pc.if_else(pc.is_in(attack, pa.array(list(CATEGORY_OF))), attack, "unknown")
    category = pc.if_else(pc.is_in(attack, pa.array(["", "normal"])), attack, category)
    table = table.drop_columns(["attack"])
    table = table.append_column("class", binary(attack, "normal"))
    table = table.append_column("attack", attack)
    return table.append_column("category", rename_values(category, CATEGORY_OF))


GROUPS = groups_of(
    {
        "gaps": ("duration",),
        "protocol": ("protocol_type", "service"),
        "flags": ("flag",),
        "sizes": ("src_bytes", "dst_bytes"),
        LABEL: ("class", "attack", "category", "difficulty"),
    }
)
LABELS = {"binary": "class", "attack": "attack", "category": "category"}
NSL_KDD = Loader(
    name="nsl_kdd",
    title="NSL-KDD: normal against attack",
    recognise=recognise_nsl,
    bare=recognise_bare,
    file_labels=("attack",),
    mend=add_labels,
    labels=LABELS,
    groups=GROUPS,
    faults=("The difficulty (column 43) is made from the label and is never a feature.",),
)
KDD99 = Loader(
    name="kdd99",
    title="KDD Cup 99: normal against attack",
    recognise=recognise_kdd99,
    bare=recognise_bare,
    file_labels=("attack",),
    mend=add_labels,
    labels=LABELS,
    groups=GROUPS,
    faults=(
        "Attack names end with a full stop, which is taken off.",
        "Seven of ten rows are copies; equal rows are one split group.",
    ),
)
