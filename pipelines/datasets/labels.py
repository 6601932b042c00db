"""Where the class of a capture comes from: its file, its folder or a labels.csv."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pipelines.capture.compression import SUFFIXES
from pipelines.datasets.description import ColumnMap
from pipelines.datasets.flow_labels import FlowLabels, find_flow_table, read_flow_labels
from pipelines.datasets.groups import named
from pipelines.errors import InputError
from pipelines.words import counted

MANIFEST_NAME = "labels.csv"
# Stands for the class of a capture whose flows have classes of their own.
BY_FLOW = "(by flow)"
COMPRESSED = SUFFIXES
CAPTURE_SUFFIXES = {".pcap", ".pcapng", ".cap", ".dmp"}


def stem(name: str) -> str:
    """A file's name without the suffixes of captures: ``Neris.pcap.gz`` is ``Neris``."""
    path = PurePosixPath(name)
    if path.suffix.lower() in COMPRESSED:
        path = path.with_suffix("")
    if path.suffix.lower() in CAPTURE_SUFFIXES:
        path = path.with_suffix("")
    return path.name.strip()


def propose_label(root: Path, captures: list[str]) -> tuple[str, str]:
    """The likeliest label rule for captures at these paths below ``root``, and why.

    A labels.csv was made to be used; else folders that hold the captures are classes, which is
    how labelled sets are mostly handed out; else every capture is its own class.
    """
    if has_manifest(root):
        return MANIFEST_NAME, f"The folder holds a {MANIFEST_NAME} with columns file and label."
    folders = {top_folder(path) for path in captures}
    if "" in folders:
        return "file", "Captures lie directly in the folder, so each file is taken for a class."
    if len(folders) == 1:
        return "file", (
            f"All captures lie in one sub-folder, {folders.pop()}, which tells none apart; if the "
            "folders inside are the classes, give that folder as the source."
        )
    stems = Counter(stem(path) for path in captures)
    repeated = sum(count > 1 for count in stems.values())
    if repeated:
        reason = (
            f"{counted(repeated, 'file name comes', 'file names come')} back in several folders, "
            "so the folder is the class."
        )
    elif len(stems) == len(folders):
        reason = "Every folder holds one capture."
    else:
        reason = (
            f"{len(folders)} folders hold the captures, mostly a folder for each class; "
            f"'file' would make {counted(len(stems), 'class', 'classes')} of them."
        )
    return "folder", reason


def top_folder(path: str) -> str:
    """The folder directly below the source that holds a capture; empty if none does."""
    parts = PurePosixPath(path).parts
    return parts[0].strip() if len(parts) > 1 else ""


def has_manifest(root: Path) -> bool:
    """Whether a folder has a labels.csv with the columns file and label, or of flows."""
    path = root / MANIFEST_NAME
    return path.is_file() and (not missing_columns(path) or find_flow_table(path) is not None)


def missing_columns(path: Path) -> list[str]:
    """The needed columns that a manifest lacks. Raises InputError if it cannot be read."""
    with readable(path), path.open(newline="", encoding="utf-8-sig") as file:
        header = [cell.strip() for cell in next(csv.reader(file), [])]
    return [name for name in ("file", "label") if name not in header]


def assign_labels(root: Path, captures: list[str], label: str) -> tuple[dict[str, str], list[str]]:
    """The class of every capture, by its path below ``root``, and warnings.

    ``label``: file, folder, or the path of a labels.csv (from ``root``, else from here). Captures
    that the manifest does not name have no class and are absent.

    Raises InputError if the rule gives a capture no class or two, or is no rule at all.
    """
    if label == "file":
        return by_file(captures)
    if label == "folder":
        return by_folder(root, captures), []
    manifest = find_manifest(root, label)
    if find_flow_table(manifest):
        return dict.fromkeys(captures, BY_FLOW), []
    return by_manifest(root, captures, manifest)


def flow_labels(
    root: Path, captures: list[str], label: str, columns: ColumnMap
) -> FlowLabels | None:
    """The labels of single flows if that is what ``label`` names; else None.

    Raises InputError if there is no such file, or if it names no flow with a class.
    """
    if label in ("file", "folder"):
        return None
    table = find_flow_table(find_manifest(root, label))
    return read_flow_labels(table, columns, root, captures) if table else None


