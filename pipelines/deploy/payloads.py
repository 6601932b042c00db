"""Rows and models as bytes of a message, and back."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pipelines.errors import NetloopError
from pipelines.store.rows import group_rows

MOST_FILES = 64
MOST_MODEL_BYTES = 1 << 30


def rows_to_bytes(rows: pa.Table) -> bytes:
    """Rows with their field groups as a compressed Arrow stream."""
    target = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    # A slice shares its buffers with all rows: what is written must be its own rows alone.
    with pa.ipc.new_stream(target, rows.schema, options=options) as stream:
        stream.write_table(rows.combine_chunks())
    return target.getvalue()


def rows_from_bytes(content: bytes) -> pa.Table:
    """What ``rows_to_bytes`` made. Raises NetloopError if it is no Arrow stream."""
    try:
        with pa.ipc.open_stream(content) as stream:
            return stream.read_all()
    except (pa.ArrowException, OSError) as error:
        raise NetloopError(f"Rows arrived that cannot be read: {error}.") from error


def in_pieces(rows: pa.Table) -> Iterator[pa.Table]:
    """The rows in pieces of at most 16 MB, so that no message grows with the data."""
    size = group_rows(rows.schema)
    for start in range(0, rows.num_rows, size):
        yield rows.slice(start, size)


def pack_model(folder: Path) -> bytes:
    """A model's folder as one zip file; the same model gives the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(path.name)  # without the time of the file
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return target.getvalue()


def unpack_model(content: bytes, folder: Path) -> None:
    """Write what ``pack_model`` made into a new ``folder``; reading the model is the caller's.

    Raises NetloopError for a file that is no zip, names a path or would fill the disk.
    """
    folder.mkdir()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            large = sum(entry.file_size for entry in entries) > MOST_MODEL_BYTES
            if large or len(entries) > MOST_FILES:
                raise NetloopError("A model arrived that is too large to be one.")
            for entry in entries:
                if entry.filename in ("", ".", "..") or Path(entry.filename).name != entry.filename:
                    raise NetloopError(f"A model arrived with a file named {entry.filename!r}.")
                (folder / entry.filename).write_bytes(archive.read(entry))
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, ValueError) as error:
        raise NetloopError(f"A model arrived that cannot be unpacked: {error}.") from error
