"""The rows of labelled captures: read by any number of workers, handed on in one order.

Each file becomes a shard (``pipelines.capture.shards``). The files of a rotating capture that have
one class are one capture, named after its first file: no flow of it is cut where a file ends, and
no split puts it on two sides.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.capture import CaptureHealth, FlowSettings
from pipelines.capture.flows import DEFAULTS
from pipelines.capture.rotation import find_rotation
from pipelines.capture.shard_progress import Meter, make_told
from pipelines.capture.shards import (
    Granularity,
    Shard,
    ShardTask,
    code_version,
    merge_shards,
    schema_of,
)
from pipelines.datasets.captures import CaptureSource
from pipelines.datasets.fields import LABEL, SPLIT, field
from pipelines.datasets.groups import named
from pipelines.datasets.keys import mix, numbers, text_hash
from pipelines.datasets.labels import assign_labels, propose_label
from pipelines.datasets.opened import OpenedSource
from pipelines.errors import InputError
from pipelines.executors import SERIAL, Workers, run_all
from pipelines.progress import Progress
from pipelines.store.files import scratch_folder
from pipelines.store.rows import read_tables
from pipelines.words import counted


@dataclass(frozen=True)
class Reading:
    """How captures are to be read.

    Shards are kept below ``shards`` for the next time, or thrown away where it is None. With a
    Dask cluster on other machines that folder and the captures must have the same paths on all.
    """

    granularity: Granularity = "flow"
    settings: FlowSettings = DEFAULTS
    workers: Workers = SERIAL
    shards: Path | None = None


@dataclass(frozen=True)
class LabelledCapture:
    """A capture in one or several files: its name, its class, and the files in their order."""

    name: str
    label: str
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class _Task:
    """A capture to be made into shards; ``parts`` are those of its files if they are several."""

    whole: ShardTask
    parts: tuple[Shard, ...] = ()

    def __str__(self) -> str:
        return str(self.whole)


@dataclass(frozen=True)
class _Made:
    """What became of a capture: ``files`` files of ``size`` bytes together were read for it."""

    files: int
    size: int
    health: CaptureHealth
    shards: list[Shard]
    refused: str = ""


def open_captures(
    source: CaptureSource, label: str | None, reading: Reading, progress: Progress
) -> OpenedSource:
    """Every capture that has a class; its rows are made while they are asked for.

    A file that turns out to be no capture is left out with a warning. Raises InputError if the
    label rule does not fit the files, and from ``tables`` if no capture holds a row.
    """
    captures, warnings = captures_of(source, label)
    schema = labelled(schema_of(reading.granularity, reading.settings).empty_table(), "", "").schema
    opened = OpenedSource(schema, iter(()), [], [*source.warnings, *warnings])
    opened.tables = _tables(opened, captures, reading, progress, source.root)
    return opened


def captures_of(
    source: CaptureSource, label: str | None
) -> tuple[list[LabelledCapture], list[str]]:
    """The captures of a source with their classes, and warnings.

    Files that look like those of one rotating capture but have several classes stay apart.
    """
    chosen = label or propose_label(source.folder, list(source.files))[0]
    labels, warnings = assign_labels(source.folder, list(source.files), chosen)
    names = {source.files[name]: name for name in labels}
    captures: list[LabelledCapture] = []
    for paths in find_rotation(names):
        classes = [labels[names[path]] for path in paths]
        groups = [tuple(paths)] if len(set(classes)) == 1 else [(path,) for path in paths]
        captures += [LabelledCapture(names[g[0]], labels[names[g[0]]], g) for g in groups]
    rotating = [capture for capture in captures if len(capture.paths) > 1]
    if rotating:
        files = sum(len(capture.paths) for capture in rotating)
        warnings = [
            *warnings,
            f"{files} files are read as {counted(len(rotating), 'rotating capture')}, each named "
            f"after its first file: {named([capture.name for capture in rotating])}.",
        ]
    return captures, warnings


def labelled(rows: pa.Table, class_name: str, capture: str) -> pa.Table:
    """Rows with their ``label`` and ``capture``, and with the capture mixed into ``flow``."""
    own = mix(numbers(rows, "flow").astype(np.uint64) ^ text_hash(capture)).astype(np.int64)
    place = rows.schema.get_field_index("flow")
    rows = rows.set_column(place, rows.schema.field("flow"), pa.array(own))
    for name, value, group in (("capture", capture, SPLIT), ("label", class_name, LABEL)):
        column = pa.repeat(pa.scalar(value, pa.string()), rows.num_rows)
        rows = rows.add_column(0, field(name, pa.string(), group), column)
    return rows


def _tables(
    opened: OpenedSource,
    captures: list[LabelledCapture],
    reading: Reading,
    progress: Progress,
    root: Path,
) -> Iterator[pa.Table]:
    """The labelled rows of all captures; fills in the health and the warnings of ``opened``."""
    empty: list[str] = []
    some = False
    with _shard_folder(reading.shards) as shards:
        made = _made(captures, reading, shards, progress)
        for capture, result in zip(captures, made, strict=True):
            result.health.file = capture.name
            opened.health.append(result.health)
            if result.refused:
                opened.warnings.append(f"{capture.name} was left out: {result.refused}")
            elif not any(shard.record.rows for shard in result.shards):
                empty.append(capture.name)
            if warning := result.health.ended_early_warning():
                opened.warnings.append(warning)
            for shard in result.shards:
                for rows in read_tables(shard.folder):
                    some = True
                    yield labelled(rows, capture.label, capture.name)
    if empty:
        opened.warnings.append(
            f"{counted(len(empty), 'capture holds', 'captures hold')} no {reading.granularity}: "
            f"{named(empty)}."
        )
    if not some:
        raise InputError(
            f"{root} holds {counted(len(captures), 'capture')} but no {reading.granularity} "
            "at all.",
            " ".join(opened.warnings),
        )


@contextmanager
def _shard_folder(shards: Path | None) -> Iterator[Path]:
    if shards is None:
        with tempfile.TemporaryDirectory(prefix="netloop-shards-") as name:
            yield Path(name)
        return
    try:
        shards.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder of shards {shards} cannot be written: {error.strerror}.",
            "Name another workspace with --workspace or NETLOOP_WORKSPACE.",
        ) from error
    yield shards


def _made(
    captures: list[LabelledCapture], reading: Reading, shards: Path, progress: Progress
) -> Iterator[_Made]:
    """What becomes of each capture, in order; the files of rotating captures are read first."""
    files = list(chain.from_iterable(capture.paths for capture in captures))
    size = sum(path.stat().st_size for path in files)
    workers = reading.workers.chosen(len(files), size)
    base = ShardTask((), shards, reading.granularity, reading.settings, code_version())
    with scratch_folder(shards) as tellers:
        meter = Meter(progress, files, tellers)
        heard = meter.within if workers.kind == "serial" else None
        tasks = [
            replace(base, paths=capture.paths, teller=tellers / str(place))
            for place, capture in enumerate(captures)
        ]
        parts = [
            replace(task, paths=(path,), is_part=True, teller=tellers / f"{place}-{number}")
            for place, task in enumerate(tasks)
            if _is_joined(task)
            for number, path in enumerate(task.paths)
        ]
        made = partial(
            run_all,
            partial(_make, progress=heard),
            workers=workers,
            finished=lambda made: meter.finished(made.files, made.size),
            watch=meter.look,
        )
        of_file = {
            part.paths[0]: result.shards[0]
            for part, result in zip(parts, made([_Task(part) for part in parts]), strict=True)
        }
        yield from made(
            [
                _Task(task, tuple(of_file[path] for path in task.paths if path in of_file))
                for task in tasks
            ]
        )


def _is_joined(task: ShardTask) -> bool:
    """Whether the files of a capture can be read on their own and joined afterwards.

    Packet rows and protocol columns need what came before them: there one worker reads the files
    in order.
    """
    joins = task.granularity == "flow" and not task.settings.protocols
    return joins and len(task.paths) > 1


def _make(task: _Task, progress: Progress | None) -> _Made:
    """Make the shards of a capture, in a worker."""
    if task.parts:
        health, shards = merge_shards(list(task.parts), task.whole)
        return _Made(0, 0, health, shards)
    shard, paths = make_told(task.whole, progress), task.whole.paths
    size = sum(path.stat().st_size for path in paths)
    return _Made(len(paths), size, shard.record.health, [shard], shard.record.refused)
