"""Files that a person adds to a goal: their sizes always, their words only where it was allowed."""

from pathlib import Path
from typing import Any

from agents.wall.quoting import ATTACHMENT, quoted
from pipelines.errors import InputError
from pipelines.privacy.addresses import Anonymiser

KINDS = {
    **dict.fromkeys((".txt", ".text", ".md", ".rst"), "text"),
    **dict.fromkeys((".csv", ".tsv"), "table"),
    **dict.fromkeys((".json", ".jsonl", ".yaml", ".yml", ".toml", ".xml"), "structured"),
    ".log": "log",
}
MOST_BYTES = 8 << 20


def attached(path: Path, words: bool, anonymiser: Anonymiser | None) -> dict[str, Any]:
    """An attachment's kind, bytes and lines; with ``words`` also its beginning, quoted as data.

    Raises InputError for a file that cannot be read, is no UTF-8 text, or is larger than 8 MB.
    """
    text = _text(path)
    told: dict[str, Any] = {
        "kind": KINDS.get(path.suffix.lower(), "other"),
        "bytes": len(text.encode()),
        "lines": len(text.splitlines()),
    }
    return {**told, "text": quoted(text, ATTACHMENT, anonymiser)} if words else told


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(
                f"The attachment {path} is larger than {MOST_BYTES >> 20} MB.",
                "Attach the part that belongs to the goal.",
            )
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(f"The attachment {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The attachment {path} is no UTF-8 text.", "Attach text.") from error
