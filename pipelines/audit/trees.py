"""A small tree on each field group: shortcuts that need a threshold, or two fields together."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field

from pipelines.audit.chance import HeldOut, judge
from pipelines.audit.lookup import FieldAudit, field_audit
from pipelines.datasets.fields import DEFAULT_MASKS, LABEL, SPLIT, groups_of
from pipelines.datasets.keys import Codes, numbers
from pipelines.represent.features import FeatureEncoder

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeClassifier

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
    """The field groups of the columns that could be features, in schema order; a derived column
    counts in all groups that it was made of."""
    groups = dict.fromkeys(group for column in schema for group in groups_of(column))
    return [group for group in groups if group not in (LABEL, SPLIT)]


def audit_group(
    group: str, rows: pa.Table, side: HeldOut, masks: Sequence[str], fields: Sequence[FieldAudit]
) -> tuple[GroupAudit, list[FieldAudit]]:
    """Grow a tree on the columns of ``group`` and set the group's best look-up beside it.

    ``fields``: all look-ups; those that touch other groups too are left out. Behaviour that a tree
    sees through and no look-up does is asked for one field that is enough by thresholds: a number
    that is never twice the same, one byte, one gap. It comes as a row of its own.
    """
    grown = _grow(group, rows, side)
    found = judge(grown.guesses(side.test), side)
    own = [row for row in fields if row.groups == [group]]
    identifier = group in DEFAULT_MASKS
    more: list[FieldAudit] = []
    if not identifier and found.verdict == "shortcut" and not _tells(own):
        more = [_by_thresholds(grown, group, rows, side, masks)]
        own += more
    best = max(own, key=lambda row: (row.gain, row.accuracy), default=None)
    verdict: GroupVerdict = found.verdict
    if verdict == "shortcut" and not identifier:
        verdict = "strong"
    audited = GroupAudit(
        group=group,
        identifier=identifier,
        masked=group in masks,
        field=best.name if best else None,
        field_accuracy=best.accuracy if best else None,
        tree_accuracy=found.accuracy,
        tree_macro_f1=found.macro_f1,
        majority=found.majority,
        chance=min([found.chance, *(row.chance for row in own)]),
        verdict="shortcut" if _tells(own) else verdict,
    )
    return audited, more


def _tells(fields: Sequence[FieldAudit]) -> bool:
    return any(row.verdict == "shortcut" for row in fields)


@dataclass(frozen=True)
class Grown:
    """A tree on some features of some rows."""

    rows: pa.Table
    encoder: FeatureEncoder
    features: slice
    tree: "DecisionTreeClassifier"

    def guesses(self, asked: Codes) -> Codes:
        """The class codes of the asked rows, some rows at a time: bytes become floats."""
        parts = [asked[start : start + MOST_ROWS] for start in range(0, len(asked), MOST_ROWS)]
        return np.concatenate([self.tree.predict(self._encoded(part)) for part in parts])

    def grow(self, known: Codes, labels: Codes) -> Self:
        """Fit the tree on rows ``known``, whose class codes are ``labels``."""
        with warnings.catch_warnings():  # few rows of many classes are classes all the same
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            self.tree.fit(self._encoded(known), labels)
        return self

    def _encoded(self, places: Codes) -> np.ndarray:
        encoded = self.encoder.transform(self.rows.take(pa.array(places)))
        return np.asarray(encoded[:, self.features])


def _grow(group: str, rows: pa.Table, side: HeldOut) -> Grown:
    rows = _with_small_times(rows) if group == "time" else rows
    rows = rows.select([column.name for column in rows.schema if group in groups_of(column)])
    known = _sample(side.known)
    encoder = FeatureEncoder.fit(rows.take(pa.array(known)), ())
    return Grown(rows, encoder, slice(None), _new_tree()).grow(known, side.labels[known])


def _new_tree() -> "DecisionTreeClassifier":
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(
        max_depth=DEPTH, min_samples_leaf=FEWEST_ROWS_A_LEAF, random_state=0
    )


def _by_thresholds(
    grown: Grown, group: str, rows: pa.Table, side: HeldOut, masks: Sequence[str]
) -> FieldAudit:
    """A tree on that field of the group which the tree on all of them leaned on most."""
    weights = grown.tree.feature_importances_
    fields = zip(_field_names(grown.encoder), grown.encoder.fields(), strict=True)
    name, chosen = max(fields, key=lambda field: float(weights[field[1]].sum()))
    known = _sample(side.known)
    alone = Grown(grown.rows, grown.encoder, chosen, _new_tree()).grow(known, side.labels[known])
    return field_audit(
        f"{name} by thresholds",
        (group,),
        judge(alone.guesses(side.test), side),
        masks,
        values=int(alone.tree.get_n_leaves()),
    )


def _field_names(encoder: FeatureEncoder) -> Iterator[str]:
    """A number's or a byte's own name; that of the column for the features of a text."""
    for column in encoder.columns:
        names = iter(column.names())
        for width in column.widths():
            own = list(islice(names, width))
            yield own[0] if width == 1 else column.column


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
