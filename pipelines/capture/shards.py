"""Shards: one capture file in, one Parquet file of its rows out, made once and whole or not at all.

A shard is a folder named by the content of the capture, the settings and the code that read it.
Whoever is killed while making one leaves nothing that is taken for a shard, so that the same work
begun again makes only what is missing.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

import pipelines
from pipelines.capture.decode import read_batches
from pipelines.capture.flow_merge import (
    CannotJoinError,
    Part,
    PartReader,
    border_record,
    merge_parts,
)
from pipelines.capture.flow_rows import flow_rows, flow_schema, packet_schema
from pipelines.capture.flows import read_flows, read_packet_rows
from pipelines.capture.health import CaptureHealth
from pipelines.capture.settings import FlowSettings
from pipelines.errors import InputError, NetloopError
from pipelines.progress import Progress, silent
from pipelines.store.files import canonical_json, hash_file, hash_text, write_atomic
from pipelines.store.rows import NAME, RowWriter, group_rows

Granularity = Literal["flow", "packet"]
# The packages whose code decides what the rows of a capture are.
CODE = ("capture", "protocols")
BORDERS = "borders.bin"
RECORD = "shard.json"
LOCK = "lock"


@dataclass(frozen=True)
class ShardTask:
    """The making of one shard, as a worker gets it.

    ``paths`` are one capture, or the files of a rotating one to be read in order; ``is_part`` says
    that the one file is a part of those, whose border flows are kept apart. ``root`` is the folder
    of all shards, ``code`` the version of the code that is to read (``code_version``), ``teller``
    a file in which the worker says how far it is.
    """

    paths: tuple[Path, ...]
    root: Path
    granularity: Granularity
    settings: FlowSettings
    code: str
    is_part: bool = False
    teller: Path | None = None

    def __str__(self) -> str:
        return ", ".join(str(path) for path in self.paths)


class ShardRecord(BaseModel):
    """What is known of a shard without reading its rows.

    ``files`` are sizes in bytes by name. ``refused`` says why a file is no capture; then there are
    no rows. Times are those of the packets with an IP header, None without any.
    """

    rows: int
    files: dict[str, int]
    health: CaptureHealth
    refused: str = ""
    first_ns: int | None = None
    latest_ns: int | None = None


@dataclass(frozen=True)
class Shard:
    """A shard on disk."""

    folder: Path
    record: ShardRecord = field(repr=False)


@cache
def code_version() -> str:
    """A hash of the source code that turns captures into rows: other code, other shards."""
    folder = Path(pipelines.__file__).parent
    files = sorted(path for name in CODE for path in (folder / name).rglob("*.py"))
    return hash_text(canonical_json([[str(p.relative_to(folder)), hash_file(p)] for p in files]))


def make_shard(task: ShardTask, progress: Progress = silent) -> Shard:
    """The shard of a task, made now unless it is there.

    Two processes that want the same one wait for each other. Raises InputError if a file changes
    while it is read, NetloopError if this is another version of netloop than the one that asks.
    """
    if task.code != code_version():
        raise NetloopError(
            "This worker runs another version of netloop than the command that started it.",
            "Install the same version everywhere and restart the workers.",
        )
    before = [_state(path) for path in task.paths]
    key = _key(task)

    def fill(folder: Path) -> None:
        record = _fill(folder, task, progress)
        if [_state(path) for path in task.paths] != before:
            raise InputError(
                f"{task} changed while it was read.", "Wait until it is complete, then repeat."
            )
        _seal(folder, record)

    return _made(task.root / key[:2] / key, fill)


def merge_shards(
    parts: list[Shard], whole: ShardTask, progress: Progress = silent
) -> tuple[CaptureHealth, list[Shard]]:
    """The health of a rotating capture and the shards of its rows, given those of its files.

    They are those of the files and then one of the flows that touch a border. Where the parts do
    not tell how those flows go on (``merge_parts``), a flood ended some early, or fragments wait
    for others, it is one shard, read from the files in order by this one worker.
    """
    names = [part.folder.name for part in parts]
    key = hash_text(canonical_json(["borders", code_version(), names]))

    def fill(folder: Path) -> None:
        with RowWriter(folder / NAME, flow_schema(whole.settings), "lz4") as writer:
            for flows in merge_parts(_parts(parts, whole.settings), whole.settings):
                write_flows(writer, flows, whole.settings)
        health = CaptureHealth()
        for part in parts:
            if part.record.refused:
                part.record.health.add_corrupt(0, part.record.refused)
            health.add_file(part.record.health)
        _seal(folder, ShardRecord(rows=writer.rows, files={}, health=health))

    try:
        if any(part.record.health.ended_early for part in parts):
            raise CannotJoinError("flows ended early")
        if any(part.record.health.fragments_lost for part in parts):
            raise CannotJoinError("a datagram may have fragments in two files")
        borders = _made(whole.root / key[:2] / key, fill)
        return borders.record.health, [*parts, borders]
    except CannotJoinError:
        shard = make_shard(whole, progress)
        return shard.record.health, [shard]


def write_flows(writer: RowWriter, flows: np.ndarray, settings: FlowSettings) -> None:
    """Write flow records as rows, a row group at a time."""
    size = group_rows(flow_schema(settings))
    for start in range(0, len(flows), size):
        writer.write(flow_rows(flows[start : start + size], settings))


def schema_of(granularity: Granularity, settings: FlowSettings) -> pa.Schema:
    """The schema of the rows of a capture."""
    return flow_schema(settings) if granularity == "flow" else packet_schema(settings)


# --- what a shard is made of -------------------------------------------------------------------


def _key(task: ShardTask) -> str:
    """The name of a shard: whatever decides what is in it, files' names for its health record."""
    files = [[path.name, hash_file(path)] for path in task.paths]
    settings = task.settings.model_dump(mode="json")
    kind = "part" if task.is_part else "whole"
    return hash_text(canonical_json([task.code, kind, task.granularity, settings, files]))


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    return found.st_size, found.st_mtime_ns


