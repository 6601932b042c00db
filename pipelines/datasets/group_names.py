"""The ladder of split groups: which flow, capture, host, day and site every row belongs to."""

import ipaddress
from typing import Literal, get_args

import numpy as np
import pyarrow as pa

from pipelines.datasets.keys import Codes, matrix, matrix_codes, numbers, text_codes
from pipelines.errors import InputError

Group = Literal["flow", "capture", "host", "day", "site"]
LADDER: tuple[Group, ...] = get_args(Group)
DAY_NS = 86_400_000_000_000

# What a split by a group keeps whole as well: a flow may change its initiator, never its side.
NESTED: dict[Group, tuple[Group, ...]] = {
    "flow": ("flow",),
    "capture": ("capture",),
    "host": ("host", "flow"),
    "day": ("day", "flow"),
    "site": ("site", "flow"),
}


def group_of_split(by: str) -> Group:
    """The split group that a way of splitting keeps whole."""
    return next((group for group in LADDER if group == by), "flow")


def group_names(rows: pa.Table, group: Group) -> tuple[list[str], Codes]:
    """The distinct groups, sorted, and the place of every row's group among them, shape (rows,).

    ``flow`` and ``capture`` are columns. ``host`` is the column of that name, else the address of
    the initiator, for packets that of their flow. ``site`` is the column, else the first folder of
    the capture's path. ``day`` is the UTC day on which the row's flow began: a flow that crosses
    midnight stays whole.

    Raises InputError for rows that do not say what their group is.
    """
    if group == "flow":
        values, of_row = np.unique(numbers(rows, "flow"), return_inverse=True)
        return [str(value) for value in values], of_row
    if group == "capture":
        return text_codes(rows, "capture")
    if group == "day":
        return _days(rows)
    if group in rows.schema.names:
        return _named(rows, group)
    return _hosts(rows) if group == "host" else _sites(rows)


def flow_starts(rows: pa.Table) -> Codes:
    """For every row the time, in ns since 1970, at which its flow began, shape (rows,)."""
    _, of_row = np.unique(numbers(rows, "flow"), return_inverse=True)
    return first_times(rows, of_row)[of_row]


def first_times(rows: pa.Table, of_row: Codes) -> Codes:
    """The time of the first packet of every group, shape (groups,). Raises InputError without."""
    if "first_seen_ns" not in rows.schema.names:
        raise InputError(
            "These rows carry no time, so they cannot be split by time or day.",
            "Name the table's time column (columns.time), or split by row.",
        )
    first = np.full(int(of_row.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, of_row, numbers(rows, "first_seen_ns"))
    return first


def _days(rows: pa.Table) -> tuple[list[str], Codes]:
    days, of_row = np.unique(flow_starts(rows) // DAY_NS, return_inverse=True)
    return np.datetime_as_string(days.astype("datetime64[D]")).tolist(), of_row


def _named(rows: pa.Table, group: str) -> tuple[list[str], Codes]:
    if rows[group].null_count:
        raise InputError(
            f"{rows[group].null_count:,} rows do not say what their {group} is.",
            f"Fill the column {group}, or split by something else.",
        )
    return text_codes(rows.select([group]).cast(pa.schema([(group, pa.string())])), group)


def _hosts(rows: pa.Table) -> tuple[list[str], Codes]:
    if "src_ip" not in rows.schema.names:
        raise InputError(
            "These rows do not say which host they come from.",
            "Name the table's column of hosts (columns.host), or split by row.",
        )
    addresses = matrix(rows, "src_ip")
    if "bidirectional_packets" not in rows.schema.names:  # packets: replies have another source
        addresses = addresses[_first_of_flow(rows)]
    codes = matrix_codes(addresses)
    _, first = np.unique(codes, return_index=True)
    texts = [address_text(addresses[place].tobytes()) for place in first]
    return _sorted(texts, codes)


def _first_of_flow(rows: pa.Table) -> Codes:
    """For every row the position of the first row of its flow, shape (rows,)."""
    flow = numbers(rows, "flow")
    order = np.lexsort((numbers(rows, "first_seen_ns"), flow))
    _, start, of_row = np.unique(flow[order], return_index=True, return_inverse=True)
    first = np.empty(len(order), np.int64)
    first[order] = order[start][of_row]
    return first


def _sites(rows: pa.Table) -> tuple[list[str], Codes]:
    captures, of_row = text_codes(rows, "capture")
    flat = [name for name in captures if "/" not in name]
    if flat:
        raise InputError(
            f"These rows do not say at which site they were captured: {flat[0]} is in no folder.",
            "Put each site's captures into a folder of its own, or add a column site to "
            "labels.csv; or split by something else.",
        )
    return _sorted([name.split("/", 1)[0] for name in captures], of_row)


def _sorted(texts: list[str], codes: Codes) -> tuple[list[str], Codes]:
    """Distinct texts, sorted, and their places, from the text that each code stands for."""
    names, place = np.unique(np.array(texts, object), return_inverse=True)
    return names.tolist(), place[codes]


def address_text(address: bytes) -> str:
    """An address of 16 bytes as people write it: IPv4 where it is a mapped one."""
    parsed = ipaddress.IPv6Address(address)
    return str(parsed.ipv4_mapped or parsed)
