"""Identifiers of real rows, which masks hide, that stand in cells of synthetic rows."""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.augment.gate.check import Check, at_most, unjudged
from pipelines.datasets.fields import feature_columns, group_of, groups_of
from pipelines.represent.arrays import column_array
from pipelines.words import counted

NAME = "identifiers"
Identifier = str | bytes | int
# Groups whose values name a host or a person; ports and TTLs name nobody.
IDENTIFYING = ("addresses", "macs", "names")
# Shorter texts and smaller numbers (of at most 20 bits) meet others by chance.
SHORTEST = 7
SMALLEST = 1 << 20
COLUMNS_TOLD = 3
# With and without colons: an address of IPv6, or one with a port behind it.
TOKENS = (re.compile(r"[\w.:@-]{7,}"), re.compile(r"[\w.@-]{7,}"))


def identifiers(real: pa.Table, synthetic: pa.Table, masks: Sequence[str]) -> Check:
    """The synthetic rows with a feature that holds an identifier of a real row verbatim.

    Looked for are the values of masked addresses, MACs and names: as whole cells of any kind, and
    as words within texts and readable bytes. Four bytes of an address within a payload are not.
    """
    asked = set(masks) & set(IDENTIFYING)
    hidden = [column.name for column in real.schema if asked & {*groups_of(column)}]
    known = {value for name in hidden for value in _identifiers(real, name)}
    if not known:
        return unjudged(NAME, "identifiers: the masks hide none that could be looked for")
    flags = np.zeros(synthetic.num_rows, bool)
    where = []
    for name in feature_columns(real.schema, masks):
        found = _holds(column_array(synthetic, name), known)
        flags |= found
        where += [name] if found.any() else []
    words = "no identifier of a real row"
    if where:
        held = counted(int(flags.sum()), "holds", "hold")
        words = f"{held} an identifier of a real row, in {', '.join(where[:COLUMNS_TOLD])}"
    return at_most(NAME, float(flags.mean()), 0.0, words, flags)


def _identifiers(rows: pa.Table, name: str) -> Iterator[Identifier]:
    """Distinct values, in every form in which they could stand in a cell."""
    group = group_of(rows.schema.field(name))
    for value in pc.unique(column_array(rows, name).drop_null()).to_pylist():
        if isinstance(value, str) and len(value) >= SHORTEST:
            yield value.lower()
        elif isinstance(value, bytes) and any(value):
            yield value
            if group == "addresses" and len(value) == 16:
                address = IPv6Address(value)
                yield str(address.ipv4_mapped or address)
        elif isinstance(value, int | float) and abs(value) >= SMALLEST and value == int(value):
            yield int(value)
            if group == "macs":
                yield int(value).to_bytes(8, "big")[-6:].hex(":")


def _holds(values: pa.Array, known: set[Identifier]) -> np.ndarray:
    """Whether each cell holds one of them, shape (rows,)."""
    kind = values.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        # a float64 holds whole numbers up to 2 ** 53, below which MACs and addresses of IPv4 are
        numbers = np.array([value for value in known if isinstance(value, int)], np.float64)
        cells = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return np.asarray(np.isin(cells, numbers))
    if not (pa.types.is_fixed_size_binary(kind) or _is_text(kind)):
        return np.zeros(len(values), bool)
    encoded = values.dictionary_encode()
    hits = [_cell_holds(cell, known) for cell in encoded.dictionary.to_pylist()]
    places = pc.fill_null(encoded.indices, len(hits)).to_numpy()
    return np.asarray(np.array([*hits, False])[places])


def _is_text(kind: pa.DataType) -> bool:
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    return any(check(kind) for check in checks)


def _cell_holds(cell: str | bytes, known: set[Identifier]) -> bool:
    text = cell.lower() if isinstance(cell, str) else cell.decode("latin-1").lower()
    return (
        cell in known
        or text in known
        or any(token.strip(".:-") in known for pattern in TOKENS for token in pattern.findall(text))
    )
