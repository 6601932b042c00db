"""Columns that say what they are: every column of a dataset carries the name of its field group.

A *mask* is a field group that models may not see. Masks act on groups, never on column names, so
a new column is masked as soon as it is declared in the right group.
"""

import json
from collections.abc import Iterable, Sequence

import pyarrow as pa

from pipelines.errors import InputError

# Groups that only bookkeeping reads: never a feature, whatever the masks say.
LABEL = "label"
SPLIT = "split"

# Identifiers of hosts, networks, moments and single packets: they give the label away without
# saying anything about behaviour, so they are masked unless a person asks for them.
DEFAULT_MASKS: tuple[str, ...] = (
    "addresses",
    "macs",
    "ports",
    "time",
    "ttl",
    "ip_id",
    "seq_ack",
    "checksums",
    "names",
)

# What the protocols of a flow say, where rows were asked to tell.
PROTOCOLS: tuple[str, ...] = ("tls", "certificate", "quic", "http", "dns", "banner")

# What traffic does and says rather than who sent it: features by default.
BEHAVIOUR: tuple[str, ...] = (
    "protocol",
    "sizes",
    "gaps",
    "flags",
    "counts",
    "payload",
    *PROTOCOLS,
)

# Columns of a table that nobody has classified.
COLUMN = "column"


def field(
    name: str, kind: pa.DataType, group: str, *more: str, text: bool = False, words: bool = False
) -> pa.Field:
    """A column named ``name`` that belongs to ``group``.

    A column that was computed from others belongs to ``more`` groups too: those of all its inputs.
    Strings are categories, unless marked as ``text`` (any part of one may mean something, as in a
    request) or as ``words`` (lists with blanks between their parts).
    """
    metadata = {b"group": group.encode()}
    if more:
        metadata[b"groups"] = json.dumps([group, *more]).encode()
    if text or words:
        metadata[b"kind"] = b"words" if words else b"text"
    return pa.field(name, kind, metadata=metadata)


def text_kind(column: pa.Field) -> str | None:
    """``text`` or ``words`` for strings that were marked as such, None for other columns."""
    kind = (column.metadata or {}).get(b"kind")
    return None if kind is None else kind.decode()


def group_of(column: pa.Field) -> str:
    """The first field group of a column; ``column`` where none was declared."""
    return groups_of(column)[0]


def groups_of(column: pa.Field) -> tuple[str, ...]:
    """All field groups of a column: several if it was computed from others."""
    metadata = column.metadata or {}
    if b"groups" in metadata:
        return tuple(json.loads(metadata[b"groups"]))
    group = metadata.get(b"group")
    return (COLUMN if group is None else group.decode(),)


def feature_columns(schema: pa.Schema, masks: Iterable[str] = DEFAULT_MASKS) -> list[str]:
    """Names of the columns that a model may see under ``masks``, in schema order.

    A column of several groups is hidden by a mask of any of them.
    """
    hidden = {LABEL, SPLIT, *masks}
    return [column.name for column in schema if hidden.isdisjoint(groups_of(column))]


def is_captured(schema: pa.Schema) -> bool:
    """Whether rows are flows or packets of captures rather than records of a table."""
    return "packet_length" in schema.names


def check_masks(masks: Sequence[str]) -> Sequence[str]:
    """The masks themselves. Raises InputError for one that is no field group."""
    known = (*DEFAULT_MASKS, *BEHAVIOUR)
    if unknown := [name for name in masks if name not in known]:
        raise InputError(
            f"There is no field group {unknown[0]!r} to mask.", f"They are: {', '.join(known)}."
        )
    return masks
