"""Files that are whole or absent, and names made of their content."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

PIECE = 1 << 20


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A new file to write to, which takes its name when the block ends and is gone if it fails.

    A reader sees the old file or the new one, never a part. Raises OSError if the folder cannot be
    written.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write ``data`` as ``atomic_file`` does."""
    with atomic_file(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder beside its later home, so that one rename moves it; gone if nobody moved it."""
    with tempfile.TemporaryDirectory(dir=parent, prefix=".making-") as name:
        yield Path(name)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spare blanks: equal values give equal text.

    Raises ValueError for NaN and infinities, which JSON cannot say.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def hash_text(text: str) -> str:
    """SHA-256 of ``text`` as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def hash_folder(folder: Path) -> str:
    """SHA-256 over the relative names and contents of all files below ``folder``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hash_text(canonical_json([[str(p.relative_to(folder)), hash_file(p)] for p in files]))
