"""UNSW-NB15: the training and testing sets with a header, the four raw files without one."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.csv_files import first_rows, recognise_delimited
from pipelines.datasets.fields import LABEL
from pipelines.datasets.loaders.base import Loader, groups_of, rename_values, set_text
from pipelines.datasets.table_files import Head, TableFile

# The 49 columns of the raw files, under the names that the training and testing sets give them.
RAW_COLUMNS = (
    *("srcip", "sport", "dstip", "dsport", "proto", "state", "dur", "sbytes", "dbytes", "sttl"),
    *("dttl", "sloss", "dloss", "service", "sload", "dload", "spkts", "dpkts", "swin", "dwin"),
    *("stcpb", "dtcpb", "smean", "dmean", "trans_depth", "response_body_len", "sjit", "djit"),
    *("stime", "ltime", "sinpkt", "dinpkt", "tcprtt", "synack", "ackdat", "is_sm_ips_ports"),
    *("ct_state_ttl", "ct_flw_http_mthd", "is_ftp_login", "ct_ftp_cmd", "ct_srv_src"),
    *("ct_srv_dst", "ct_dst_ltm", "ct_src_ltm", "ct_src_dport_ltm", "ct_dst_sport_ltm"),
    *("ct_dst_src_ltm", "attack_cat", "label"),
)
ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:]*")
CLASSES = {"0": "normal", "1": "attack"}
CATEGORIES = {"": "Normal", "Backdoors": "Backdoor"}
KNOWN = {"sbytes", "dttl", "ct_state_ttl"}
FILE_LABELS = ("attack_cat", "label")
GROUPS = groups_of(
    {
        "protocol": ("proto", "service", "state"),
        "sizes": (
            *("sbytes", "dbytes", "smean", "dmean", "sload", "dload", "response_body_len"),
            *("swin", "dwin"),
        ),
        "counts": ("spkts", "dpkts", "sloss", "dloss", "trans_depth"),
        "gaps": (
            *("dur", "rate", "sinpkt", "dinpkt", "sjit", "djit", "tcprtt", "synack", "ackdat"),
        ),
        "ttl": ("sttl", "dttl", "ct_state_ttl"),
        "addresses": ("srcip", "dstip", "is_sm_ips_ports"),
        LABEL: FILE_LABELS,
    }
)


def recognise_sets(head: Head) -> TableFile | None:
    """A header with the set's own names."""
    file = recognise_bare_sets(head)
    return file if file and {name.lower() for name in file.names} >= set(FILE_LABELS) else None


def recognise_bare_sets(head: Head) -> TableFile | None:
    """The same header, with labels or without."""
    file = recognise_delimited(head)
    return file if file and {name.lower() for name in file.names} >= KNOWN else None


def recognise_raw(head: Head) -> TableFile | None:
    """A first row of 49 cells: addresses in the first and third, 0 or 1 in the last."""
    cells = raw_cells(head)
    if len(cells) != len(RAW_COLUMNS) or cells[48] not in CLASSES:
        return None
    return TableFile(head.path, head.bytes, RAW_COLUMNS)


def recognise_bare_raw(head: Head) -> TableFile | None:
    """A first row without the last cell, or the last two, which are labels."""
    cells = raw_cells(head)
    if len(cells) not in (47, 48):
        return None
    return TableFile(head.path, head.bytes, RAW_COLUMNS[: len(cells)])


def raw_cells(head: Head) -> list[str]:
    """The cells of the first row; none if it is not one of the raw files."""
    rows, _ = first_rows(head.text.split("\n", 1)[0] + "\n")
    cells = [cell.strip() for cell in rows[0]] if rows else []
    if len(cells) < 47 or not cells[28].isdigit():
        return []
    return cells if ADDRESS.fullmatch(cells[0]) and ADDRESS.fullmatch(cells[2]) else []


def name_classes(table: pa.Table) -> pa.Table:
    """Classes in words: normal and attack, and one spelling of each category."""
    label = pc.utf8_trim_whitespace(table["label"])
    table = set_text(table, "label", rename_values(label, CLASSES))
    category = pc.utf8_trim_whitespace(table["attack_cat"])
    return set_text(table, "attack_cat", rename_values(category, CATEGORIES))


def mend_raw(table: pa.Table) -> pa.Table:
    """Classes in words, hexadecimal ports as decimal numbers."""
    for name in ("sport", "dsport"):
        table = set_text(table, name, decimal_ports(table[name]))
    return name_classes(table)


def decimal_ports(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ports with ``0x000b`` written as ``11``."""
    text = pc.utf8_trim_whitespace(column)
    odd = {value: str(int(value, 16)) for value in pc.unique(text).to_pylist() if is_hex(value)}
    return rename_values(text, odd) if odd else text


def is_hex(text: str) -> bool:
    """Whether a text is a hexadecimal number as C writes it."""
    return re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", text) is not None


FAULTS = (
    "Training and testing set were handed out under each other's names; both are read alike.",
    "Of 82,332 rows 28,386 repeat another on all features; equal rows are one split group.",
    "id only counts and is never a feature; TTLs and the count made from them are masked.",
    "Normal rows have no category or a blank one: they are called Normal.",
)
SHARED = {"binary": "label", "category": "attack_cat"}
UNSW_SETS = Loader(
    name="unsw_nb15",
    title="UNSW-NB15 (training and testing set)",
    recognise=recognise_sets,
    bare=recognise_bare_sets,
    file_labels=FILE_LABELS,
    mend=name_classes,
    labels=SHARED,
    groups=GROUPS,
    faults=FAULTS,
)
UNSW_RAW = Loader(
    name="unsw_nb15_raw",
    title="UNSW-NB15 (raw files)",
    recognise=recognise_raw,
    bare=recognise_bare_raw,
    file_labels=FILE_LABELS,
    mend=mend_raw,
    labels=SHARED,
    groups=GROUPS,
    time=("stime",),
    faults=(
        *FAULTS[2:],
        "Categories carry blanks, and Backdoor is also written Backdoors: one name each.",
        "Some ports are hexadecimal or a dash: a number, and missing.",
        "Columns have the names that the training and testing sets use.",
    ),
)
