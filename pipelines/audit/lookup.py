"""Look-ups: what a plain table of past values of one field would score.

The label that a value most often had in training is what it is taken for on test. A field whose
look-up goes half of the way from the majority class to certainty gives the label away; if a model
may see it, a score says little about behaviour.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field

from pipelines.audit.chance import HeldOut, Judgement, Verdict, judge, most_frequent
from pipelines.audit.fields import RawField, blamed_group
from pipelines.datasets.keys import Codes


class FieldAudit(BaseModel):
    """What one field, or a small set of fields, gives away on the test side."""

    name: str
    accuracy: float = Field(description="Of the look-up, on test")
    macro_f1: float = Field(description="Of the look-up, as of every model")
    majority: float = Field(description="Test accuracy of train's most frequent class")
    gain: float = Field(description="(accuracy - majority) / (1 - majority)")
    chance: float = Field(description="Probability that any field does as well by luck")
    verdict: Verdict = Field(
        description="shortcut: gain >= 0.5; weak: gain >= 0.2; none too where luck explains it"
    )
    masked: bool = Field(description="Whether the masks in force take it from every model")
    group: str = Field(description="The field group whose mask takes it away")
    groups: list[str] = Field(description="All field groups that it touches")
    values: int = Field(description="Distinct values in all rows; by thresholds, their ranges")


def audit_field(raw: RawField, rows: pa.Table, side: HeldOut, masks: Sequence[str]) -> FieldAudit:
    """Look one field up."""
    values = raw.read(rows)
    predicted = look_up(values[side.known], side.labels[side.known], values[side.test])
    found = judge(predicted, side)
    return field_audit(raw.name, raw.groups, found, masks, values=len(np.unique(values)))


def field_audit(
    name: str, groups: tuple[str, ...], found: Judgement, masks: Sequence[str], *, values: int
) -> FieldAudit:
    """The row of a field of ``groups`` whose guesses were judged."""
    return FieldAudit(
        name=name,
        accuracy=found.accuracy,
        macro_f1=found.macro_f1,
        majority=found.majority,
        gain=found.gain,
        chance=found.chance,
        verdict=found.verdict,
        masked=bool(set(groups) & set(masks)),
        group=blamed_group(groups),
        groups=list(groups),
        values=values,
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
