"""The folder that ``--out`` names: new, and there as a whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

from pipelines.errors import InputError
from pipelines.store.files import scratch_folder


def is_main_process() -> bool:
    """Whether this process speaks and writes: torchrun starts several of the same command."""
    return os.environ.get("RANK", "0") == "0"


def check_new(out: Path) -> None:
    """Raises InputError if ``out`` is there already or cannot be made: said before the work."""
    if out.exists() or out.is_symlink():
        raise InputError(f"--out {out} is there already.", "Name a folder that does not exist yet.")
    place = next(parent for parent in out.absolute().parents if parent.exists())
    try:
        with scratch_folder(place):
            pass
    except OSError as error:
        raise InputError(
            f"--out {out} cannot be made: {error.strerror}.",
            "Name a folder in a place where you may write.",
        ) from error


def make_new(out: Path, fill: Callable[[Path], object]) -> None:
    """Let ``fill`` write into an empty folder that then becomes ``out``."""
    if not is_main_process():
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(out.parent) as scratch:
        made = scratch / "made"  # the scratch folder itself is for nobody else to read
        made.mkdir()
        fill(made)
        made.rename(out)
