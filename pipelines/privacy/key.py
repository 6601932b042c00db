"""The key that a workspace anonymises with: drawn once, kept for its owner alone, never shown."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from pipelines.errors import NetloopError
from pipelines.privacy.prefixes import KEY_BYTES
from pipelines.store.files import NEW_FILE, PRIVATE

NAME = "privacy.key"


def workspace_key(workspace: Path) -> bytes:
    """The workspace's key of 32 bytes; it is drawn when it is first asked for.

    Raises NetloopError if it cannot be kept, is damaged, or can be read by others.
    """
    path = workspace / NAME
    try:
        if not path.exists():
            workspace.mkdir(parents=True, exist_ok=True)
            _draw(path)
        mode, key = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise NetloopError(f"The key {path} cannot be kept: {error.strerror}.") from error
    if mode & 0o077:
        raise NetloopError(f"Others may read the key {path}.", f"Run: chmod 600 {path}")
    if len(key) != KEY_BYTES:
        raise NetloopError(
            f"The key {path} is damaged.",
            "Delete it: a new one is drawn, and addresses get other names than before.",
        )
    return key


def _draw(path: Path) -> None:
    """A link gives the file its name when it is whole, and only if no other process was first."""
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(made, NEW_FILE, PRIVATE), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    with suppress(FileExistsError):
        path.hardlink_to(made)
    made.unlink()
