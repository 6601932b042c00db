"""Rows that repeat others: on two sides of a split they test memory, anywhere they are replays."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, Field

from pipelines.datasets.fields import is_captured
from pipelines.datasets.groups import named
from pipelines.datasets.keys import (
    Codes,
    array_codes,
    combine,
    matrix,
    numbers,
    payload_codes,
    text_codes,
)

MOSTLY = 0.5


class Repeated(BaseModel):
    """How many of some rows repeat another row of their class."""

    duplicates: int
    of: int = Field(description="Rows that could: for captures those that carry payload")

    @property
    def share(self) -> float:
        """The part that is repeated; 0 where no row could be."""
        return self.duplicates / self.of if self.of else 0.0

    @property
    def mostly(self) -> bool:
        """Whether most rows, and more than one, are repeated."""
        return self.duplicates > 1 and self.share >= MOSTLY

    def __str__(self) -> str:
        return f"{self.duplicates} of {self.of}"


class ClassDuplicates(Repeated):
    """Test rows of a class that repeat a row of the class on the training sides."""

    label: str


class CaptureReplays(Repeated):
    """Rows of a capture that repeat an earlier row of their class, on whichever side."""

    capture: str
    label: str


def repeat_keys(rows: pa.Table) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """What makes rows of one class repeats of each other, and which rows can be one.

    Captures: the payload bytes with their lengths, of rows that carry any. Tables: the values.
    """
    _, labels = text_codes(rows, "label")
    if not is_captured(rows.schema):
        return combine(array_codes(numbers(rows, "flow")), labels), np.ones(rows.num_rows, bool)
    carries = np.any(matrix(rows, "payload_length") > 0, axis=1)
    return combine(payload_codes(rows), labels), carries


def find_duplicates(rows: pa.Table, known: Codes, test: Codes) -> list[ClassDuplicates]:
    """Every class of test, worst first. ``known`` and ``test``: positions of rows of two sides."""
    classes, labels = text_codes(rows, "label")
    keys, able = repeat_keys(rows)
    known, test = known[able[known]], test[able[test]]
    repeated = np.isin(keys[test], keys[known])
    found = [
        ClassDuplicates(label=classes[label], duplicates=duplicates, of=of)
        for label, duplicates, of in tally(labels[test], repeated)
    ]
    return sorted(found, key=lambda row: (-row.share, -row.duplicates, row.label))


def find_replays(rows: pa.Table) -> list[CaptureReplays]:
    """Every capture and class with a row that repeats an earlier one of its class, worst first."""
    classes, labels = text_codes(rows, "label")
    captures, capture = text_codes(rows, "capture")
    keys, able = repeat_keys(rows)
    places = np.flatnonzero(able)
    later = np.ones(len(places), bool)
    later[np.unique(keys[places], return_index=True)[1]] = False
    pairs = capture[places] * len(classes) + labels[places]
    replays = [
        CaptureReplays(
            capture=captures[pair // len(classes)],
            label=classes[pair % len(classes)],
            duplicates=duplicates,
            of=of,
        )
        for pair, duplicates, of in tally(pairs, later)
        if duplicates
    ]
    return sorted(replays, key=lambda row: (-row.share, -row.duplicates, row.capture))


def tally(codes: Codes, repeated: npt.NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """For every code that occurs: the code, how often with ``repeated``, how often at all."""
    totals = np.bincount(codes)
    counts = np.bincount(codes[repeated], minlength=len(totals))
    return [(int(code), int(counts[code]), int(totals[code])) for code in np.flatnonzero(totals)]


def duplicate_advice(duplicates: list[ClassDuplicates], replays: list[CaptureReplays]) -> list[str]:
    """Name the classes whose test rows are mostly duplicates, and the captures that are replays."""
    advice = []
    memory = [f"{row.label} ({row})" for row in duplicates if row.mostly]
    if memory:
        advice.append(
            f"Test rows that mostly repeat training rows, so they test memory: {named(memory)}."
        )
    again = [f"{row.capture} ({row})" for row in replays if row.mostly]
    if again:
        advice.append(f"Captures that mostly repeat rows of their own class: {named(again)}.")
    return advice
