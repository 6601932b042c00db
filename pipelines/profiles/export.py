"""From captures to a file of a profile's rows."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pyarrow as pa

from pipelines.capture import CaptureHealth, FlowSettings
from pipelines.capture.decode import read_batches
from pipelines.capture.flow_table import FlowTable
from pipelines.capture.framing import Capture
from pipelines.capture.live import LiveStream, Stop, is_stream, never, open_stream
from pipelines.capture.rotation import find_rotation
from pipelines.capture.source import PIECE_BYTES
from pipelines.datasets import fields
from pipelines.datasets.captures import CaptureSource
from pipelines.datasets.labels import BY_FLOW, assign_labels
from pipelines.errors import InputError
from pipelines.operate.detect import captures_at
from pipelines.profiles.profile import Column, Format, Profile, schema_of
from pipelines.profiles.writers import open_writer
from pipelines.progress import Progress, silent

# Of the flows that are open at the end of a capture, so many are made rows of at a time.
FLOWS_AT_ONCE = 1 << 16


@dataclass
class Export:
    """What was exported: rows, the health of each capture, and a sentence for what was left out.

    ``identifies`` says whether any column is of a field group that is masked by default.
    """

    rows: int = 0
    columns: int = 0
    identifies: bool = False
    health: list[CaptureHealth] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class _Capture(NamedTuple):
    name: str
    label: str
    content: Capture


def profile_rows(
    capture: Capture,
    profile: Profile,
    settings: FlowSettings,
    *,
    health: CaptureHealth,
    progress: Progress = silent,
    piece_bytes: int = PIECE_BYTES,
) -> Iterator[pa.Table]:
    """The rows of one capture as they are finished, in tables of ``profile.schema(settings)``.

    Flows come in the order in which they end. Raises InputError at the first table if the capture
    cannot be read, is empty or is no capture.
    """
    table, exporter = FlowTable(settings), profile.open(settings)
    batches = read_batches(
        capture,
        health,
        decode_tunnels=settings.decode_tunnels,
        piece_bytes=piece_bytes,
        progress=progress,
    )
    for batch in batches:
        rows = exporter.add(batch, table.update(batch))
        health.ended_early = table.ended_early
        if rows.num_rows:
            yield rows
    still_open = table.expire()
    for at in range(0, len(still_open), FLOWS_AT_ONCE):
        rows = exporter.end(still_open[at : at + FLOWS_AT_ONCE])
        if rows.num_rows:
            yield rows


def export_source(
    source: Path,
    profile: Profile,
    kind: Format,
    file: BinaryIO,
    *,
    label: str | None = None,
    masks: Sequence[str] = (),
    settings: FlowSettings | None = None,
    stop: Stop = never,
    progress: Progress = silent,
) -> Export:
    """Write the rows of all captures at ``source`` to ``file``.

    ``source`` is a capture, a folder of captures, or a stream (``is_stream``), which is read until
    it ends or ``stop()`` is true. The files of a rotating capture are one capture, named after its
    first file, if they are of one class. Behind the profile's columns stands ``capture`` if there
    are several, and the class if ``label`` says where it comes from (file, folder or a labels.csv;
    captures without one are left out). Columns that tell of a field group in ``masks`` are left
    out.

    Raises InputError if there is no capture, or if ``label`` does not fit them.
    """
    settings, done = settings or FlowSettings(), Export()
    with ExitStack() as opened:
        if is_stream(source):
            captures = [_stream(opened.enter_context(open_stream(source, stop)), label)]
        else:
            captures = _captures(source, label, done)
        columns = [c for c in profile.columns(settings) if not set(c.groups) & set(masks)]
        done.identifies = any(set(c.groups) & set(fields.DEFAULT_MASKS) for c in columns)
        schema = _schema(profile, columns, len(captures) > 1, label is not None)
        done.columns = len(schema)
        writer = open_writer(kind, profile.name, schema, file)
        several, refused = len(captures) > 1, []
        for count, capture in enumerate(captures, 1):
            health = CaptureHealth(capture.name)
            extra = {"capture": capture.name, profile.label_column: capture.label}
            within = silent if several else progress
            try:
                for rows in profile_rows(
                    capture.content, profile, settings, health=health, progress=within
                ):
                    writer.write(_with(rows, schema, extra))
                    done.rows += rows.num_rows
            except InputError as error:
                refused.append(error)
                done.warnings.append(f"{capture.name} was left out: {error.message}")
            done.health.append(health)
            if warning := health.ended_early_warning():
                done.warnings.append(warning)
            if several:
                progress("exporting", count, len(captures), "captures")
        if refused and len(refused) == len(captures):
            raise refused[0]
        writer.close()
    return done


def _stream(stream: LiveStream, label: str | None) -> _Capture:
    if label is not None:
        raise InputError(
            "A stream has no file or folder that could name its class.", "Leave out --label."
        )
    return _Capture(stream.name, "", stream)


def _captures(source: Path, label: str | None, done: Export) -> list[_Capture]:
    """The captures at ``source`` that have a class; all of them without a label rule."""
    found = captures_at(source)
    done.warnings.extend(found.warnings)
    labels = _labels(found, label, done)
    names = {found.files[name]: name for name in labels}
    of_class: dict[str, list[Path]] = {}
    for path, name in names.items():
        of_class.setdefault(labels[name], []).append(path)
    return [
        _Capture(names[files[0]], label_of, files[0] if len(files) == 1 else files)
        for label_of, paths in of_class.items()
        for files in find_rotation(paths)
    ]


def _labels(captures: CaptureSource, label: str | None, done: Export) -> dict[str, str]:
    """The class of every capture that is exported; empty without a label rule."""
    if label is None:
        return dict.fromkeys(captures.files, "")
    labels, warnings = assign_labels(captures.folder, list(captures.files), label)
    if BY_FLOW in labels.values():
        raise InputError(
            f"{label} names classes of single flows, and an export has one a capture.",
            "Leave out --label, or give file, folder, or a CSV with columns file and label.",
        )
    done.warnings.extend(warnings)
    return labels


def _schema(profile: Profile, columns: list[Column], several: bool, labelled: bool) -> pa.Schema:
    if not columns:
        raise InputError(
            f"The masks leave no column of {profile.name}.", "Mask fewer field groups."
        )
    shown = list(schema_of(columns))
    if several:
        shown.append(fields.field("capture", pa.string(), fields.SPLIT))
    if labelled:
        shown.append(fields.field(profile.label_column, pa.string(), fields.LABEL))
    return pa.schema(shown)


def _with(rows: pa.Table, schema: pa.Schema, extra: dict[str, str]) -> pa.Table:
    """The columns of ``schema``, those that the rows lack with one value throughout."""
    known = set(rows.column_names)  # made anew at each look
    arrays = [
        rows.column(name)
        if name in known
        else pa.repeat(pa.scalar(extra[name], pa.string()), rows.num_rows)
        for name in schema.names
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
