"""Files that may hold a table: found on disk, unpacked, their beginnings read as text."""

import codecs
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from pipelines.datasets.column_names import safe_names
from pipelines.errors import InputError

HEAD_BYTES = 1 << 18
# A gzip bomb shrinks to a thousandth; tables shrink to a tenth or a fortieth.
MOST_EXPANDED = 1 << 30
MOST_EXPANSION = 200
PIECE = 1 << 20
LONGEST_LINE = 1 << 24
LINE_END = re.compile("\r\n|\n|\r")
COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
# Texts of attacks hold a zero byte now and then; binary files are full of them.
TEXT_BYTES_A_ZERO = 1000
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Head:
    """The beginning of a text file, which loaders recognise their files by."""

    path: Path
    bytes: int
    text: str

    @property
    def lines(self) -> list[str]:
        """Its lines; of more than one the last is left out, for it may be cut."""
        found = LINE_END.split(self.text.removesuffix("\n"))
        return found[:-1] if len(found) > 1 and len(self.text) >= HEAD_BYTES // 4 else found


@dataclass(frozen=True)
class TableFile:
    """A file that a loader recognised, and how its cells lie in it.

    ``header``: the column names as the file has them, which end ``header_lines`` lines into it (0
    for a layout without header, whose names are the loader's). ``comment``: what lines begin with
    that are no rows. ``is_main``: whether it is what the layout is known for rather than a table
    that lies beside it.
    """

    path: Path
    bytes: int
    header: tuple[str, ...]
    header_lines: int = 0
    delimiter: str = ","
    quoted: bool = True
    comment: str = ""
    is_main: bool = True

    @property
    def names(self) -> list[str]:
        """The safe names of the columns in the file."""
        return safe_names(self.header)


def below(folder: Path) -> Iterator[Path]:
    """Regular files below ``folder``, sorted, without hidden ones and without following links."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


def read_head(path: Path) -> Head | None:
    """The beginning of a text file, unpacked; None if it is binary or cannot be read."""
    try:
        with open_table(path) as stream:
            content = stream.read(HEAD_BYTES)
        size = path.stat().st_size
    except (OSError, EOFError, pa.ArrowException):
        return None
    if content.startswith(UTF_16):
        return Head(path, size, content.decode("utf-16", "ignore"))
    if content.count(0) * TEXT_BYTES_A_ZERO > len(content):
        return None
    return Head(path, size, decode(content, cut=len(content) == HEAD_BYTES))


def decode(content: bytes, cut: bool) -> str:
    """Bytes as UTF-8, else as Latin-1, in which every byte is a character."""
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(content, final=not cut)
    except UnicodeDecodeError:
        return content.decode("latin-1")


def compression_of(path: Path) -> str | None:
    """How a file is packed, by its first bytes. Raises OSError."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((name for magic, name in COMPRESSIONS.items() if start.startswith(magic)), None)


@contextmanager
def open_table(path: Path) -> Iterator[BinaryIO]:
    """The unpacked bytes of a file as a stream."""
    compression = compression_of(path)
    with path.open("rb") as file:  # Arrow opens no path that is not UTF-8
        stream = pa.PythonFile(file, "r")
        yield pa.CompressedInputStream(stream, compression) if compression else stream


def survey(file: TableFile) -> str:
    """Read a file once: its encoding, ``utf-16``, ``utf8`` or ``latin-1``, which fits any bytes.

    Raises InputError if it unpacks to far more than tables do, OSError if it is damaged.
    """
    limit = max(MOST_EXPANDED, MOST_EXPANSION * file.bytes)
    packed = compression_of(file.path) is not None
    decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
    encoding, size = "utf8", 0
    with open_table(file.path) as stream:
        while piece := stream.read(PIECE):
            if size == 0 and piece.startswith(UTF_16):
                decoder, encoding = None, "utf-16"
            size += len(piece)
            if packed and size > limit:
                raise InputError(
                    f"{file.path} is {file.bytes:,} bytes that unpack to more than {limit:,}.",
                    "Unpack it yourself if that is right.",
                )
            if decoder and not decodes(decoder, piece):
                decoder, encoding = None, "latin-1"
    return encoding if decoder is None or decodes(decoder, b"", True) else "latin-1"


def decodes(decoder: codecs.IncrementalDecoder, piece: bytes, final: bool = False) -> bool:
    """Whether the next bytes are text in the decoder's encoding."""
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True


def text_lines(path: Path, encoding: str) -> Iterator[str]:
    """The lines of a text file without their ends; one of absurd length comes in parts."""
    codec = "utf-8-sig" if encoding == "utf8" else encoding
    with open_table(path) as stream, io.TextIOWrapper(stream, codec) as text:
        for line in iter(lambda: text.readline(LONGEST_LINE), ""):
            yield line.removesuffix("\n")


def text_pieces(path: Path, encoding: str) -> Iterator[str]:
    """A text file in pieces that end anywhere."""
    codec = "utf-8-sig" if encoding == "utf8" else encoding
    with open_table(path) as stream, io.TextIOWrapper(stream, codec) as text:
        yield from iter(lambda: text.read(PIECE), "")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raise InputError for whatever reading a damaged table raises."""
    try:
        yield
    except (OSError, EOFError, UnicodeError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "straddling" in reason:  # Arrow's words for a row that no block holds
            reason = "a row is longer than 4 MiB, or a quote is never closed"
        raise InputError(
            f"{path} cannot be read as a table: {reason}.", "Check the file, or export it again."
        ) from error
