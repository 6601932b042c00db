"""One column of a dataset as numbers: plain values, categories, texts or bytes."""

from collections import Counter
from typing import Annotated, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from pipelines.datasets.fields import text_kind
from pipelines.errors import InputError
from pipelines.represent.arrays import column_array, is_there, mismatch, number_matrix, text_array

# Features of a text column: more parts than these share them.
MOST_PARTS = 256


class _Column(BaseModel):
    model_config = ConfigDict(frozen=True)
    column: str


class Numbers(_Column):
    """A numeric column, or a list column of ``width`` numbers a row.

    A missing value (null, NaN or infinite) becomes ``fill``, the median of the training rows; where
    training rows lacked values, a feature of its own says so.
    """

    kind: Literal["numbers"] = "numbers"
    width: int | None = Field(None, description="Numbers a row; None for a plain column")
    fill: list[float] = Field(description="What stands for a missing value, per position")
    flagged: list[int] = Field(description="Positions that have a feature 'is missing'")

    @classmethod
    def fit(cls, column: str, values: pa.Array) -> Self:
        """Learn the medians, and which positions may be missing."""
        width = values.type.list_size if pa.types.is_fixed_size_list(values.type) else None
        numbers = number_matrix(column, values, width)
        missing = np.isnan(numbers)
        empty = missing.all(axis=0)
        # nanmedian takes ten times as long for the few rows of a study of few labels
        median = np.nanmedian if missing.any() else np.median
        fill = median(np.where(empty, 0.0, numbers), axis=0) if len(numbers) else empty * 0.0
        return cls(
            column=column,
            width=width,
            fill=fill.tolist(),
            flagged=np.flatnonzero(missing.any(axis=0) & ~empty).tolist(),
        )

    def names(self) -> list[str]:
        """One name a number, then one a flag."""
        plain = [self.column] if self.width is None else _indexed(self.column, self.width)
        return plain + [f"{plain[position]} is missing" for position in self.flagged]

    def widths(self) -> list[int]:
        """Every number and every flag is a field of its own."""
        return [1] * len(self.names())

    def encode(self, rows: pa.Table) -> np.ndarray:
        """Numbers of shape (rows, features)."""
        numbers = number_matrix(self.column, column_array(rows, self.column), self.width)
        missing = np.isnan(numbers)
        return np.hstack([np.where(missing, self.fill, numbers), missing[:, self.flagged]])


class Categories(_Column):
    """A text column: one feature a frequent value, and one for every other value.

    A null sets none of them.
    """

    kind: Literal["categories"] = "categories"
    values: list[str]

    @classmethod
    def fit(cls, column: str, values: pa.Array, most: int) -> Self:
        """Learn the ``most`` most frequent values; equally frequent ones in alphabetical order."""
        counts = Counter(text_array(column, values).drop_null().to_pylist())
        frequent = sorted(counts, key=lambda value: (-counts[value], value))[:most]
        return cls(column=column, values=sorted(frequent))

    def names(self) -> list[str]:
        """``column=value`` for each value, then ``column is other``."""
        return [f"{self.column}={value}" for value in self.values] + [f"{self.column} is other"]

    def widths(self) -> list[int]:
        """All features of a text column are one field."""
        return [len(self.values) + 1]

    def encode(self, rows: pa.Table) -> np.ndarray:
        """Zeros and ones of shape (rows, features)."""
        text = text_array(self.column, column_array(rows, self.column))
        known = pc.index_in(text, value_set=pa.array(self.values, text.type))
        position = pc.fill_null(known, len(self.values)).to_numpy(zero_copy_only=False)
        encoded = np.zeros((len(text), len(self.values) + 1))
        present = is_there(text)
        encoded[np.flatnonzero(present), position[present]] = 1
        return encoded


