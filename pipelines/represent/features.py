"""Rows as one matrix of numbers, for flows, packets and tables alike."""

from collections.abc import Iterable, Iterator
from typing import Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from pipelines.datasets.fields import feature_columns
from pipelines.errors import InputError
from pipelines.represent.arrays import FLOAT32_LIMIT
from pipelines.represent.columns import Column, fit_column

MOST_CATEGORIES = 32


class FeatureEncoder(BaseModel):
    """Turns rows into float32 features; everything it knows comes from the rows of ``fit``.

    It is a pydantic model: ``model_dump_json`` and ``model_validate_json`` are its file format.
    Only unmasked columns are read. Numbers stay as they are, list columns give one feature a
    position, strings one feature a frequent value, texts hashed counts of their parts, bytes their
    value or -1 for no byte.
    """

    model_config = ConfigDict(frozen=True)

    columns: list[Column]

    @classmethod
    def fit(
        cls, rows: pa.Table, masks: Iterable[str], *, most_categories: int = MOST_CATEGORIES
    ) -> Self:
        """Learn medians and categories. Raises InputError if no column is left or one is odd."""
        names = feature_columns(rows.schema, masks)
        if not names:
            raise InputError(
                "The masks hide every column, so there is nothing to learn from.",
                "Take at least one group out of the masks.",
            )
        return cls(columns=[fit_column(name, rows, most_categories) for name in names])

    @property
    def names(self) -> list[str]:
        """The name of each feature."""
        return [name for column in self.columns for name in column.names()]

    def transform(self, rows: pa.Table) -> np.ndarray:
        """Features of shape (rows, features), float32, all finite.

        Raises InputError if a column is missing or of another type than in ``fit``.
        """
        encoded = np.hstack([column.encode(rows).astype(np.float32) for column in self.columns])
        return np.clip(encoded, -FLOAT32_LIMIT, FLOAT32_LIMIT)

    def fields(self) -> Iterator[slice]:
        """The features that belong to one field: a single one, or the categories of a text."""
        start = 0
        for column in self.columns:
            for width in column.widths():
                yield slice(start, start + width)
                start += width
