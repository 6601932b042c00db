"""CICFlowMeter tables: CIC-IDS2017, CSE-CIC-IDS2018, CICDDoS2019 in every header, ISCX-Tor-2016."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.column_names import known_group
from pipelines.datasets.csv_files import recognise_delimited
from pipelines.datasets.fields import COLUMN
from pipelines.datasets.loaders.base import Loader, binary
from pipelines.datasets.table_files import Head, TableFile
from pipelines.datasets.times import nanoseconds
from pipelines.errors import InputError

# Older and newer releases spell their columns differently: Flow Duration, Tot Fwd Pkts.
GROUP_PATTERNS = tuple(
    (re.compile(pattern), group)
    for pattern, group in (
        (r"flow_id|unnamed", "split"),
        (r"simillarhttp", "names"),
        (r"inbound|^(src|dst|source|destination)_ip$", "addresses"),
        (r"_port$", "ports"),
        (r"^timestamp$", "time"),
        (r"^protocol$", "protocol"),
        (r"iat|duration|idle|active", "gaps"),
        (r"flag", "flags"),
        (r"len|size|byt|bulk_rate|win", "sizes"),
        (r"packet|pkt|ratio", "counts"),
    )
)
DAY_FIRST = re.compile(
    r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4}) +(?P<hour>\d{1,2}):(?P<minute>\d{2})"
    r"(:(?P<second>\d{2}))?( *(?P<half>[AaPp])[Mm])?"
)
FIRST_HOUR = 8  # of the laboratory's day; an earlier one without AM or PM is an afternoon
WEB_ATTACK = r"^(?i:web attack)[^A-Za-z0-9]+"


def flow_names(file: TableFile | None) -> set[str]:
    """Column names in lower case if they are CICFlowMeter's, else none."""
    names = {name.lower() for name in file.names} if file else set()
    return names if names >= {"flow_duration", "flow_iat_mean"} else set()


def recognise_flows(head: Head) -> TableFile | None:
    """A header with a duration, gaps, packet counts and a label."""
    file = recognise_bare_flows(head)
    return file if "label" in flow_names(file) else None


def recognise_bare_flows(head: Head) -> TableFile | None:
    """The same header, with a label or without."""
    file = recognise_delimited(head)
    counts = {"total_fwd_packets", "tot_fwd_pkts", "total_fwd_packet"}
    return file if flow_names(file) & counts else None


def recognise_tor(head: Head) -> TableFile | None:
    """A header with a duration, gaps and a label, but without packet counts."""
    file = recognise_bare_tor(head)
    return file if "label" in flow_names(file) else None


def recognise_bare_tor(head: Head) -> TableFile | None:
    """The same header, with a label or without."""
    file = recognise_delimited(head)
    return file if flow_names(file) else None


def group(name: str) -> str:
    """The field group of a column in any release's spelling."""
    known = known_group(name)
    if known != COLUMN:
        return known
    lower = name.lower()
    return next((group for pattern, group in GROUP_PATTERNS if pattern.search(lower)), COLUMN)


def label_name(table: pa.Table) -> str:
    """The label column, whose case differs between releases."""
    names: list[str] = table.column_names
    return next(name for name in names if name.lower() == "label")


def mend(table: pa.Table) -> pa.Table:
    """One name for the label, no repeated headers, no doubled column, a binary class beside it."""
    name = label_name(table)
    label = pc.utf8_trim_whitespace(table[name])
    label = pc.replace_substring_regex(label, WEB_ATTACK, "Web Attack - ")
    table = table.drop_columns([name]).append_column("Label", label)
    table = table.filter(pc.invert(is_header(table)))
    doubled = [n for n in table.column_names if re.fullmatch(r"Fwd_Header_Length_\d", n)]
    table = table.drop_columns(doubled)
    return table.append_column("class", binary(table["Label"], "benign"))


