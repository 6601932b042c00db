"""Rows that repeat others: on two sides of a split they test memory, anywhere they are replays."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, Field

from pipelines.datasets.audit_fields import payload_codes
from pipelines.datasets.fields import is_captured
from pipelines.datasets.groups import named
from pipelines.datasets.keys import Codes, array_codes, combine, matrix, numbers, text_codes

MOSTLY = 0.5


class Repeated(BaseModel):
    """How many of some rows repeat another row of their class."""

    duplicates: int
    of: int = Field(description="Rows that could: for captures those that carry payload")

    @property
    def share(self) -> float:
        """The part that is repeated; 0 where no row could be."""
        return self.duplicates / self.of if self.of else 0.0


class ClassDuplicates(Repeated):
    """Test rows of a class that repeat a row of the class on the training sides."""

    label: str


class CaptureReplays(Repeated):
    """Rows of a capture that repeat an earlier row of their class, on whichever side."""

    capture: str
    label: str


class Duplicates(BaseModel):
    """What repeats what: payload bytes and lengths in captures, feature values in tables."""

    of: Literal["payload", "record"]
    across_sides: list[ClassDuplicates] = Field(description="Every class of test, worst first")
    within_captures: list[CaptureReplays] = Field(description="Captures with any, worst first")


def find_duplicates(rows: pa.Table, known: Codes, test: Codes) -> Duplicates:
    """Count repeated rows. ``known`` and ``test`` are positions of rows on the two sides."""
    classes, labels = text_codes(rows, "label")
    captured = is_captured(rows.schema)
    keys = combine(payload_codes(rows) if captured else array_codes(numbers(rows, "flow")), labels)
    counts = np.ones(rows.num_rows, bool)
    if captured:
        counts = np.any(matrix(rows, "payload_length") > 0, axis=1)
    known, test = known[counts[known]], test[counts[test]]
    repeated = np.isin(keys[test], keys[known])
    across = [
        ClassDuplicates(label=classes[label], duplicates=duplicates, of=of)
        for label, duplicates, of in tally(labels[test], repeated)
    ]
    return Duplicates(
        of="payload" if captured else "record",
        across_sides=sorted(across, key=lambda row: (-row.share, -row.duplicates, row.label)),
        within_captures=find_replays(rows, keys, np.flatnonzero(counts)),
    )


def find_replays(rows: pa.Table, keys: Codes, counted: Codes) -> list[CaptureReplays]:
    """Count, for every capture and class, the counted rows whose key an earlier one had."""
    classes, labels = text_codes(rows, "label")
    captures, capture = text_codes(rows, "capture")
    later = np.ones(len(counted), bool)
    later[np.unique(keys[counted], return_index=True)[1]] = False
    pairs = capture[counted] * len(classes) + labels[counted]
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


def duplicate_advice(found: Duplicates) -> list[str]:
    """Name the classes whose test rows are mostly duplicates, and the captures that are replays."""
    advice = []
    memory = [row for row in found.across_sides if row.share >= MOSTLY and row.duplicates > 1]
    if memory:
        names = named([f"{row.label} ({row.duplicates} of {row.of})" for row in memory])
        advice.append(f"Test rows that mostly repeat training rows, so they test memory: {names}.")
    replays = [row for row in found.within_captures if row.share >= MOSTLY and row.duplicates > 1]
    if replays:
        names = named([f"{row.capture} ({row.duplicates} of {row.of})" for row in replays])
        advice.append(f"Captures that mostly replay one {found.of} again and again: {names}.")
    return advice
