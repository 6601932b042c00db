"""Labels of single flows: a table of 5-tuples and times, joined to the flows of captures."""

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.column_names import TUPLE_NAMES
from pipelines.datasets.csv_files import as_numbers
from pipelines.datasets.description import ColumnMap
from pipelines.datasets.keys import Codes, matrix, mix, numbers, text_codes, text_hash
from pipelines.datasets.loaders.cic import day_first
from pipelines.datasets.table_source import TableSource, find_table, first_there
from pipelines.datasets.tables import CLASS, Roles, labelled_blocks
from pipelines.errors import InputError
from pipelines.progress import silent
from pipelines.words import counted

SECOND_NS = 1_000_000_000
LONG_AGO, FAR_AHEAD = np.iinfo(np.int64).min // 4, np.iinfo(np.int64).max // 4
MOST_PAIRS = 4_000_000
MAPPED = (*[0] * 10, 255, 255)
NOWHERE = [0] * 16
MOST_PORT, MOST_PROTOCOL = 0xFFFF, 0xFF
SHOWN = 3
PROTOCOLS = {
    "icmp": 1,
    "igmp": 2,
    "ipip": 4,
    "tcp": 6,
    "udp": 17,
    "ipv6": 41,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "ipv6-icmp": 58,
    "icmp6": 58,
    "ospf": 89,
    "pim": 103,
    "pgm": 113,
    "sctp": 132,
}
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class FlowLabels:
    """Labels of flows, sorted by key.

    ``parts``: what a key is made of: ports, protocol, file beside the two addresses. ``start`` and
    ``end``: the window in nanoseconds since 1970 by the captures' clock, tolerance included.
    ``code``: the place of a label among ``classes``. ``examples`` names each label's flow.
    """

    path: Path
    parts: frozenset[str]
    key: Keys
    start: Codes
    end: Codes
    code: Codes
    classes: list[str]
    examples: pa.Array
    unlabelled: str | None
    warnings: list[str]

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many labels each class has."""
        counts = np.bincount(self.code, minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, counts, strict=True))

    def join(self, tables: Iterator[pa.Table], warnings: list[str]) -> Iterator[pa.Table]:
        """The rows that have a label, with it; ``warnings`` say at the end what became of all.

        A row whose time overlaps labels of two classes has none. Rows without any are left out, or
        are of the class ``unlabelled``.
        """
        used = np.zeros(len(self.key), bool)
        matched = ambiguous = bare = 0
        for rows in tables:
            low, high = self.match(rows, used)
            sure, unsure, absent = (low == high), (low < high), (high < 0)
            matched, ambiguous = matched + int(sure.sum()), ambiguous + int(unsure.sum())
            bare += int(absent.sum())
            names = np.array([*self.classes, self.unlabelled or ""], object)
            label = pa.array(names[np.where(sure, high, -1)], pa.string())
            keep = sure | (absent & (self.unlabelled is not None))
            place = rows.schema.get_field_index("label")
            yield rows.set_column(place, rows.schema.field(place), label).filter(pa.array(keep))
        warnings.extend([*self.warnings, *self.said(matched, ambiguous, bare, used)])

    def match(self, rows: pa.Table, used: npt.NDArray[np.bool_]) -> tuple[Codes, Codes]:
        """The lowest and the highest code of the labels that fit each row.

        Of a row without any the lowest is the number of classes and the highest is -1. Labels that
        fit some row are marked in ``used``.
        """
        key = row_keys(rows, self.parts)
        first, last = seen(rows)
        low = np.full(rows.num_rows, len(self.classes), np.int64)
        high = np.full(rows.num_rows, -1, np.int64)
        begin = np.searchsorted(self.key, key, "left")
        count = np.searchsorted(self.key, key, "right") - begin
        for part in portions(count):
            row = np.repeat(part, count[part])
            before = np.cumsum(count[part]) - count[part]
            place = begin[row] + np.arange(len(row)) - np.repeat(before, count[part])
            fits = (self.start[place] <= last[row]) & (first[row] <= self.end[place])
            row, place = row[fits], place[fits]
            used[place] = True
            np.minimum.at(low, row, self.code[place])
            np.maximum.at(high, row, self.code[place])
        return low, high

    def said(
        self, matched: int, ambiguous: int, bare: int, used: npt.NDArray[np.bool_]
    ) -> list[str]:
        """What became of flows and labels, in sentences."""
        name, total = self.path.name, matched + ambiguous + bare
        found = [f"{name} gives {matched:,} of {counted(total, 'flow')} a class."]
        if ambiguous:
            found.append(
                f"{counted(ambiguous, 'flow was', 'flows were')} left out: two classes in {name}."
            )
        if bare:
            what = f"got the class {self.unlabelled!r}" if self.unlabelled else "left out"
            found.append(f"{counted(bare, 'flow', 'flows')} without a label in {name}: {what}.")
        if missing := int((~used).sum()):
            shown = self.examples.take(np.flatnonzero(~used)[:SHOWN]).to_pylist()
            found.append(
                f"{counted(missing, 'label', 'labels')} in {name} for flows that are not here, "
                f"such as {'; '.join(shown)}."
            )
        return found


def portions(count: Codes) -> Iterator[Codes]:
    """Row numbers, cut so that the pairs of each portion fit into memory."""
    portion = np.cumsum(count) // MOST_PAIRS
    yield from np.split(np.arange(len(count)), np.flatnonzero(np.diff(portion)) + 1)


def seen(rows: pa.Table) -> tuple[Codes, Codes]:
    """When rows begin and end; packets do both at once."""
    first = numbers(rows, "first_seen_ns")
    there = "last_seen_ns" in rows.column_names
    return first, numbers(rows, "last_seen_ns") if there else first


def row_keys(rows: pa.Table, parts: frozenset[str]) -> Keys:
    """The key of every captured row."""
    has_ports = "ports" in parts
    zero = np.zeros(rows.num_rows, np.uint64)
    ends = [
        end_key(
            matrix(rows, f"{end}_ip"), numbers(rows, f"{end}_port").astype(np.uint64) * has_ports
        )
        for end in ("src", "dst")
    ]
    protocol = numbers(rows, "protocol").astype(np.uint64) if "protocol" in parts else zero
    capture = zero
    if "file" in parts:
        names, code = text_codes(rows, "capture")
        capture = np.array([text_hash(name) for name in names], np.uint64)[code]
    return flow_keys(ends[0], ends[1], protocol, capture)


def end_key(address: npt.NDArray[np.uint8], port: Keys) -> Keys:
    """A hash of addresses of shape (rows, 16) and ports."""
    halves = np.ascontiguousarray(address).view(np.uint64).reshape(len(address), 2)
    return mix(mix(mix(halves[:, 0]) + halves[:, 1]) + port.astype(np.uint64))


def flow_keys(one: Keys, other: Keys, protocol: Keys, capture: Keys) -> Keys:
    """A hash that is the same in either direction."""
    return mix(mix(one + other + mix(protocol + np.uint64(1))) ^ capture)


def find_flow_table(path: Path) -> TableSource | None:
    """The table in a file if its rows are flows with both addresses; else None."""
    table = find_table(path) if path.is_file() else None
    if table and all(first_there(TUPLE_NAMES[end], table) for end in ("src", "dst")):
        return table
    return None


def read_flow_labels(
    table: TableSource, columns: ColumnMap, root: Path, captures: list[str]
) -> FlowLabels:
    """Read the labels of flows for captures at these paths below ``root``.

    Raises InputError if no row is a flow with a class, or for a damaged file.
    """
    role = {what: first_there(names, table) for what, names in TUPLE_NAMES.items()}
    warnings = list(table.warnings)
    plain = columns.model_copy(update={"drop": [], "time": None, "host": None, "site": None})
    roles = Roles.find(table, None, plain)
    free = Roles(roles.label, None, None, None)
    blocks = list(labelled_blocks(table, free, plain, warnings, silent))
    rows = pa.concat_tables(blocks, promote_options="default") if blocks else pa.table({CLASS: []})
    texts = {what: text_column(rows, name) for what, name in role.items() if name}
    keys, good = label_keys(texts, named_captures(table.root.parent, root, captures))
    if bad := int((~good).sum()):
        warnings.append(f"{counted(bad, 'row')} of {table.files[0].path.name} name no flow.")
    if not good.any():
        raise InputError(
            f"{table.root} names no flow with a class.",
            "It needs addresses of both ends and a class; ports, protocol and times tell more.",
        )
    start, end = windows(texts, columns)
    classes, code = text_codes(rows, CLASS)
    order = np.flatnonzero(good)[np.argsort(keys[good], kind="stable")]
    spare = {"src_port", "dst_port"} <= set(texts)
    return FlowLabels(
        path=table.root,
        parts=frozenset({"ports"} if spare else ()) | ({"protocol", "file"} & set(texts)),
        key=keys[order],
        start=start[order],
        end=end[order],
        code=code[order],
        classes=classes,
        examples=described(texts).take(order),
        unlabelled=columns.unlabelled,
        warnings=warnings,
    )


def named_captures(labels: Path, root: Path, captures: list[str]) -> dict[str, np.uint64]:
    """The hash of every capture, by the names that a labels file in ``labels`` may give it."""
    hashes = {path: text_hash(path) for path in captures}
    below = root.resolve()
    if below != labels.resolve() and below.is_relative_to(labels.resolve()):
        inner = below.relative_to(labels.resolve()).as_posix()
        return {f"{inner}/{path}": found for path, found in hashes.items()} | hashes
    return hashes


def text_column(rows: pa.Table, name: str) -> pa.ChunkedArray:
    """A column without blanks around its texts; what a JSON object lacks is blank."""
    return pc.fill_null(pc.utf8_trim_whitespace(rows[name]), "")


def label_keys(
    texts: dict[str, pa.ChunkedArray], captures: dict[str, np.uint64]
) -> tuple[Keys, npt.NDArray[np.bool_]]:
    """The key of every label, and whether it names a flow that could be here."""
    count = len(texts["src"])
    zero = np.zeros(count, np.uint64)
    good = np.ones(count, bool)
    ends = []
    for end in ("src", "dst"):
        address, known = each(texts[end], address_bytes, NOWHERE)
        good &= known
        port = zero
        if {"src_port", "dst_port"} <= set(texts):
            port, known = each(texts[f"{end}_port"], port_number, 0)
            good &= known
        ends.append(end_key(address.reshape(-1, 16).astype(np.uint8), port.astype(np.uint64)))
    protocol = capture = zero
    if "protocol" in texts:
        protocol, known = each(texts["protocol"], protocol_number, 0)
        protocol = protocol.astype(np.uint64)
        good &= known
    if "file" in texts:
        named_here = partial(capture_hash, captures)
        capture, known = each(texts["file"], named_here, np.uint64(0))
        capture = capture.astype(np.uint64)
        good &= known
    return flow_keys(ends[0], ends[1], protocol, capture), good


def capture_hash(captures: dict[str, np.uint64], name: str) -> np.uint64 | None:
    """The hash of a capture by the name that a label gives it; None for one that is not here."""
    return captures.get(name.replace("\\", "/"))


def each(
    column: pa.ChunkedArray, convert: Callable[[str], Any], missing: Any
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """``convert`` of every text, and whether it gave something; ``missing`` where it gave None."""
    distinct = pc.unique(column)
    found = [convert(text) for text in distinct.to_pylist()]
    place = pc.index_in(column, distinct).to_numpy()
    known = np.array([value is not None for value in found], bool)
    values = np.array([missing if value is None else value for value in found])
    return values[place], known[place]


def address_bytes(text: str) -> list[int] | None:
    """An address as 16 bytes, IPv4 as ::ffff:a.b.c.d; None for what is no address."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return [*MAPPED, *address.packed]
    return list(address.packed)


