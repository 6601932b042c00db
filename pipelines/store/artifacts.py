"""Artefacts: folders named by the hash of what they hold, made whole or not at all."""

import re
from collections.abc import Callable
from pathlib import Path

from pipelines.errors import NetloopError
from pipelines.store.files import hash_folder, scratch_folder

DIGEST = re.compile(r"[0-9a-f]{64}")


class ArtifactStore:
    """Folders below ``root``, named by their content: what is equal has one name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """The folder of an artefact. Raises NetloopError if it is not there."""
        if not self.has(digest):
            raise NetloopError(
                f"Artefact {digest[:12]} is not in {self.root}.",
                "It may have been pruned: run the step that made it again.",
            )
        return self.root / digest

    def has(self, digest: str) -> bool:
        """Whether the artefact is there; never, for what is no content hash."""
        return bool(DIGEST.fullmatch(digest)) and (self.root / digest).is_dir()

    def make(self, fill: Callable[[Path], object]) -> str:
        """Let ``fill`` write into a new folder, move it into place, return its content hash."""
        self.root.mkdir(parents=True, exist_ok=True)
        with scratch_folder(self.root) as parent:
            folder = parent / "content"
            folder.mkdir()
            fill(folder)
            digest = hash_folder(folder)
            try:
                folder.rename(self.root / digest)
            except OSError:
                # An equal one is there already, made before or by another process just now.
                if not self.has(digest):
                    raise
        return digest
