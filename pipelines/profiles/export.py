"""From captures to a file of a profile's rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from pipelines.capture import CaptureHealth, FlowSettings
from pipelines.capture.decode import read_batches
from pipelines.capture.flow_table import FlowTable
from pipelines.capture.source import PIECE_BYTES
from pipelines.datasets import fields
from pipelines.datasets.captures import CaptureSource
from pipelines.datasets.labels import assign_labels
from pipelines.errors import InputError
from pipelines.operate.detect import captures_at
from pipelines.profiles.profile import Format, Profile
from pipelines.profiles.writers import open_writer
from pipelines.progress import Progress, silent


@dataclass
class Export:
    """What was exported: rows, the health of each capture, and a sentence for what was left out."""

    rows: int = 0
    columns: int = 0
    health: list[CaptureHealth] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def profile_rows(
    capture: str | Path | BinaryIO,
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
    rows = exporter.end(table.expire())
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
    progress: Progress = silent,
) -> Export:
    """Write the rows of all captures at ``source`` to ``file``.

    Behind the profile's columns stands ``capture`` if there are several, and the class if ``label``
    says where it comes from (file, folder or a labels.csv; captures without one are left out).
    Columns of the field groups in ``masks`` are left out.

    Raises InputError if there is no capture, or if ``label`` does not fit them.
    """
    settings = settings or FlowSettings()
    captures, done = captures_at(source), Export()
    done.warnings.extend(captures.warnings)
    labels = _labels(captures, label, done)
    schema = _schema(profile, settings, masks, len(captures.files) > 1, label is not None)
    done.columns = len(schema)
    writer = open_writer(kind, profile.name, schema, file)
    several, refused = len(labels) > 1, []
    for count, (name, label_of) in enumerate(labels.items(), 1):
        health = CaptureHealth()
        within = silent if several else progress
        try:
            path = captures.files[name]
            for rows in profile_rows(path, profile, settings, health=health, progress=within):
                extra = {"capture": name, profile.label_column: label_of}
                writer.write(_with(rows, schema, extra))
                done.rows += rows.num_rows
        except InputError as error:
            refused.append(error)
            done.warnings.append(f"{name} was left out: {error.message}")
        health.file = name
        done.health.append(health)
        if warning := health.ended_early_warning():
            done.warnings.append(warning)
        if several:
            progress("exporting", count, len(labels), "captures")
    if refused and len(refused) == len(labels):
        raise refused[0]
    writer.close()
    return done


def _labels(captures: CaptureSource, label: str | None, done: Export) -> dict[str, str]:
    """The class of every capture that is exported; empty without a label rule."""
    if label is None:
        return dict.fromkeys(captures.files, "")
    labels, warnings = assign_labels(captures.folder, list(captures.files), label)
    done.warnings.extend(warnings)
    return labels


def _schema(
    profile: Profile, settings: FlowSettings, masks: Sequence[str], several: bool, labelled: bool
) -> pa.Schema:
    shown = [c for c in profile.schema(settings) if fields.group_of(c) not in masks]
    if not shown:
        raise InputError(
            f"The masks leave no column of {profile.name}.", "Mask fewer field groups."
        )
    if several:
        shown.append(fields.field("capture", pa.string(), fields.SPLIT))
    if labelled:
        shown.append(fields.field(profile.label_column, pa.string(), fields.LABEL))
    return pa.schema(shown)


def _with(rows: pa.Table, schema: pa.Schema, extra: dict[str, str]) -> pa.Table:
    """The columns of ``schema``, those that the rows lack with one value throughout."""
    arrays = [
        rows.column(name)
        if name in rows.column_names
        else pa.repeat(pa.scalar(extra[name], pa.string()), rows.num_rows)
        for name in schema.names
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
