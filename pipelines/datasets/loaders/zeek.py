"""Zeek's conn.log as TSV, JSON or CSV, with or without labels: IoT-23, CTU captures, your own."""

import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.column_names import safe_names
from pipelines.datasets.csv_files import read_delimited, recognise_delimited, sample_delimited
from pipelines.datasets.fields import LABEL
from pipelines.datasets.loaders.base import Loader, groups_of, set_text
from pipelines.datasets.loaders.json_lines import first_object, json_blocks, json_sample
from pipelines.datasets.table_files import Head, TableFile

GLUED = re.compile(r" {2,}")
CONNECTION = {"id_orig_h", "id_resp_h", "id_orig_p", "id_resp_p"}
CONN_LOG = CONNECTION | {"conn_state", "orig_pkts"}
GROUPS = groups_of(
    {
        "protocol": ("proto", "service"),
        "gaps": ("duration",),
        "sizes": ("orig_bytes", "resp_bytes", "orig_ip_bytes", "resp_ip_bytes", "missed_bytes"),
        "counts": ("orig_pkts", "resp_pkts"),
        "flags": ("conn_state", "history"),
        "addresses": ("local_orig", "local_resp"),
        "split": ("uid", "uids", "tunnel_parents", "community_id"),
        LABEL: ("label", "detailed_label"),
    }
)


def recognise_log(head: Head) -> TableFile | None:
    """Lines that begin with ``#`` before the first row, one of them ``#fields``."""
    lines = head.lines
    fields = next((n for n, line in enumerate(lines[:20]) if line.startswith("#fields")), None)
    if fields is None or not lines[0].startswith("#"):
        return None
    names = lines[fields].split("\t")[1:]
    first = next((n for n in range(fields, len(lines)) if not lines[n].startswith("#")), len(lines))
    return TableFile(
        *(head.path, head.bytes, tuple(names), first),
        delimiter="\t",
        quoted=False,
        comment="#",
        is_main="#path\tconn" in lines[:20],
    )


def recognise_csv(head: Head) -> TableFile | None:
    """A header with the names of a connection's ends and state."""
    file = recognise_delimited(head)
    return file if file and {name.lower() for name in file.names} >= CONN_LOG else None


def recognise_json(head: Head) -> TableFile | None:
    """A first JSON object with the ends of a connection."""
    first = first_object(head) or {}
    names = safe_names(list(first))
    if not set(names) >= CONNECTION:
        return None
    return TableFile(head.path, head.bytes, tuple(first), is_main="conn_state" in names)


def read_log(file: TableFile, warnings: list[str]) -> Iterator[pa.Table]:
    """Blocks of a TSV log, a glued last column cut into its parts."""
    for block in read_delimited(file, warnings):
        yield unglued(block, file)


def sample_log(file: TableFile) -> pa.Table:
    """The first rows of a TSV log."""
    return unglued(sample_delimited(file), file)


def unglued(block: pa.Table, file: TableFile) -> pa.Table:
    """IoT-23 adds its labels to the last cell with blanks between: a column for each."""
    names = safe_names(GLUED.split(file.header[-1]))
    if len(names) < 2:
        return block
    last = block.column_names[-1]
    cells = pc.split_pattern_regex(pc.utf8_trim_whitespace(block[last]), GLUED.pattern)
    cells = pa.chunked_array([cells]) if isinstance(cells, pa.Array) else cells
    lengths = pc.list_value_length(cells)
    block = block.drop_columns([last])
    for place, name in enumerate(names):
        there = pc.if_else(pc.greater(lengths, place), cells, pa.scalar([""] * (place + 1)))
        block = block.append_column(name, pc.list_element(there, place))
    return block


def mend(table: pa.Table) -> pa.Table:
    """Zeek's dash and (empty) as no value; one spelling of the labels.

    A row whose detailed label is absent is told by its label.
    """
    empty = pa.array(["-", "(empty)"])
    for name in table.column_names:
        column = pc.utf8_trim_whitespace(table[name])
        table = set_text(table, name, pc.if_else(pc.is_in(column, empty), "", column))
    if "detailedlabel" in table.column_names:
        names = ["detailed_label" if n == "detailedlabel" else n for n in table.column_names]
        table = table.rename_columns(names)
    if "label" not in table.column_names:
        return table
    label = pc.utf8_capitalize(table["label"])
    table = set_text(table, "label", label)
    if "detailed_label" in table.column_names:
        detailed = table["detailed_label"]
        detailed = pc.if_else(pc.equal(detailed, ""), label, detailed)
        table = set_text(table, "detailed_label", detailed)
    return table


LABELS = {"binary": "label", "attack": "detailed_label"}
FAULTS = (
    "The dash and (empty) mean that there is no value.",
    "IoT-23 glues tunnel_parents, label and detailed-label with blanks into one cell: three "
    "columns.",
    "Benign is also written benign: one class. A row without a detailed label keeps its label.",
    "uid, addresses, ports and ts are bookkeeping or masked; local_orig and local_resp count as "
    "addresses.",
)
ZEEK_LOG = Loader(
    name="zeek_conn",
    title="a Zeek conn.log",
    recognise=recognise_log,
    read=read_log,
    sample=sample_log,
    mend=mend,
    labels=LABELS,
    groups=GROUPS,
    time=("ts",),
    faults=FAULTS,
)
ZEEK_CSV = Loader(
    name="zeek_conn_csv",
    title="a Zeek conn.log as CSV (IoT-23)",
    recognise=recognise_csv,
    mend=mend,
    labels=LABELS,
    groups=GROUPS,
    time=("ts",),
    faults=FAULTS,
)
ZEEK_JSON = Loader(
    name="zeek_conn_json",
    title="a Zeek conn.log as JSON",
    recognise=recognise_json,
    read=json_blocks,
    sample=json_sample,
    mend=mend,
    labels=LABELS,
    groups=GROUPS,
    time=("ts",),
    same_header=False,
    faults=FAULTS,
)
