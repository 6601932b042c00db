"""A few rows of each class, for a planner that a person allowed to see some."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from agents.wall.names import Names
from agents.wall.quoting import PAYLOAD, quoted
from pipelines.datasets.fields import LABEL, SPLIT, group_of, groups_of
from pipelines.privacy.addresses import Anonymiser, mac_text, written
from pipelines.privacy.summary import kind_of
from pipelines.store.rows import read_tables

PER_CLASS = 2
MOST_CLASSES = 20
MOST_COLUMNS = 30
# What is never shown; and besides, where addresses are others: what names a capture, a host or a
# moment, and checksums and counters, from which an address could be told again.
OPEN = (LABEL,)
HIDDEN = (LABEL, SPLIT, "time", "ip_id", "seq_ack", "checksums")
# Of a payload that may leave only without its bytes: what is spelled out in it.
SPELLED = re.compile(rb"[ -~]{6,}")
DIGITS = 6


def sampled_records(
    rows: Path, names: Names, anonymiser: Anonymiser | None, per_class: int = PER_CLASS
) -> list[dict[str, Any]]:
    """Rows of each class, spread evenly over them, as JSON; texts are quoted as data.

    With an ``anonymiser``, addresses and MACs are turned wherever they stand, what could tell them
    again is left out, and of payloads only what is spelled out is told. Raises NetloopError as
    ``read_rows``.
    """
    found = []
    for row in _drawn(rows, per_class):
        label = names.safe("class", row["label"][0].as_py())
        found.append({"class": label, "values": _values(row, names, anonymiser)})
    return found


def _drawn(folder: Path, per_class: int) -> Iterator[pa.Table]:
    """Single rows: the first, the last and those between, of the first twenty classes."""
    labels = np.concatenate([_labels(rows) for rows in read_tables(folder)] or [np.empty(0, str)])
    wanted = [
        places[place]
        for name in np.unique(labels)[:MOST_CLASSES]
        if len(places := np.flatnonzero(labels == name))
        for place in np.unique(np.linspace(0, len(places) - 1, per_class).astype(int))
    ]
    start = 0
    taken: dict[int, pa.Table] = {}
    for rows in read_tables(folder):
        inside = [place for place in wanted if start <= place < start + rows.num_rows]
        taken |= {place: rows.slice(place - start, 1) for place in inside}
        start += rows.num_rows
    yield from (taken[place] for place in wanted)


def _labels(rows: pa.Table) -> Any:
    return np.asarray(rows["label"].to_pylist(), dtype=str)


def _values(row: pa.Table, names: Names, anonymiser: Anonymiser | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in _shown(row.schema, OPEN if anonymiser is None else HIDDEN):
        if column.name == "payload":
            cell: Any = _payload(row, anonymiser)
        else:
            cell = _cell(row[column.name][0].as_py(), group_of(column), anonymiser)
        if cell is not None:
            values[names.safe("column", column.name)] = cell
    return values


def _shown(schema: pa.Schema, hidden: tuple[str, ...]) -> list[pa.Field]:
    """First texts, bytes and lists, of which no percentile tells, then numbers, up to the limit."""
    shown = [column for column in schema if not {*groups_of(column)} & {*hidden}]
    return sorted(shown, key=lambda column: kind_of(column.type) == "number")[:MOST_COLUMNS]


def _cell(value: Any, group: str, anonymiser: Anonymiser | None) -> Any:
    """A value as JSON; None for what is missing, or cannot be told without saying whose it is."""
    if isinstance(value, str):
        return quoted(value, anonymiser=anonymiser)
    if isinstance(value, bytes):
        return written(value) if anonymiser is None else anonymiser.packed(value)
    if group == "macs" and isinstance(value, int):
        return mac_text(value if anonymiser is None else anonymiser.mac(value))
    if group in ("addresses", "macs") and anonymiser is not None:
        return None
    if isinstance(value, list):
        return [_cell(item, group, anonymiser) for item in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _payload(row: pa.Table, anonymiser: Anonymiser | None) -> dict[str, str] | None:
    slots, lengths = row["payload"][0].as_py(), row["payload_length"][0].as_py()
    size = len(slots) // len(lengths)
    said = b"".join(
        slots[place * size : place * size + max(length, 0)] for place, length in enumerate(lengths)
    )
    if anonymiser is not None:
        said = b" ".join(SPELLED.findall(said))
    return quoted(said.decode("latin-1"), PAYLOAD, anonymiser) if said else None
