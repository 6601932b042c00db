"""The sheet of rows to label: which they are, what a model makes of them, and room for the class.

Of flows it is what a labels.csv of flows holds, so that the filled-in sheet labels the captures
that they came from.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.augment.label_next import Guessed
from pipelines.capture import address_text, community_id
from pipelines.capture.community_id import ICMP, ICMPV6
from pipelines.datasets.csv_files import as_numbers
from pipelines.datasets.fields import is_captured
from pipelines.datasets.keys import numbers
from pipelines.datasets.unlabelled import FILE, ROW, SHOWN
from pipelines.profiles.writers import open_writer
from pipelines.store.files import ORDINARY, atomic_file
from pipelines.visible import visible

NANOSECONDS = pa.timestamp("ns", "UTC")
LONGEST_CELL = 1000


def write_sheet(path: Path, asked: Guessed) -> None:
    """Write ``sheet`` as CSV, whole or not at all; no text in it is a formula or a control code."""
    rows = sheet(asked)
    with atomic_file(path, mode=ORDINARY) as file:
        writer = open_writer("csv", "", rows.schema, file)
        writer.write(rows)
        writer.close()


def sheet(asked: Guessed) -> pa.Table:
    """A line a row: where it is, ``guess``, ``sure`` (the guess's probability), an empty ``label``.

    A flow or packet is named by its file, times (UTC), addresses, ports, protocol and Community
    ID. A record has its number in its file, and its own columns at the end.
    """
    captured = is_captured(asked.rows.schema)
    made = _flow_columns(asked.rows) if captured else _record_columns(asked.rows)
    made |= {
        "guess": _visible(asked.guess.tolist()),
        "sure": pa.array(np.round(asked.sure, 3)),
        "label": pa.array([""] * asked.rows.num_rows),
    }
    for name in asked.rows.column_names:
        own = name.removeprefix(SHOWN)
        if own != name:
            values = as_numbers(asked.rows[name])
            if values is None:
                values = _visible(asked.rows[name].to_pylist())
            made[own if own not in made else f"{own}_column"] = values
    return pa.table(made)


def _record_columns(rows: pa.Table) -> dict[str, Any]:
    return {"file": _visible(rows[FILE].to_pylist()), "row": rows[ROW]}


def _flow_columns(rows: pa.Table) -> dict[str, Any]:
    """What names a flow, under the names that labels of flows have."""
    sources, targets = rows["src_ip"].to_pylist(), rows["dst_ip"].to_pylist()
    protocol = rows["protocol"].to_pylist()
    is_icmp = pc.is_in(rows["protocol"], pa.array([ICMP, ICMPV6], pa.uint8()))
    ends = [
        pc.if_else(is_icmp, rows[kind].cast(pa.uint16()), rows[port]).to_pylist()
        for kind, port in (("icmp_type", "src_port"), ("icmp_code", "dst_port"))
    ]
    first = numbers(rows, "first_seen_ns")
    last = numbers(rows, "last_seen_ns") if "last_seen_ns" in rows.column_names else first
    return {
        "file": _visible(rows["capture"].to_pylist()),
        "start": pa.array(first).cast(NANOSECONDS),
        "end": pa.array(last).cast(NANOSECONDS),
        "src_ip": pa.array(map(address_text, sources)),
        "src_port": rows["src_port"],
        "dst_ip": pa.array(map(address_text, targets)),
        "dst_port": rows["dst_port"],
        "protocol": rows["protocol"],
        "community_id": pa.array(map(community_id, sources, targets, *ends, protocol)),
    }


def _visible(texts: list[str | None]) -> pa.Array:
    return pa.array([visible(text or "", LONGEST_CELL) for text in texts], pa.string())
