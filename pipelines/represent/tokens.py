"""Flows and packets as small whole numbers, as an embedding reads them."""

from collections.abc import Iterable
from typing import Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from pipelines.datasets.fields import feature_columns
from pipelines.errors import InputError
from pipelines.represent.arrays import column_array, number_matrix
from pipelines.represent.columns import Bytes

STEPS_A_DOUBLING = 2  # length tokens from one length to its double
DOUBLINGS_A_STEP = 3  # doublings of a gap from one token to the next

# How many values each packet token has, in the order of the last axis of ``packets``.
PACKET_TOKENS = {
    "direction": 3,  # 0 no packet, 1 from the initiator, 2 to it
    "length": 16 * STEPS_A_DOUBLING + 2,  # 0 no packet, then half doublings up to 64 KiB
    "flags": 256,  # the TCP flags byte
    "gap": 63 // DOUBLINGS_A_STEP + 1,  # of the logarithm of 1 + microseconds
    "protocol": 256,  # the same for all packets of a row
}
COLUMNS = ("packet_length", "packet_flags", "packet_gap_us", "protocol", "payload")
BYTE_TOKENS = 257
NO_BYTE = 256


class TrafficTokens(BaseModel):
    """Turns rows of captures into tokens. There is nothing to learn but what may be seen.

    A column that is masked or not there gives the token 0 (``NO_BYTE`` for payload) everywhere:
    nothing of it is left, not even where packets end. It is a pydantic model, and its JSON is its
    file format.
    """

    model_config = ConfigDict(frozen=True)

    packets: int
    payload: Bytes | None
    payload_packets: int
    payload_bytes: int
    seen: list[str]

    @staticmethod
    def can_read(schema: pa.Schema) -> bool:
        """Whether rows of ``schema`` are flows or packets rather than records of a table."""
        return "packet_length" in schema.names and pa.types.is_fixed_size_list(
            schema.field("packet_length").type
        )

    @classmethod
    def fit(
        cls, schema: pa.Schema, masks: Iterable[str], *, payload_packets: int, payload_bytes: int
    ) -> Self:
        """Tokens of the packets that ``schema`` holds, and of at most that much payload.

        Raises InputError if the masks hide every column that tokens are made of.
        """
        seen = [name for name in feature_columns(schema, masks) if name in COLUMNS]
        if not seen:
            raise InputError(
                "The masks hide every column that tokens are made of.",
                "Take one of sizes, gaps, flags, protocol or payload out of the masks.",
            )
        payload = Bytes.fit("payload", schema) if "payload" in schema.names else None
        return cls(
            packets=schema.field("packet_length").type.list_size,
            payload=payload,
            payload_packets=min(payload_packets, payload.slots if payload else 1),
            payload_bytes=min(payload_bytes, payload.width if payload else 1),
            seen=seen,
        )

    def transform_packets(self, rows: pa.Table) -> np.ndarray:
        """Tokens of shape (rows, packets, 5), int16, in the order of ``PACKET_TOKENS``.

        Raises InputError if a column is missing or of another type than in ``fit``.
        """
        length = self._numbers(rows, "packet_length", self.packets)
        gap = self._numbers(rows, "packet_gap_us", self.packets)
        tokens = [
            np.where(length > 0, 1, np.where(length < 0, 2, 0)),
            _length_token(np.abs(length)),
            self._numbers(rows, "packet_flags", self.packets),
            np.log2(1 + np.maximum(gap, 0)) // DOUBLINGS_A_STEP,
            self._numbers(rows, "protocol", None),
        ]
        encoded = np.empty((rows.num_rows, self.packets, len(tokens)), np.int16)
        for place, token in enumerate(tokens):
            encoded[..., place] = token
        return encoded

    def transform_payload(self, rows: pa.Table) -> np.ndarray:
        """Byte values of shape (rows, payload packets * bytes), int16, ``NO_BYTE`` for none."""
        size = self.payload_packets * self.payload_bytes
        if self.payload is None or "payload" not in self.seen:
            return np.full((rows.num_rows, size), NO_BYTE, np.int16)
        slots = self.payload.encode(rows).reshape(-1, self.payload.slots, self.payload.width)
        read = slots[:, : self.payload_packets, : self.payload_bytes].reshape(-1, size)
        return np.asarray(np.where(read < 0, np.int16(NO_BYTE), read))

    def _numbers(self, rows: pa.Table, name: str, width: int | None) -> np.ndarray:
        """A visible column, missing values as 0; zeros for any other."""
        if name not in self.seen:
            return np.zeros((rows.num_rows, width or 1))
        return np.asarray(np.nan_to_num(number_matrix(name, column_array(rows, name), width)))


def _length_token(length: np.ndarray) -> np.ndarray:
    steps = np.floor(STEPS_A_DOUBLING * np.log2(np.maximum(length, 1)))
    return np.asarray(np.where(length == 0, 0, 1 + np.minimum(steps, 16 * STEPS_A_DOUBLING)))
