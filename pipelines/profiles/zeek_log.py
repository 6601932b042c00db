"""Zeek's own form of a log: tab-separated, with a header that names fields and types.

The lines ``#open`` and ``#close`` of Zeek are clock readings and are left out.
"""

from collections.abc import Callable
from typing import Any, BinaryIO

import pyarrow as pa

UNSET, EMPTY = "-", "(empty)"
# Types of conn.log that do not follow from the Arrow type.
TYPES = {
    "ts": "time",
    "id.orig_h": "addr",
    "id.orig_p": "port",
    "id.resp_h": "addr",
    "id.resp_p": "port",
    "proto": "enum",
    "duration": "interval",
    "tunnel_parents": "set[string]",
}


class ZeekLog:
    """A conn.log; columns that are not Zeek's are strings behind its own."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._file = file
        self._spell = [_speller(_type(column)) for column in schema]
        lines = [
            r"#separator \x09",
            "#set_separator\t,",
            f"#empty_field\t{EMPTY}",
            f"#unset_field\t{UNSET}",
            "#path\tconn",
            "\t".join(["#fields", *map(_escaped, schema.names)]),
            "\t".join(["#types", *map(_type, schema)]),
        ]
        self._write(lines)

    def write(self, rows: pa.Table) -> None:
        columns = [
            [UNSET if value is None else spell(value) for value in column.to_pylist()]
            for spell, column in zip(self._spell, rows.columns, strict=True)
        ]
        self._write(["\t".join(cells) for cells in zip(*columns, strict=True)])

    def close(self) -> None:
        """Nothing belongs at the end."""

    def _write(self, lines: list[str]) -> None:
        self._file.write("".join(f"{line}\n" for line in lines).encode())


def _type(column: pa.Field) -> str:
    if column.name in TYPES:
        return TYPES[column.name]
    if pa.types.is_boolean(column.type):
        return "bool"
    return "string" if pa.types.is_string(column.type) else "count"


def _speller(kind: str) -> Callable[[Any], str]:
    if kind in ("time", "interval"):
        return "{:.6f}".format
    if kind == "bool":
        return lambda value: "T" if value else "F"
    return _text if kind in ("string", "enum") else str


def _text(value: str) -> str:
    """A text that can be told from an unset and from an empty one."""
    if value in (UNSET, EMPTY):
        return f"\\x{ord(value[0]):02x}{value[1:]}"
    return _escaped(value) or EMPTY


def _escaped(value: str) -> str:
    r"""Control characters and backslashes as ``\x09``, as Zeek escapes them."""
    return "".join(
        f"\\x{ord(c):02x}" if ord(c) < 32 or ord(c) == 127 or c == "\\" else c for c in value
    )
