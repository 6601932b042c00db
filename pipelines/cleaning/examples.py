"""A few rows of a proposal as a person may see them: harmless to look at, identifiers left out.

Examples are for the terminal alone. They never enter the evidence of a planner.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field

from pipelines.cleaning.filters import Proposal
from pipelines.datasets.column_names import group_of_values
from pipelines.datasets.fields import DEFAULT_MASKS, LABEL, SPLIT, group_of, text_kind
from pipelines.datasets.keys import text_codes
from pipelines.visible import visible

EXAMPLES = 5
COLUMNS = 6
WIDTH = 60
# What is never shown: who and when, what hosts are called, and what was said.
HIDDEN = frozenset((*DEFAULT_MASKS, LABEL, SPLIT, "payload", "names", "http", "dns", "banner"))
FLOW_COLUMNS = (
    *("protocol", "bidirectional_packets", "bidirectional_bytes"),
    *("bidirectional_duration_ms", "src2dst_packets", "dst2src_packets"),
)


class Example(BaseModel):
    """One row. Every text of it has passed ``visible``."""

    row: int = Field(description="Its place in the rows, from 0")
    label: str
    detail: str = Field(default="", description="What the filter saw in it")
    values: dict[str, str] = Field(default_factory=dict)


def examples(rows: pa.Table, proposal: Proposal) -> list[Example]:
    """Up to five rows that the filter would move: the worst, or else one of each class first."""
    finding = proposal.finding
    hits = np.flatnonzero(finding.hit)
    if finding.scores is not None:
        order = np.argsort(finding.scores, kind="stable")
    else:
        order = one_of_each(text_codes(rows, "label")[1][hits])
    names = shown(rows.schema, proposal.filter.kind.shows)
    details = finding.details
    return [
        Example(
            row=int(hits[place]),
            label=visible(rows["label"][int(hits[place])].as_py(), WIDTH),
            detail="" if details is None else visible(details[place], 2 * WIDTH),
            values={
                visible(name, WIDTH): text(rows[name][int(hits[place])].as_py()) for name in names
            },
        )
        for place in order[:EXAMPLES].tolist()
    ]


def one_of_each(labels: np.ndarray) -> np.ndarray:
    """An order of rows that takes the first of each class, then the second of each."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    turn = np.arange(len(labels)) - starts
    return np.asarray(order[np.lexsort((labels[order], turn))])


def shown(schema: pa.Schema, wanted: tuple[str, ...]) -> list[str]:
    """The columns that are shown: those wanted, else those that tell most, none that is hidden."""
    names = [column.name for column in schema if may_show(column)]
    preferred = [name for name in (wanted or FLOW_COLUMNS) if name in names]
    return (preferred or names)[:COLUMNS]


def may_show(column: pa.Field) -> bool:
    """Whether a column holds single values that name nobody and quote nothing."""
    plain = pa.types.is_string(column.type) or pa.types.is_floating(column.type)
    plain = plain or pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
    return plain and group_of(column) not in HIDDEN and text_kind(column) is None


def text(value: Any) -> str:
    """A value on one line; numbers with six digits, nothing that is an address or a moment."""
    if isinstance(value, str) and group_of_values([value]) in HIDDEN:
        return "(hidden)"
    return visible(f"{value:g}" if isinstance(value, float) else str(value), WIDTH)
