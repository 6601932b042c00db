"""Labelled captures: a file or a folder of them, read into rows of the data contract."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import pyarrow as pa

from pipelines.capture import CaptureHealth, FlowSettings, read_flows, read_packet_rows
from pipelines.capture.compression import first_bytes
from pipelines.datasets.description import (
    ClassFiles,
    LoadedSource,
    SourceDescription,
    SourceFile,
)
from pipelines.datasets.fields import LABEL, SPLIT, field
from pipelines.datasets.groups import named
from pipelines.datasets.keys import mix, numbers, text_hash
from pipelines.datasets.labels import (
    CAPTURE_SUFFIXES,
    COMPRESSED,
    MANIFEST_NAME,
    assign_labels,
    has_manifest,
    propose_label,
)
from pipelines.errors import InputError
from pipelines.progress import Progress, silent
from pipelines.words import counted

Granularity = Literal["flow", "packet"]
# Classic pcap in both byte orders with micro- and nanoseconds, and pcapng's section header.
MAGIC = (
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\xc3\xd4",
    b"\x4d\x3c\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x0a\x0d\x0d\x0a",
)


@dataclass(frozen=True)
class CaptureSource:
    """Captures below ``root`` by their relative path (or the one file that ``root`` is)."""

    root: Path
    files: dict[str, Path]
    warnings: list[str]

    @property
    def folder(self) -> Path:
        """The folder that relative paths start from."""
        return self.root.parent if self.root.is_file() else self.root


def find_captures(root: Path) -> CaptureSource | None:
    """The captures at or below ``root``, sorted by path; None if there is none.

    A capture is a file that says so by its first bytes or by its suffix. Links that leave ``root``
    are not followed and files that cannot be read are not read; warnings name both.
    """
    captures: dict[str, Path] = {}
    unreadable: list[str] = []
    foreign, found = [], False
    for path in [root] if root.is_file() else walk(root, unreadable):
        name = printable(path.name if path == root else str(path.relative_to(root)))
        if not path.is_file() or not path.resolve().is_relative_to(root.resolve()):
            foreign.append(name)
            continue
        try:
            real = has_magic(path)
        except OSError:
            unreadable.append(name)
            continue
        if real or named_like_capture(path):
            captures[name] = path
            found = found or real
    warnings = []
    if foreign:
        warnings.append(f"Links out of the source or to no file were left out: {named(foreign)}.")
    if unreadable:
        warnings.append(f"Not allowed to read, or damaged on disk: {named(unreadable)}.")
    return CaptureSource(root, captures, warnings) if found else None


def walk(root: Path, unreadable: list[str]) -> Iterator[Path]:
    """Files and links below ``root``, sorted, without hidden ones; a linked folder is one link.

    Folders that cannot be read are appended to ``unreadable``.
    """
    for parent, folders, files in os.walk(root, onerror=lambda e: unreadable.append(str(e))):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in sorted([*files, *links]):
            path = Path(parent, name)
            if not name.startswith(".") and (path.is_file() or path.is_symlink()):
                yield path


def printable(name: str) -> str:
    """A relative path with forward slashes, and with bytes that are no text spelled out."""
    return PurePosixPath(name.encode("utf-8", "backslashreplace").decode()).as_posix()


def named_like_capture(path: Path) -> bool:
    """Whether a file's suffix, before that of a compression, is one of captures."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return bool(suffixes and suffixes[-1] in CAPTURE_SUFFIXES)


def has_magic(path: Path) -> bool:
    """Whether a file, decompressed if need be, begins like a capture. Raises OSError."""
    return first_bytes(path, 4) in MAGIC


def describe_captures(source: CaptureSource, label: str | None) -> SourceDescription:
    """Look at names and sizes. Raises InputError if the label rule does not fit the files."""
    chosen, reason = label, "It was named."
    if chosen is None:
        chosen, reason = propose_label(source.folder, list(source.files))
    labels, warnings = assign_labels(source.folder, list(source.files), chosen)
    sizes = {name: path.stat().st_size for name, path in source.files.items()}
    members: dict[str, list[int]] = {}
    for name, label_of in labels.items():
        members.setdefault(label_of, []).append(sizes[name])
    return SourceDescription(
        path=str(source.root),
        layout="captures",
        label=chosen,
        reason=reason,
        files=[SourceFile(path=name, bytes=size) for name, size in sizes.items()],
        classes=[
            ClassFiles(name=name, files=len(found), bytes=sum(found))
            for name, found in sorted(members.items())
        ],
        label_choices=["file", "folder", *([MANIFEST_NAME] if has_manifest(source.folder) else [])],
        warnings=[*source.warnings, *warnings],
    )


def load_captures(
    source: CaptureSource,
    label: str | None,
    granularity: Granularity,
    settings: FlowSettings,
    progress: Progress,
) -> LoadedSource:
    """Read every capture that has a class.

    A file that turns out to be no capture is left out with a warning. Raises InputError if the
    label rule does not fit the files.
    """
    chosen = label or propose_label(source.folder, list(source.files))[0]
    labels, warnings = assign_labels(source.folder, list(source.files), chosen)
    warnings = [*source.warnings, *warnings]
    tables: list[pa.Table] = []
    health: list[CaptureHealth] = []
    empty: list[str] = []
    for done, (name, class_name) in enumerate(labels.items()):
        progress("reading captures", done, len(labels), "captures")
        record = CaptureHealth()
        health.append(record)
        try:
            rows = read_capture(source.files[name], granularity, settings, record)
        except InputError as error:
            warnings.append(f"{name} was left out: {error.message}")
        else:
            tables.extend(labelled(part, class_name, name) for part in rows)
            if not sum(part.num_rows for part in rows):
                empty.append(name)
        record.file = name
        if warning := record.ended_early_warning():
            warnings.append(warning)
    progress("reading captures", len(labels), len(labels), "captures")
    if empty:
        warnings.append(
            f"{counted(len(empty), 'capture holds', 'captures hold')} no {granularity}: "
            f"{named(empty)}."
        )
    if not tables:
        raise InputError(
            f"{source.root} holds {counted(len(labels), 'capture')} but no {granularity} at all.",
            " ".join(warnings),
        )
    return LoadedSource(pa.concat_tables(tables), health, warnings)


def read_capture(
    path: Path, granularity: Granularity, settings: FlowSettings, health: CaptureHealth
) -> list[pa.Table]:
    """All flow or packet rows of one capture, in the parts that they are read in."""
    read = read_flows if granularity == "flow" else read_packet_rows
    return list(read(path, settings, health=health, progress=silent))


def labelled(rows: pa.Table, class_name: str, capture: str) -> pa.Table:
    """Rows with their ``label`` and ``capture``, and with the capture mixed into ``flow``."""
    own = mix(numbers(rows, "flow").astype(np.uint64) ^ text_hash(capture)).astype(np.int64)
    place = rows.schema.get_field_index("flow")
    rows = rows.set_column(place, rows.schema.field("flow"), pa.array(own))
    for name, value, group in (("capture", capture, SPLIT), ("label", class_name, LABEL)):
        column = pa.repeat(pa.scalar(value, pa.string()), rows.num_rows)
        rows = rows.add_column(0, field(name, pa.string(), group), column)
    return rows
