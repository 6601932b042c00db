"""A small tree on each field group: shortcuts that need a threshold, or two fields together."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field

from pipelines.audit.chance import HeldOut, judge
from pipelines.audit.lookup import FieldAudit
from pipelines.datasets.fields import DEFAULT_MASKS, LABEL, SPLIT, group_of
from pipelines.datasets.keys import Codes, numbers
from pipelines.represent.features import FeatureEncoder

DEPTH = 6
FEWEST_ROWS_A_LEAF = 3
MOST_ROWS = 20_000

GroupVerdict = Literal["shortcut", "strong", "weak", "none"]


class GroupAudit(BaseModel):
    """What the fields of one group give away: the best of them alone, and a tree on all."""

    group: str
    identifier: bool = Field(description="It names hosts, moments or packets: masked by default")
    masked: bool = Field(description="Whether the masks in force take it from every model")
    field: str | None = Field(description="The field with the best look-up; None if none is one")
    field_accuracy: float | None
    tree_accuracy: float = Field(description="Of a tree of depth 6 on all columns of the group")
    tree_macro_f1: float
    majority: float
    chance: float = Field(description="Probability that any guess does as well by luck")
    verdict: GroupVerdict = Field(
        description="shortcut: an identifier, or one field alone, goes half of the way to "
        "certainty; strong: a tree on several fields of behaviour does; weak: a fifth of the way"
    )

    @property
    def exposed(self) -> bool:
        """Whether models see an identifier that gives the label away."""
        return self.verdict == "shortcut" and self.identifier and not self.masked


def column_groups(schema: pa.Schema) -> list[str]:
    """The field groups of the columns that could be features, in schema order."""
    groups = dict.fromkeys(group_of(column) for column in schema)
    return [group for group in groups if group not in (LABEL, SPLIT)]


def audit_group(
    group: str, rows: pa.Table, side: HeldOut, masks: Sequence[str], fields: Sequence[FieldAudit]
) -> GroupAudit:
    """Grow a tree on the columns of ``group`` and set the group's best look-up beside it.

    ``fields``: all look-ups; those that touch other groups too are left out.
    """
    found = judge(_tree_guesses(group, rows, side), side)
    own = [row for row in fields if row.groups == [group]]
    best = max(own, key=lambda row: (row.gain, row.accuracy), default=None)
    identifier = group in DEFAULT_MASKS
    shortcut = any(row.verdict == "shortcut" for row in own)
    verdict: GroupVerdict = found.verdict
    if verdict == "shortcut" and not identifier:
        verdict = "strong"
    return GroupAudit(
        group=group,
        identifier=identifier,
        masked=group in masks,
        field=best.name if best else None,
        field_accuracy=best.accuracy if best else None,
        tree_accuracy=found.accuracy,
        tree_macro_f1=found.macro_f1,
        majority=found.majority,
        chance=min([found.chance, *(row.chance for row in own)]),
        verdict="shortcut" if shortcut else verdict,
    )


def _tree_guesses(group: str, rows: pa.Table, side: HeldOut) -> Codes:
    from sklearn.tree import DecisionTreeClassifier

    others = {group_of(column) for column in rows.schema} - {group}
    rows = _with_small_times(rows) if group == "time" else rows
    known = _sample(side.known)
    encoder = FeatureEncoder.fit(rows.take(known), others)
    tree = DecisionTreeClassifier(
        max_depth=DEPTH, min_samples_leaf=FEWEST_ROWS_A_LEAF, random_state=0
    )
    tree.fit(encoder.transform(rows.take(known)), side.labels[known])
    guesses: Codes = tree.predict(encoder.transform(rows.take(side.test)))
    return guesses


def _sample(known: Codes) -> Codes:
    """At most ``MOST_ROWS`` positions, always the same ones."""
    if len(known) <= MOST_ROWS:
        return known
    return np.sort(np.random.default_rng(0).choice(known, MOST_ROWS, replace=False))


def _with_small_times(rows: pa.Table) -> pa.Table:
    """Times counted from the first packet of all: a float of 32 bits holds no epoch nanoseconds."""
    start = numbers(rows, "first_seen_ns").min()
    for name in ("first_seen_ns", "last_seen_ns"):
        if name in rows.schema.names:
            place = rows.schema.get_field_index(name)
            moved = pa.array(numbers(rows, name) - start)
            rows = rows.set_column(place, rows.schema.field(name), moved)
    return rows