def is_header(table: pa.Table) -> pa.ChunkedArray:
    """Which rows repeat the header."""
    name = next(name for name in table.column_names if name.lower() == "flow_duration")
    cells = pc.replace_substring(pc.utf8_trim_whitespace(table[name]), " ", "_")
    return pc.equal(pc.utf8_lower(cells), "flow_duration")


def mend_tor(table: pa.Table) -> pa.Table:
    """One name for the label."""
    name = label_name(table)
    label = pc.utf8_trim_whitespace(table[name])
    return table.drop_columns([name]).append_column("Label", label)


def day_first(column: pa.ChunkedArray, name: str) -> pa.Array:
    """Times as nanoseconds since 1970 as if the laboratory's clock were UTC.

    Day before month, seconds may be absent, and where neither AM nor PM is said and no hour is past
    twelve, an hour before eight is one of the afternoon: all flows were recorded in working hours.
    Other writings are read as in any table. Raises InputError for what is no time.
    """
    text = pc.utf8_trim_whitespace(column)
    distinct = pc.unique(text).to_pylist()
    if not any("/" in value for value in distinct):
        return nanoseconds(text, name)
    found = [DAY_FIRST.fullmatch(value) for value in distinct]
    by_twelve = all(match is None or int(match["hour"]) <= 12 for match in found)
    moments = [moment(value, by_twelve) for value in distinct]
    places = pc.index_in(text, pa.array(distinct)).combine_chunks()
    return pc.take(pa.array(moments, pa.int64()), places)


def moment(text: str, by_twelve: bool = True) -> int:
    """One day-first time in nanoseconds, by a clock of twelve hours or of 24."""
    found = DAY_FIRST.fullmatch(text)
    if not found:
        raise InputError(f"{text[:40]!r} is no time.", "Mend the column Timestamp, or drop it.")
    part = {name: int(found[name] or 0) for name in ("day", "month", "year", "minute", "second")}
    hour, half = int(found["hour"]), (found["half"] or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    elif by_twelve and hour < FIRST_HOUR:
        hour += 12
    try:
        day = np.datetime64(f"{part['year']:04}-{part['month']:02}-{part['day']:02}", "D")
    except ValueError as error:
        raise InputError(f"{text!r} is no time.", "Mend the column Timestamp.") from error
    seconds = int(day.astype(int)) * 86_400 + hour * 3600 + part["minute"] * 60 + part["second"]
    return seconds * 1_000_000_000


CIC_FLOWS = Loader(
    name="cic_flows",
    title="a CICFlowMeter table (CIC-IDS2017, CSE-CIC-IDS2018, CICDDoS2019)",
    recognise=recognise_flows,
    bare=recognise_bare_flows,
    file_labels=("Label",),
    mend=mend,
    labels={"attack": "Label", "binary": "class"},
    groups=group,
    time=("timestamp",),
    times=day_first,
    dropped="as a repeated header",
    faults=(
        "Column names begin with blanks in some releases; names are compared without.",
        "Fwd Header Length stands twice; the second is dropped.",
        "Flow Bytes/s and Flow Packets/s are NaN or Infinity for flows of no duration: missing.",
        "The dash in 'Web Attack - XSS' is in another encoding; it becomes a plain one.",
        "Times are day-first, partly without seconds and without AM or PM: where no hour is past "
        "twelve, those before eight are taken for the afternoon.",
        "CSE-CIC-IDS2018 repeats its header among the rows; CIC-IDS2017 has empty rows: left out.",
        "Flow ID, addresses, ports, Timestamp, Inbound and SimillarHTTP are masked or bookkeeping.",
        "Known errors of flow building and labelling in CIC-IDS2017 (Engelen et al. 2021) stay.",
    ),
)
ISCX_TOR = Loader(
    name="iscx_tor_2016",
    title="ISCX-Tor-2016 flow features",
    recognise=recognise_tor,
    bare=recognise_bare_tor,
    file_labels=("Label",),
    mend=mend_tor,
    labels={"category": "Label"},
    groups=group,
    faults=("One client and few guards: addresses and ports give the class away and are masked.",),
)