def port_number(text: str) -> int | None:
    """A port; 0 where none is given; None for what is no port."""
    if text in ("", "-"):
        return 0
    try:
        port = int(text, 16) if text.lower().startswith("0x") else int(float(text))
    except (ValueError, OverflowError):
        return None
    return port if 0 <= port <= MOST_PORT else None


def protocol_number(text: str) -> int | None:
    """A protocol by its name or its number; None for an unknown one."""
    name = text.lower()
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    number = port_number(text) if text else None
    return number if number is not None and number <= MOST_PROTOCOL else None


def windows(texts: dict[str, pa.ChunkedArray], columns: ColumnMap) -> tuple[Codes, Codes]:
    """When each label holds, in nanoseconds by the captures' clock, tolerance included.

    Without a start a label holds at all times; without an end for ``seconds``, or at its start.
    """
    count = len(texts["src"])
    if "start" not in texts:
        return np.full(count, LONG_AGO), np.full(count, FAR_AHEAD)
    start, known = moments(texts["start"], "start")
    end = start
    if "end" in texts:
        end, ended = moments(texts["end"], "end")
        end = np.where(ended, end, start)
    elif "seconds" in texts and (seconds := as_numbers(texts["seconds"])) is not None:
        length = np.nan_to_num(seconds.to_numpy()) * SECOND_NS
        end = start + length.astype(np.int64)
    offset = round(columns.clock_offset_seconds * SECOND_NS)
    tolerance = round(columns.tolerance_seconds * SECOND_NS)
    start = np.where(known, start + offset - tolerance, LONG_AGO)
    return start, np.where(known, end + offset + tolerance, FAR_AHEAD)


def moments(column: pa.ChunkedArray, name: str) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """Times in nanoseconds since 1970, 0 for a blank one, and which of them are known."""
    known = ~pc.is_in(column, pa.array(["", "-"])).to_numpy().astype(bool)
    found = np.zeros(len(column), np.int64)
    if known.any():
        found[known] = day_first(column.filter(pa.array(known)), name).to_numpy()
    return found, known


def described(texts: dict[str, pa.ChunkedArray]) -> pa.Array:
    """Each label's flow in words."""
    ports = {end: texts.get(f"{end}_port") for end in ("src", "dst")}
    blank = pa.chunked_array([pa.repeat(pa.scalar("-"), len(texts["src"]))])
    parts = [texts.get("file", blank), texts.get("protocol", blank)]
    for end in ("src", "dst"):
        port = ports[end]
        parts += [texts[end], blank if port is None else port]
    return pc.binary_join_element_wise(*parts, " ").combine_chunks()