def by_file(captures: list[str]) -> tuple[dict[str, str], list[str]]:
    """Class = the file's stem."""
    labels = {path: stem(path) for path in captures}
    folders: dict[str, set[str]] = defaultdict(set)
    for path, name in labels.items():
        folders[name].add(str(PurePosixPath(path).parent))
    shared = sorted(name for name, places in folders.items() if len(places) > 1)
    warnings = [f"Files of one name in several folders count as one class: {named(shared)}."]
    return labels, warnings if shared else []


def by_folder(root: Path, captures: list[str]) -> dict[str, str]:
    """Class = the folder directly below the source."""
    bare = [path for path in captures if not top_folder(path)]
    if bare:
        raise InputError(
            f"{counted(len(bare), 'capture lies', 'captures lie')} directly in {root}, in no "
            f"folder that could name a class: {named(bare)}.",
            "Move them into a folder for each class, or use data.label: file.",
        )
    return {path: top_folder(path) for path in captures}


def find_manifest(root: Path, label: str) -> Path:
    """The manifest at a path that is relative to the source, or to the current folder."""
    for path in (root / label, Path(label)):
        if path.is_file():
            return path
    if not Path(label).suffix:
        raise InputError(
            f"{label!r} does not say where the class of a capture comes from.",
            "Give file, folder, or the path of a labels.csv.",
        )
    raise InputError(
        f"There is no {label} in {root}.", "Give the path of a CSV with columns file and label."
    )


def by_manifest(
    root: Path, captures: list[str], manifest: Path
) -> tuple[dict[str, str], list[str]]:
    """Class = what a CSV with columns ``file`` and ``label`` says; paths from its own folder."""
    if missing := missing_columns(manifest):
        raise InputError(
            f"{manifest} has no column {' and no column '.join(missing)}.",
            "A manifest of captures needs the columns file and label.",
        )
    known = {(root / path).resolve(): path for path in captures}
    labels: dict[str, str] = {}
    absent = []
    for entry, label in manifest_rows(manifest):
        places = [(folder / entry).resolve() for folder in (manifest.parent, root)]
        path = next((known[place] for place in places if place in known), None)
        if path is None:
            absent.append(entry)
        elif not label:
            continue
        elif labels.setdefault(path, label) != label:
            raise InputError(
                f"{manifest} gives {entry} two classes, {labels[path]!r} and {label!r}.",
                "Leave one row for each file.",
            )
    if not labels:
        raise InputError(
            f"{manifest} names no capture of the {len(captures)} in {root}.",
            "Its column file holds paths relative to its own folder.",
        )
    return labels, manifest_warnings(manifest, absent, [p for p in captures if p not in labels])


def manifest_rows(manifest: Path) -> list[tuple[str, str]]:
    """File and label of every row, trimmed; Windows paths become ours.

    Raises InputError if the manifest cannot be read to its end.
    """
    with readable(manifest), manifest.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        reader.fieldnames = [cell.strip() for cell in reader.fieldnames or []]
        rows = [
            ((row["file"] or "").strip().replace("\\", "/"), (row["label"] or "").strip())
            for row in reader
        ]
        if any("\0" in entry for entry, _ in rows):
            raise ValueError("a file's name holds a zero byte")
    return rows


@contextmanager
def readable(manifest: Path) -> Iterator[None]:
    """Raise InputError for whatever reading a damaged CSV raises."""
    try:
        yield
    except (OSError, ValueError, csv.Error) as error:  # UnicodeDecodeError is a ValueError
        raise InputError(
            f"{manifest} cannot be read: {error}.", "Save it as CSV in UTF-8."
        ) from error


def manifest_warnings(manifest: Path, absent: list[str], unnamed: list[str]) -> list[str]:
    """Say which rows have no capture here, and which captures no row."""
    warnings = []
    if absent:
        warnings.append(
            f"{counted(len(absent), 'file is', 'files are')} named in {manifest.name} but not "
            f"here: {named(absent)}."
        )
    if unnamed:
        warnings.append(
            f"{counted(len(unnamed), 'capture was', 'captures were')} left out, without a class in "
            f"{manifest.name}: {named(unnamed)}."
        )
    return warnings
