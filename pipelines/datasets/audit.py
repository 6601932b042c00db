"""The shortcut audit: what a single raw field would score, before any model is believed.

A plain look-up (value -> the label that it most often had in training) is learned on train and
validation and read on test. A field whose look-up goes half of the way from the majority class to
certainty gives the label away; if a model may see it, a score says little about behaviour.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field

from pipelines.datasets.audit_fields import RawField, blamed_group, raw_fields
from pipelines.datasets.duplicates import (
    CaptureReplays,
    ClassDuplicates,
    duplicate_advice,
    find_duplicates,
    find_replays,
)
from pipelines.datasets.fields import COLUMN, DEFAULT_MASKS, is_captured
from pipelines.datasets.groups import named
from pipelines.datasets.keys import Codes, text_codes
from pipelines.datasets.split_manifest import Split
from pipelines.errors import NetloopError
from pipelines.evaluate.metrics import confusion_counts, mean_f1
from pipelines.progress import Progress, silent

SHORTCUT_GAIN = 0.5
WEAK_GAIN = 0.2

Verdict = Literal["shortcut", "weak", "none"]


class FieldAudit(BaseModel):
    """What one field, or a small set of fields, gives away on the test side."""

    name: str
    accuracy: float = Field(description="Of the look-up, on test")
    macro_f1: float = Field(description="Of the look-up, as of every model")
    majority: float = Field(description="Test accuracy of train's most frequent class")
    gain: float = Field(description="(accuracy - majority) / (1 - majority)")
    verdict: Verdict = Field(description="shortcut: gain >= 0.5; weak: gain >= 0.2")
    masked: bool = Field(description="Whether the masks in force take it from every model")
    group: str = Field(description="The field group whose mask takes it away")
    values: int = Field(description="Distinct values in all rows")


class Audit(BaseModel):
    """The outcome for a dataset, a split and the masks in force."""

    verdict: Literal["clean", "shortcut"] = Field(description="shortcut: an unmasked one exists")
    masks: list[str]
    fields: list[FieldAudit] = Field(description="Highest accuracy first")
    duplicate_of: Literal["payload", "record"] = Field(description="What was compared")
    duplicates: list[ClassDuplicates] = Field(description="Across sides, a row a class of test")
    replays: list[CaptureReplays] = Field(description="On any side, captures that repeat rows")
    advice: list[str] = Field(description="What to mask, drop or keep in mind, one sentence each")

    @property
    def shortcuts(self) -> list[FieldAudit]:
        """The fields that give the label away and that models may see."""
        return [row for row in self.fields if row.verdict == "shortcut" and not row.masked]


def audit(
    rows: pa.Table,
    split: Split,
    masks: Sequence[str] = DEFAULT_MASKS,
    progress: Progress = silent,
) -> Audit:
    """Look up every raw field. Raises NetloopError for a split with no test rows, or not clean."""
    split.check(rows)
    known, test = split.rows_on("train", "validation"), split.rows_on("test")
    if not len(known) or not len(test):
        raise NetloopError("A side of the split is empty.", "Draw a split with rows to test on.")
    _, labels = text_codes(rows, "label")
    fields = list(raw_fields(rows.schema))
    audited = []
    for done, raw in enumerate(fields):
        progress("auditing fields", done, len(fields), "fields")
        audited.append(audit_field(raw, rows, labels, known, test, masks))
    progress("auditing fields", len(fields), len(fields), "fields")
    audited.sort(key=lambda row: (-row.accuracy, row.name))
    duplicates, replays = find_duplicates(rows, known, test), find_replays(rows)
    exposed = [row for row in audited if row.verdict == "shortcut" and not row.masked]
    return Audit(
        verdict="shortcut" if exposed else "clean",
        masks=list(masks),
        fields=audited,
        duplicate_of="payload" if is_captured(rows.schema) else "record",
        duplicates=duplicates,
        replays=replays,
        advice=[*field_advice(exposed), *duplicate_advice(duplicates, replays)],
    )


def audit_field(
    raw: RawField, rows: pa.Table, labels: Codes, known: Codes, test: Codes, masks: Sequence[str]
) -> FieldAudit:
    """Look one field up."""
    values = raw.read(rows)
    predicted = look_up(values[known], labels[known], values[test])
    truth = labels[test]
    accuracy = float((predicted == truth).mean())
    majority = float((truth == most_frequent(labels[known])).mean())
    gain = (accuracy - majority) / (1 - majority) if majority < 1 else 0.0
    return FieldAudit(
        name=raw.name,
        accuracy=accuracy,
        macro_f1=float(mean_f1(confusion_counts(truth, predicted, int(labels.max()) + 1))),
        majority=majority,
        gain=gain,
        verdict=verdict_of(gain),
        masked=bool(set(raw.groups) & set(masks)),
        group=blamed_group(raw.groups),
        values=len(np.unique(values)),
    )


def look_up(values: Codes, labels: Codes, asked: Codes) -> Codes:
    """The most frequent label of each asked value; for an unseen value, of all.

    All arguments are codes from 0. Of equally frequent labels the lowest wins.
    """
    width = int(labels.max()) + 1
    pairs, counts = np.unique(values * width + labels, return_counts=True)
    value, label = pairs // width, pairs % width
    order = np.lexsort((label, -counts, value))
    value, label = value[order], label[order]
    best = np.flatnonzero(np.diff(value, prepend=-1))
    table = np.full(int(max(values.max(), asked.max(initial=0))) + 1, most_frequent(labels))
    table[value[best]] = label[best]
    return table[asked]


def most_frequent(labels: Codes) -> int:
    """The most frequent code, the lowest of equally frequent ones."""
    return int(np.bincount(labels).argmax())


def verdict_of(gain: float) -> Verdict:
    """Name a gain over the majority class."""
    if gain >= SHORTCUT_GAIN:
        return "shortcut"
    return "weak" if gain >= WEAK_GAIN else "none"


def field_advice(exposed: list[FieldAudit]) -> list[str]:
    """What takes each unmasked shortcut from the models."""
    by_group: dict[str, list[FieldAudit]] = {}
    for row in exposed:
        by_group.setdefault(row.group, []).append(row)
    advice = []
    for group, found in by_group.items():
        names = named([f"{row.name} ({row.accuracy:.3f})" for row in found])
        subject = "alone gives" if len(found) == 1 else "each alone give"
        if group in DEFAULT_MASKS:
            mend = f"mask {group}."
        elif group == COLUMN:
            mend = "drop the column, or ask of every model how far it beats this look-up."
        else:
            mend = f"mask {group}, or ask of every model how far it beats this look-up."
        advice.append(f"{names} {subject} the label away: {mend}")
    return advice
