"""The audit: one verdict on a dataset, a split and masks, before any model is believed.

It reads the labels of the test side but no model: look-ups of single fields, a small tree on every
field group, and leaks across the split. What it finds says what to mask, drop or split anew.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, Field

from pipelines.audit.chance import HeldOut
from pipelines.audit.duplicates import (
    CaptureReplays,
    ClassDuplicates,
    duplicate_advice,
    find_duplicates,
    find_replays,
)
from pipelines.audit.fields import raw_fields
from pipelines.audit.leaks import Leak, find_leaks
from pipelines.audit.lookup import FieldAudit, audit_field
from pipelines.audit.trees import GroupAudit, audit_group, column_groups
from pipelines.datasets.fields import COLUMN, DEFAULT_MASKS, is_captured
from pipelines.datasets.groups import named
from pipelines.datasets.keys import Codes, numbers, text_codes
from pipelines.datasets.split_manifest import Split
from pipelines.errors import NetloopError
from pipelines.progress import Progress, silent

AuditVerdict = Literal["trustworthy", "doubtful", "leaking"]


class Mend(BaseModel):
    """What takes the leaks away: field groups to mask besides, rows to set aside."""

    masks: list[str] = Field(default_factory=list)
    filters: list[str] = Field(default_factory=list)


class Audit(BaseModel):
    """The outcome for a dataset, a split and the masks in force."""

    verdict: AuditVerdict = Field(
        description="leaking: a score would mean nothing; doubtful: read the reasons first"
    )
    reasons: list[str] = Field(description="Why it is not trustworthy, the worst first")
    mend: Mend = Field(description="What takes the leaks away")
    masks: list[str]
    groups: list[GroupAudit] = Field(description="A row a field group")
    fields: list[FieldAudit] = Field(description="Highest accuracy first")
    leaks: list[Leak] = Field(description="What training knows of test rows, found or not")
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
    """Audit a dataset and its split.

    A flow that time-outs cut into several rows is asked about once, by its first. Raises
    NetloopError for a split with no test rows, or not clean.
    """
    split.check(rows)
    known, test = split.rows_on("train", "validation"), split.rows_on("test")
    if not len(known) or not len(test):
        raise NetloopError("A side of the split is empty.", "Draw a split with rows to test on.")
    names, raw = column_groups(rows.schema), list(raw_fields(rows.schema))
    counts = _counts(rows)
    steps = len(raw) + len(names)
    # of every group of behaviour one more guess may be made: its best field by thresholds
    guesses = steps + len({*names} - {*DEFAULT_MASKS})
    side = _side(rows, known[counts[known]], test[counts[test]], guesses)
    fields: list[FieldAudit] = []
    groups: list[GroupAudit] = []
    for field in raw:
        progress("auditing fields", len(fields), steps, "fields")
        fields.append(audit_field(field, rows, side, masks))
    for name in names:
        progress("auditing fields", len(raw) + len(groups), steps, "fields")
        group, by_thresholds = audit_group(name, rows, side, masks, fields)
        groups.append(group)
        fields += by_thresholds
    progress("auditing fields", steps, steps, "fields")
    fields.sort(key=lambda row: (-row.accuracy, row.name))
    leaks = list(find_leaks(rows, split, _side(rows, known, test, side.guesses)))
    duplicates, replays = find_duplicates(rows, known, test), find_replays(rows)
    exposed = [row for row in fields if row.verdict == "shortcut" and not row.masked]
    pairs = _telling_pairs(groups, exposed)
    verdict, reasons = _verdict(groups, pairs, exposed, leaks)
    return Audit(
        verdict=verdict,
        reasons=reasons,
        mend=_mend(groups, pairs, leaks),
        masks=list(masks),
        groups=groups,
        fields=fields,
        leaks=leaks,
        duplicate_of="payload" if is_captured(rows.schema) else "record",
        duplicates=duplicates,
        replays=replays,
        advice=[
            *field_advice(exposed),
            *_group_advice(groups, exposed),
            *(leak.words for leak in leaks if leak.verdict != "none"),
            *duplicate_advice(duplicates, replays),
        ],
    )


def _counts(rows: pa.Table) -> npt.NDArray[np.bool_]:
    """Whether a row counts: of flows the first row of each, of packets and records every row."""
    counts = np.ones(rows.num_rows, bool)
    if is_captured(rows.schema) and "bidirectional_packets" in rows.schema.names:
        flow = numbers(rows, "flow")
        order = np.lexsort((numbers(rows, "first_seen_ns"), flow))
        counts[order[1:]] = np.diff(flow[order]) != 0
    return counts


def _side(rows: pa.Table, known: Codes, test: Codes, guesses: int) -> HeldOut:
    """The test side; packets of a flow are one observation, records of a table one each."""
    _, labels = text_codes(rows, "label")
    units = np.arange(len(test))
    if is_captured(rows.schema):
        _, units = np.unique(numbers(rows, "flow")[test], return_inverse=True)
    return HeldOut(labels, known, test, units, guesses)


def _telling_pairs(groups: Sequence[GroupAudit], exposed: Sequence[FieldAudit]) -> list[FieldAudit]:
    """Look-ups of several fields with an identifier that tell what no group of theirs tells."""
    told = {group.group for group in groups if group.verdict == "shortcut"}
    return [
        row
        for row in exposed
        if len(row.groups) > 1 and row.group in DEFAULT_MASKS and not told & set(row.groups)
    ]


def _verdict(
    groups: Sequence[GroupAudit],
    pairs: Sequence[FieldAudit],
    exposed: Sequence[FieldAudit],
    leaks: Sequence[Leak],
) -> tuple[AuditVerdict, list[str]]:
    """The verdict and its reasons: leaks, then identifiers that models see, then doubts."""
    worst = [leak.words for leak in leaks if leak.verdict == "leak"]
    worst += _identifier_words(groups, pairs)
    doubts = _behaviour_words(exposed)
    doubts += [leak.words for leak in leaks if leak.verdict == "doubt"]
    verdict: AuditVerdict = "leaking" if worst else "doubtful" if doubts else "trustworthy"
    return verdict, worst + doubts


def _identifier_words(groups: Sequence[GroupAudit], pairs: Sequence[FieldAudit]) -> list[str]:
    """The identifiers that models see and that give the label away, a sentence each."""
    return [group_words(group) for group in groups if group.exposed] + [
        f"{row.name} give the label away (accuracy {row.accuracy:.3f}, majority class "
        f"{row.majority:.3f}) and models see them: mask {row.group}."
        for row in pairs
    ]


def leaks_under(found: Audit, masks: Sequence[str]) -> list[str]:
    """What identifiers would give away to models under ``masks`` besides what was found."""
    groups = [row.model_copy(update={"masked": row.group in masks}) for row in found.groups]
    seen = [
        row for row in found.fields if row.verdict == "shortcut" and not {*row.groups} & {*masks}
    ]
    words = _identifier_words(groups, _telling_pairs(groups, seen))
    return [line for line in words if line not in found.reasons]


def group_words(group: GroupAudit) -> str:
    """What an identifier that models see gives away, in a sentence."""
    if group.field_accuracy is not None and group.field_accuracy >= group.tree_accuracy:
        subject, accuracy = f"{group.field} alone", group.field_accuracy
    else:
        subject, accuracy = f"A small tree on {group.group}", group.tree_accuracy
    return (
        f"{subject} gives the label away (accuracy {accuracy:.3f}, majority class "
        f"{group.majority:.3f}) and models see it: mask {group.group}."
    )


def _behaviour_words(exposed: Sequence[FieldAudit]) -> list[str]:
    behaviour = [row for row in exposed if row.group not in DEFAULT_MASKS]
    if not behaviour:
        return []
    best = behaviour[0]
    more = f", and {len(behaviour) - 1} more" if len(behaviour) > 1 else ""
    return [
        f"One field of behaviour alone gives the label away: {best.name} (accuracy "
        f"{best.accuracy:.3f}, majority class {best.majority:.3f}){more}."
    ]


def _mend(groups: Sequence[GroupAudit], pairs: Sequence[FieldAudit], leaks: Sequence[Leak]) -> Mend:
    copied = any(leak.name == "copied_rows" and leak.verdict == "leak" for leak in leaks)
    masks = [group.group for group in groups if group.exposed] + [row.group for row in pairs]
    return Mend(
        masks=list(dict.fromkeys(masks)),
        filters=["near_duplicates"] if copied else [],
    )


def field_advice(exposed: Sequence[FieldAudit]) -> list[str]:
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


def _group_advice(groups: Sequence[GroupAudit], exposed: Sequence[FieldAudit]) -> list[str]:
    """The identifiers that only a tree sees through."""
    told = {row.group for row in exposed}
    return [group_words(group) for group in groups if group.exposed and group.group not in told]
