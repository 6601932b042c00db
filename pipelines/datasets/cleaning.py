"""Filters for rows that spoil a dataset: proposed with counts, applied on request, reversible.

Nothing is deleted: filtered rows move to a quarantine table that says why.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from pipelines.datasets.audit_fields import payload_codes
from pipelines.datasets.fields import LABEL, field, is_captured
from pipelines.datasets.groups import Group, group_rows, named
from pipelines.datasets.keys import (
    Codes,
    array_codes,
    combine,
    matrix,
    matrix_codes,
    numbers,
    text_codes,
)
from pipelines.errors import InputError

FilterName = Literal[
    "small_classes",
    "exact_duplicates",
    "label_conflicts",
    "background_protocols",
    "few_packets",
    "other_protocols",
]
Flags = npt.NDArray[np.bool_]
TCP, UDP = 6, 17

# Chatter of the host and its network rather than of what a capture is labelled with (UDP ports).
BACKGROUND_PORTS = {
    "DHCP": (67, 68),
    "NetBIOS": (137, 138),
    "DHCPv6": (546, 547),
    "SSDP": (1900,),
    "mDNS": (5353,),
    "LLMNR": (5355,),
}


class Filter(BaseModel):
    """One proposal. ``rows`` is what it would move when applied alone to all rows."""

    model_config = ConfigDict(extra="forbid")

    name: FilterName
    params: dict[str, Any] = Field(default_factory=dict)
    rows: int = 0
    classes_lost: list[str] = Field(default_factory=list, description="No row of them would stay")
    reason: str = ""
    recommended: bool = Field(default=False, description="Safe: it costs nothing a model could use")


def propose_filters(rows: pa.Table, group: Group = "flow", groups: int = 2) -> list[Filter]:
    """Every filter that would move a row, with its count.

    ``group``: the split group that will be used; ``groups``: the fewest groups that a class needs.
    """
    captured = is_captured(rows.schema)
    proposals = [
        Filter(
            name="small_classes",
            params={"group": group, "groups": groups},
            reason=f"A class with fewer than {groups} {group} groups cannot be split.",
            recommended=True,
        ),
        Filter(
            name="exact_duplicates",
            reason="Payload, lengths and flags repeat an earlier flow of the class. How often a "
            "flow comes back is signal, so they stay unless you say otherwise; the audit counts "
            "those across the split."
            if captured
            else "The same record under the same class adds no knowledge, only weight.",
            recommended=not captured,
        ),
        Filter(
            name="label_conflicts",
            reason="The same features carry different classes: no model can tell them apart. "
            "Real traffic of this kind will still come, so judge before you filter.",
        ),
    ]
    if captured:
        proposals += capture_proposals(rows)
    counted = [count(rows, proposal) for proposal in proposals]
    return [proposal for proposal in counted if proposal.rows]


def capture_proposals(rows: pa.Table) -> list[Filter]:
    """The filters that need packets and ports."""
    proposals = [
        Filter(
            name="background_protocols",
            params={"protocols": list(BACKGROUND_PORTS)},
            reason="Address assignment and name announcements of the host, whatever the class.",
        ),
        Filter(
            name="other_protocols",
            reason="Neither TCP nor UDP: no ports and little payload, mostly ICMP and routing.",
        ),
    ]
    if "bidirectional_packets" in rows.schema.names:
        reason = "One packet says little about behaviour; scans and floods are made of such flows."
        proposals.append(Filter(name="few_packets", params={"packets": 2}, reason=reason))
    return proposals


def count(rows: pa.Table, proposal: Filter) -> Filter:
    """The proposal with how many rows it would move and which classes it would empty."""
    hit = hits(rows, proposal)
    classes, labels = text_codes(rows, "label")
    left = np.bincount(labels[~hit], minlength=len(classes))
    lost = [name for name, kept in zip(classes, left, strict=True) if not kept]
    reason = proposal.reason
    if lost and proposal.name != "small_classes":
        reason += f" It would remove whole classes: {named(lost)}."
    update = {"rows": int(hit.sum()), "classes_lost": lost, "reason": reason}
    return proposal.model_copy(update=update)


def apply_filters(rows: pa.Table, filters: Sequence[Filter]) -> tuple[pa.Table, pa.Table]:
    """Apply filters one after another, each to what those before it kept.

    Returns the rows kept, in order, and the quarantine: the others, in order, with a last column
    ``reason`` that names the filter which moved them.
    """
    moved = np.full(rows.num_rows, -1)
    for number, chosen in enumerate(filters):
        kept = np.flatnonzero(moved < 0)
        hit = hits(rows.take(pa.array(kept)), chosen)
        moved[kept[hit]] = number
    names = pa.array([chosen.name for chosen in filters], pa.string())
    out = np.flatnonzero(moved >= 0)
    quarantined = rows.take(pa.array(out)).append_column(
        field("reason", pa.string(), LABEL), names.take(pa.array(moved[out]))
    )
    return rows.take(pa.array(np.flatnonzero(moved < 0))), quarantined


def hits(rows: pa.Table, chosen: Filter) -> Flags:
    """The rows that a filter moves. Raises InputError if it does not fit these rows."""
    missing = [name for name in NEEDS.get(chosen.name, ()) if name not in rows.schema.names]
    if missing:
        raise InputError(
            f"The filter {chosen.name} needs the column {missing[0]}, which these rows lack.",
            "Leave the filter out, or read captures as flows.",
        )
    return FILTERS[chosen.name](rows, **chosen.params)


def feature_codes(rows: pa.Table) -> Codes:
    """Codes of what a row is without its identifiers: its record, or its first packets."""
    if not is_captured(rows.schema):
        return array_codes(numbers(rows, "flow"))
    return combine(
        payload_codes(rows),
        matrix_codes(matrix(rows, "packet_length")),
        matrix_codes(matrix(rows, "packet_flags")),
        array_codes(numbers(rows, "protocol")),
    )


def small_classes(rows: pa.Table, group: Group = "flow", groups: int = 2) -> Flags:
    """Rows of classes with fewer than ``groups`` groups."""
    grouping = group_rows(rows, group)
    small = [number for number, members in enumerate(grouping.members) if len(members) < groups]
    return np.isin(text_codes(rows, "label")[1], small)


def exact_duplicates(rows: pa.Table) -> Flags:
    """Rows whose class and features an earlier row had."""
    keys = combine(feature_codes(rows), text_codes(rows, "label")[1])
    hit = np.ones(rows.num_rows, bool)
    hit[np.unique(keys, return_index=True)[1]] = False
    return hit


def label_conflicts(rows: pa.Table) -> Flags:
    """Rows whose features another row has under another class."""
    features = feature_codes(rows)
    labels = text_codes(rows, "label")[1]
    pairs = np.unique(np.stack([features, labels]), axis=1)
    values, classes = np.unique(pairs[0], return_counts=True)
    return np.isin(features, values[classes > 1])


def background_protocols(
    rows: pa.Table, protocols: Sequence[str] = tuple(BACKGROUND_PORTS)
) -> Flags:
    """UDP rows with a port of these protocols on either side."""
    ports = [port for name in protocols for port in BACKGROUND_PORTS[name]]
    either = np.isin(numbers(rows, "src_port"), ports) | np.isin(numbers(rows, "dst_port"), ports)
    return np.asarray(either & (numbers(rows, "protocol") == UDP))


def few_packets(rows: pa.Table, packets: int = 2) -> Flags:
    """Flows with fewer than ``packets`` packets."""
    return np.asarray(numbers(rows, "bidirectional_packets") < packets)


def other_protocols(rows: pa.Table) -> Flags:
    """Rows that are neither TCP nor UDP."""
    return ~np.isin(numbers(rows, "protocol"), (TCP, UDP))


NEEDS: dict[FilterName, tuple[str, ...]] = {
    "background_protocols": ("src_port", "dst_port", "protocol"),
    "few_packets": ("bidirectional_packets",),
    "other_protocols": ("protocol",),
}
FILTERS: dict[FilterName, Callable[..., Flags]] = {
    "small_classes": small_classes,
    "exact_duplicates": exact_duplicates,
    "label_conflicts": label_conflicts,
    "background_protocols": background_protocols,
    "few_packets": few_packets,
    "other_protocols": other_protocols,
}
