"""Labelled captures: a file or a folder of them, read into rows of the data contract."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipelines.capture.compression import first_bytes
from pipelines.datasets.description import (
    ClassFiles,
    SourceDescription,
    SourceFile,
)
from pipelines.datasets.groups import named
from pipelines.datasets.labels import (
    CAPTURE_SUFFIXES,
    COMPRESSED,
    MANIFEST_NAME,
    assign_labels,
    has_manifest,
    propose_label,
)

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
