"""Synthetic rows that a person judged: what they said of one holds for its equals."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from pipelines.augment.gate.row_codes import row_codes
from pipelines.datasets.fields import LABEL, feature_columns
from pipelines.datasets.keys import column_codes, combine
from pipelines.errors import InputError
from pipelines.store.rows import read_rows, write_rows

RIGHT, WRONG = "right", "wrong"


@dataclass(frozen=True)
class Judged:
    """``right`` could be of the class that they bear, ``wrong`` could not."""

    right: pa.Table
    wrong: pa.Table

    @classmethod
    def of(cls, rows: pa.Table, right: Sequence[bool]) -> Self:
        """All of the rows, by what was said of each."""
        fine = np.asarray(right, bool)
        return cls(rows.filter(pa.array(fine)), rows.filter(pa.array(~fine)))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What ``write`` wrote. Raises NetloopError if it is missing or damaged."""
        return cls(read_rows(folder / RIGHT), read_rows(folder / WRONG))

    def write(self, folder: Path) -> None:
        """Write both into a new folder."""
        for name, rows in ((RIGHT, self.right), (WRONG, self.wrong)):
            (folder / name).mkdir()
            write_rows(folder / name, rows)

    def after(self, earlier: "Judged | None") -> "Judged":
        """These verdicts and earlier ones. Raises InputError if they are of other columns."""
        if earlier is None:
            return self
        schema = self.right.schema
        return Judged(
            pa.concat_tables([like(schema, earlier.right), self.right]),
            pa.concat_tables([like(schema, earlier.wrong), self.wrong]),
        )

    def verdicts(self, made: pa.Table, masks: Sequence[str]) -> np.ndarray:
        """Of each made row, shape (rows,): 1 if its equal (``equal_rows``) was called right, -1 if
        wrong, else 0.

        Raises InputError if what was judged has other columns.
        """
        codes = equal_rows([made, self.right, self.wrong], masks)
        own, right, wrong = np.split(codes, np.cumsum([len(made), len(self.right)]))
        return np.where(np.isin(own, wrong), -1, np.where(np.isin(own, right), 1, 0))


def equal_rows(tables: Sequence[pa.Table], masks: Sequence[str]) -> np.ndarray:
    """A number for each row of all tables, shape (rows,), the same for those that are equal.

    Equal are the label and all features that the masks leave, which are what a person is shown.
    Raises InputError if a table has other columns than the first.
    """
    schema = tables[0].schema
    schema = tables[0].select([*feature_columns(schema, masks), LABEL]).schema
    rows = pa.concat_tables([like(schema, table) for table in tables])
    return combine(row_codes(rows), column_codes(rows[LABEL]))


def like(schema: pa.Schema, rows: pa.Table) -> pa.Table:
    """The columns of ``schema`` of the rows. Raises InputError if they have no such ones."""
    try:
        return rows.select(schema.names).cast(schema)
    except (KeyError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            "The rows that were judged have other columns than those made now.",
            "Make them without: augment_rows.judged=null, and look at them again.",
        ) from error
