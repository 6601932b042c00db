"""Files that are whole or absent, and names made of their content."""

import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

PIECE = 1 << 20
# Who may read a new file: its owner, or whoever the umask lets, where a person asked for the file.
PRIVATE, ORDINARY = 0o600, 0o666
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@contextmanager
def atomic_file(path: Path, *, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """A new file to write to, which takes its name when the block ends and is gone if it fails.

    A reader sees the old file or the new one, never a part. ``mode`` says who may read it,
    ``PRIVATE`` or ``ORDINARY``, less what the umask forbids. Raises OSError if the folder cannot be
    written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, NEW_FILE, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomic(path: Path, data: bytes | str, *, mode: int = PRIVATE) -> None:
    """Write ``data`` as ``atomic_file`` does."""
    with atomic_file(path, mode=mode) as file:
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