def _fill(folder: Path, task: ShardTask, progress: Progress) -> ShardRecord:
    """Read the capture of a task into ``folder``."""
    record = ShardRecord(rows=0, files={}, health=CaptureHealth())
    try:
        schema = schema_of(task.granularity, task.settings)
        with RowWriter(folder / NAME, schema, "lz4") as writer:
            if task.is_part:
                _read_part(folder, task, writer, record, progress)
            else:
                _read_whole(task, writer, record, progress)
        record.rows = writer.rows
    except InputError as error:
        record.refused = error.message
    _spell_out(record)
    return record


def _spell_out(record: ShardRecord) -> None:
    """Spell out what is no text in the names of files, as JSON cannot say it."""
    record.refused = _text(record.refused)
    for health in (record.health, *record.health.files):
        health.file = _text(health.file)
        health.corrupt_records = [
            replace(corrupt, reason=_text(corrupt.reason)) for corrupt in health.corrupt_records
        ]


def _text(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _read_whole(
    task: ShardTask, writer: RowWriter, record: ShardRecord, progress: Progress
) -> None:
    read = read_flows if task.granularity == "flow" else read_packet_rows
    capture = task.paths[0] if len(task.paths) == 1 else list(task.paths)
    for rows in read(capture, task.settings, health=record.health, progress=progress):
        writer.write(rows)


def _read_part(
    folder: Path, task: ShardTask, writer: RowWriter, record: ShardRecord, progress: Progress
) -> None:
    """Read a file of a rotating capture; its border flows go to a file of their own."""
    health = record.health
    with (folder / BORDERS).open("wb") as borders:
        reader = PartReader(task.settings, borders)
        tunnels = task.settings.decode_tunnels
        batches = read_batches(task.paths[0], health, decode_tunnels=tunnels, progress=progress)
        for batch in batches:
            write_flows(writer, reader.update(batch), task.settings)
            health.ended_early = reader.ended_early
        reader.end()
    record.first_ns, record.latest_ns = reader.first_ns, reader.latest_ns


def _parts(shards: list[Shard], settings: FlowSettings) -> Iterator[Part]:
    kind = border_record(settings)
    for shard in shards:
        path, record = shard.folder / BORDERS, shard.record
        some = record.files.get(BORDERS, 0) > 0
        borders = np.memmap(path, kind, "r") if some else np.zeros(0, kind)
        yield Part(borders, record.first_ns, record.latest_ns)


# --- shards on disk ----------------------------------------------------------------------------


def _made(folder: Path, fill: Callable[[Path], None]) -> Shard:
    """The shard at ``folder``; ``fill`` makes it in another folder, which is then renamed."""
    if shard := read_shard(folder):
        return shard
    making = folder.with_name(f".making-{folder.name}")
    making.parent.mkdir(parents=True, exist_ok=True)
    with _claimed(making):
        shard = read_shard(folder)  # another process may just have made it
        if shard is None:
            _empty(making)
            try:
                fill(making)
            except BaseException:
                shutil.rmtree(making)
                raise
            shutil.rmtree(folder, ignore_errors=True)  # damaged, if it is there at all
            making.rename(folder)
            shard = read_shard(folder)
        else:
            shutil.rmtree(making)
    if shard is None:
        raise NetloopError(f"The shard {folder} cannot be read back.", "Check the disk.")
    return shard


def read_shard(folder: Path) -> Shard | None:
    """The shard at ``folder`` if it is there and as long as it was when it was made."""
    try:
        record = ShardRecord.model_validate_json((folder / RECORD).read_bytes())
        sizes = {name: (folder / name).stat().st_size for name in record.files}
    except (OSError, ValueError):
        return None
    return Shard(folder, record) if sizes == record.files else None


def _seal(folder: Path, record: ShardRecord) -> None:
    """Bring the files to disk and write the record that makes a folder a shard."""
    for name in (NAME, BORDERS):
        path = folder / name
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
            record.files[name] = path.stat().st_size
    write_atomic(folder / RECORD, record.model_dump_json())


@contextmanager
def _claimed(making: Path) -> Iterator[None]:
    """Hold the folder ``making`` for this process; the kernel's lock ends with the process.

    The lock's file moves away with the folder: whoever waited for it begins anew.
    """
    while True:
        making.mkdir(exist_ok=True)
        try:
            handle = os.open(making / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:  # renamed just now
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_at(handle, making / LOCK):
                yield
                return
        finally:
            os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    """Whether the open file is still the one at ``path``."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _empty(making: Path) -> None:
    """Remove what a killed process left."""
    for path in making.iterdir():
        if path.name != LOCK:
            path.unlink()