class Bytes(_Column):
    """A column of ``slots`` times ``width`` bytes: their values, and -1 where there is no byte.

    ``lengths`` names the list column that says how many bytes of each slot are there; without one
    all are. A null has no bytes.
    """

    kind: Literal["bytes"] = "bytes"
    slots: int
    width: int
    lengths: str | None

    @classmethod
    def fit(cls, column: str, schema: pa.Schema) -> Self:
        """Find the slots of ``column``: those of the list ``<column>_length``, or else one."""
        size = schema.field(column).type.byte_width
        lengths = f"{column}_length"
        if lengths in schema.names and pa.types.is_fixed_size_list(schema.field(lengths).type):
            slots = schema.field(lengths).type.list_size
            if size % slots == 0:
                return cls(column=column, slots=slots, width=size // slots, lengths=lengths)
        return cls(column=column, slots=1, width=size, lengths=None)

    def names(self) -> list[str]:
        """``column[slot][byte]``, slot by slot."""
        slots = _indexed(self.column, self.slots)
        return [name for slot in slots for name in _indexed(slot, self.width)]

    def widths(self) -> list[int]:
        """Every byte is a field of its own."""
        return [1] * (self.slots * self.width)

    def encode(self, rows: pa.Table) -> np.ndarray:
        """Byte values of shape (rows, slots * width), int16."""
        values = column_array(rows, self.column)
        if values.type != pa.binary(self.slots * self.width):
            raise mismatch(self.column, values.type)
        size = self.slots * self.width
        raw = np.frombuffer(values.buffers()[1] or b"", np.uint8)
        raw = raw[values.offset * size : (values.offset + len(values)) * size]
        shape = (len(values), self.slots, self.width)
        there = np.broadcast_to(is_there(values)[:, None, None], shape)
        if self.lengths is not None:
            lengths = number_matrix(self.lengths, column_array(rows, self.lengths), self.slots)
            there = there & (np.arange(self.width) < lengths[:, :, None])
        return np.where(there, raw.reshape(shape), np.int16(-1)).reshape(len(values), size)


class Text(_Column):
    """A text column as counts of its parts, hashed into ``width`` features.

    Parts are its words (what stands between blanks); with ``pieces`` also the three-character
    pieces of each word, so that words not seen before still say something. A null has no parts.
    The hashing trick: K. Weinberger et al., Feature Hashing for Large Scale Multitask Learning,
    2009.
    """

    kind: Literal["text"] = "text"
    width: int
    pieces: bool

    @classmethod
    def fit(cls, column: str, values: pa.Array, *, pieces: bool) -> Self:
        """Choose a width: the power of two that holds the parts there are, at most MOST_PARTS."""
        parts: set[str] = set()
        for text in pc.unique(text_array(column, values).drop_null()).to_pylist():
            parts.update(text_parts(text, pieces))
            if len(parts) >= MOST_PARTS:
                break
        width = min(MOST_PARTS, 1 << max(len(parts) - 1, 0).bit_length())
        return cls(column=column, width=width, pieces=pieces)

    def names(self) -> list[str]:
        """``column#feature``: the parts behind a feature are not kept."""
        return [f"{self.column}#{number}" for number in range(self.width)]

    def widths(self) -> list[int]:
        """All features of a text column are one field."""
        return [self.width]

    def encode(self, rows: pa.Table) -> np.ndarray:
        """Counts of shape (rows, width)."""
        text = text_array(self.column, column_array(rows, self.column))
        encoded = np.zeros((len(text), self.width))
        present = np.flatnonzero(is_there(text))
        if len(present):
            from sklearn.feature_extraction import FeatureHasher  # takes a second to import

            hasher = FeatureHasher(self.width, input_type="string", alternate_sign=False)
            parts = (text_parts(value, self.pieces) for value in text.drop_null().to_pylist())
            encoded[present] = hasher.transform(parts).toarray()
        return encoded


def text_parts(text: str, pieces: bool) -> list[str]:
    """The words of a text and, if asked for, the pieces of three characters of each."""
    words = text.split()
    if not pieces:
        return words
    return [*words, *(word[i : i + 3] for word in words for i in range(len(word) - 3 + 1))]


Column = Annotated[Numbers | Categories | Bytes | Text, Field(discriminator="kind")]


def fit_column(
    name: str, rows: pa.Table, most_categories: int
) -> Numbers | Categories | Bytes | Text:
    """The encoder of column ``name``, learnt from ``rows``. Raises InputError for an odd type."""
    kind = rows.schema.field(name).type
    if pa.types.is_fixed_size_binary(kind):
        return Bytes.fit(name, rows.schema)
    values = column_array(rows, name)
    if _is_text(values.type) and (reading := text_kind(rows.schema.field(name))):
        return Text.fit(name, values, pieces=reading == "text")
    if _is_text(values.type):
        return Categories.fit(name, values, most_categories)
    if _is_number(kind) or (pa.types.is_fixed_size_list(kind) and _is_number(kind.value_type)):
        return Numbers.fit(name, values)
    raise InputError(
        f"Column {name!r} has the type {kind}, which no model reads.",
        "Make it a number or a text, or leave it out.",
    )


def _indexed(name: str, count: int) -> list[str]:
    return [f"{name}[{index}]" for index in range(count)]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    checks = ("integer", "floating", "boolean", "decimal", "temporal", "null")
    return any(getattr(pa.types, f"is_{check}")(kind) for check in checks)
