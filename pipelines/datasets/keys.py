"""Columns as small integers: equal values, equal codes, so that look-ups are array work."""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Codes = npt.NDArray[np.int64]


def numbers(rows: pa.Table, name: str) -> npt.NDArray[Any]:
    """A column without nulls as an array of shape (rows,)."""
    values: npt.NDArray[Any] = rows[name].to_numpy()
    return values


def matrix(rows: pa.Table, name: str) -> npt.NDArray[Any]:
    """A fixed-size list or binary column without nulls as an array of shape (rows, width)."""
    kind = rows.schema.field(name).type
    listed = pa.types.is_fixed_size_list(kind)
    width = kind.list_size if listed else kind.byte_width
    empty = np.zeros(0, kind.value_type.to_pandas_dtype() if listed else np.uint8)
    parts = [
        chunk.flatten().to_numpy() if listed else binary_content(chunk)
        for chunk in rows[name].chunks
    ]
    values = parts[0] if len(parts) == 1 else np.concatenate([empty, *parts])
    return values.reshape(rows.num_rows, width)


def binary_content(chunk: pa.FixedSizeBinaryArray) -> npt.NDArray[np.uint8]:
    """The bytes of a fixed-size binary array, end to end."""
    width = chunk.type.byte_width
    content = np.frombuffer(chunk.buffers()[1], np.uint8)
    return content[chunk.offset * width : (chunk.offset + len(chunk)) * width]


def column_codes(column: pa.ChunkedArray) -> Codes:
    """Codes of shape (rows,) from 0; null is a value of its own, and so is NaN."""
    encoded = column.dictionary_encode(null_encoding="encode")
    parts = [chunk.indices.to_numpy() for chunk in encoded.chunks]
    return np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)


def array_codes(values: npt.NDArray[Any]) -> Codes:
    """Codes of shape (rows,) of an array of numbers."""
    return column_codes(pa.chunked_array([pa.array(values)]))


def matrix_codes(values: npt.NDArray[Any]) -> Codes:
    """Codes of shape (rows,): the rows of an array of shape (rows, width) by their exact bytes."""
    content = np.ascontiguousarray(values)
    kind = pa.binary(content.shape[1] * content.itemsize)
    buffers = [None, pa.py_buffer(content)]
    array = pa.FixedSizeBinaryArray.from_buffers(kind, len(content), buffers)
    return column_codes(pa.chunked_array([array]))


def combine(*parts: Codes) -> Codes:
    """Codes of the tuples that several codes make, dense from 0."""
    joint = parts[0]
    for part in parts[1:]:
        joint = array_codes(joint * (int(part.max(initial=0)) + 1) + part)
    return joint


def payload_codes(rows: pa.Table) -> Codes:
    """The captured payload bytes with their lengths."""
    return combine(
        matrix_codes(matrix(rows, "payload_length")), matrix_codes(matrix(rows, "payload"))
    )


def text_codes(rows: pa.Table, name: str) -> tuple[list[str], Codes]:
    """The sorted distinct texts of a column and, per row, the place of its text among them."""
    codes = column_codes(rows[name])
    _, first = np.unique(codes, return_index=True)
    distinct = rows[name].take(pa.array(first)).to_pylist()
    order = sorted(range(len(distinct)), key=distinct.__getitem__)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return [distinct[place] for place in order], rank[codes]


def mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Spread 64-bit values over all 64 bits (the finaliser of splitmix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def text_hash(text: str) -> np.uint64:
    """A 64-bit hash of ``text`` that is the same in every process."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def record_hash(columns: dict[str, pa.ChunkedArray]) -> Codes:
    """A 64-bit hash of every record, equal for equal values under equal names in any order.

    Columns are float64 or string. It is the same in every process and source.
    """
    total = np.zeros(len(next(iter(columns.values()))), np.uint64)
    for name, column in columns.items():
        total += mix(value_bits(column) ^ text_hash(name))
    return mix(total).astype(np.int64)


def value_bits(column: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """64 bits for every value of a float64 or string column; null is 1, which no number is."""
    if pa.types.is_floating(column.type):
        values = column.to_numpy() + 0.0  # minus zero is zero
        return np.where(np.isnan(values), np.uint64(1), mix(values.view(np.uint64)))
    codes = column_codes(column)
    _, first = np.unique(codes, return_index=True)
    texts = column.take(pa.array(first)).to_pylist()
    bits = np.array([1 if text is None else text_hash(text) for text in texts], np.uint64)
    return bits[codes]
