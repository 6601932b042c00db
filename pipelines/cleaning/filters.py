"""Filters for rows that spoil a dataset: proposed with what they would do, applied on request.

Nothing is deleted: rows that a filter moves go to a quarantine that says why and from where.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipelines.cleaning.effect import Effect, measure_effect
from pipelines.cleaning.kinds import Finding, Kind, Pool
from pipelines.cleaning.quarantine import quarantined
from pipelines.cleaning.registry import KINDS
from pipelines.datasets.groups import named
from pipelines.datasets.keys import text_codes
from pipelines.errors import InputError


class Filter(BaseModel):
    """One filter with its parameters and, if proposed, what it would do alone to all rows.

    It holds counts, shares and netloop's own words; what single rows look like is told by
    ``examples``, which no planner sees.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    params: dict[str, Any] = Field(default_factory=dict)
    rows: int = 0
    share: float = Field(default=0, description="Of all rows")
    classes: dict[str, float] = Field(
        default_factory=dict, description="Class -> share of its rows; those it would not touch out"
    )
    classes_lost: list[str] = Field(default_factory=list, description="No row of them would stay")
    precision: float | None = Field(
        default=None, description="Estimated share of these rows that is rightly moved"
    )
    effect: Effect | None = Field(default=None, description="Measured if a thorough look was taken")
    reason: str = ""
    recommended: bool = Field(default=False, description="Safe: it costs nothing a model could use")

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.name not in KINDS:
            raise ValueError(f"no filter is called {self.name!r}")
        self.params = KINDS[self.name].params.model_validate(self.params).model_dump(mode="json")
        return self

    @property
    def kind(self) -> Kind[Any]:
        """What kind of filter it is."""
        return KINDS[self.name]


@dataclass(frozen=True)
class Proposal:
    """A filter that would move rows, and those that it would move."""

    filter: Filter
    finding: Finding


def propose_filters(pool: Pool, thorough: bool = False) -> list[Proposal]:
    """Every filter that would move a row.

    ``thorough``: also those that take minutes, and what each does to a model's score.
    """
    proposals = []
    for kind in KINDS.values():
        if not kind.fits(pool.rows) or not kind.proposed(pool):
            continue
        if kind.slow(pool) and not thorough:
            continue
        chosen = Filter(
            name=kind.name,
            params=kind.defaults(pool),
            reason=kind.reason,
            recommended=kind.recommended(pool),
        )
        finding = find(pool, chosen)
        if finding.hit.any():
            proposals.append(Proposal(described(pool, chosen, finding, thorough), finding))
    return proposals


def not_tried(pool: Pool) -> list[str]:
    """The filters that only a thorough look would try on these rows."""
    return [
        kind.name
        for kind in KINDS.values()
        if kind.fits(pool.rows) and kind.proposed(pool) and kind.slow(pool)
    ]


def choose(pool: Pool, name: str, params: Mapping[str, Any]) -> Filter:
    """The filter of that name with these parameters, the others as they would be proposed.

    Raises InputError for a name or a parameter that does not exist, or a value that is refused.
    """
    if name not in KINDS:
        raise InputError(f"No filter is called {name!r}.", f"They are: {', '.join(KINDS)}.")
    kind = KINDS[name]
    check_fit(kind, pool.rows)
    try:
        return Filter(name=name, params={**kind.defaults(pool), **params})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or name
        takes = ", ".join(kind.params.model_fields) or "none"
        raise InputError(
            f"The filter {name}: {place}: {first['msg'].lower()}.", f"Its parameters: {takes}."
        ) from error


def find(pool: Pool, chosen: Filter) -> Finding:
    """The rows that a filter moves. Raises InputError if it does not fit these rows."""
    kind = chosen.kind
    check_fit(kind, pool.rows)
    return kind.find(pool, kind.params.model_validate(chosen.params))


def check_fit(kind: Kind[Any], rows: pa.Table) -> None:
    """Raise InputError if the rows lack a column that the filter needs."""
    missing = [name for name in kind.needs if name not in rows.schema.names]
    if missing:
        raise InputError(
            f"The filter {kind.name} needs the column {missing[0]}, which these rows lack.",
            "Leave the filter out, or read captures as flows.",
        )


def described(pool: Pool, chosen: Filter, finding: Finding, thorough: bool) -> Filter:
    """The filter with how many rows it would move, of which classes, and to what effect."""
    hit = finding.hit
    classes, labels = text_codes(pool.rows, "label")
    sizes = np.bincount(labels, minlength=len(classes))
    moved = np.bincount(labels[hit], minlength=len(classes))
    lost = [classes[place] for place in np.flatnonzero(moved == sizes)]
    reason = " ".join(part for part in (chosen.reason, finding.evidence) if part)
    if lost and chosen.name != "small_classes":
        reason += f" It would remove whole classes: {named(lost)}."
    return chosen.model_copy(
        update={
            "rows": int(hit.sum()),
            "share": round(float(hit.mean()), 4),
            "classes": {
                classes[place]: round(float(moved[place] / sizes[place]), 4)
                for place in np.flatnonzero(moved)
            },
            "classes_lost": lost,
            "precision": None if finding.precision is None else round(finding.precision, 3),
            "effect": measure_effect(pool, hit) if thorough else None,
            "reason": reason,
        }
    )


def apply_filters(pool: Pool, filters: Sequence[Filter]) -> tuple[pa.Table, pa.Table]:
    """Apply filters one after another, each to what those before it kept.

    Returns the rows kept, in order, and the quarantine: the others, in order, with where they were
    and why they went (``pipelines.cleaning.quarantine``).
    """
    size = pool.rows.num_rows
    moved = np.full(size, -1)
    details = np.full(size, "", object)
    scores = np.full(size, np.nan)
    for number, chosen in enumerate(filters):
        kept = np.flatnonzero(moved < 0)
        if not len(kept):
            break
        found = find(pool.kept(kept), chosen)
        out = kept[found.hit]
        moved[out] = number
        if found.details is not None:
            details[out] = found.details
        if found.scores is not None:
            scores[out] = found.scores
    places = np.flatnonzero(moved >= 0)
    reasons = [filters[number].name for number in moved[places]]
    away = quarantined(pool.rows, places, reasons, details[places].tolist(), scores[places])
    return pool.rows.take(pa.array(np.flatnonzero(moved < 0))), away
