"""Rows of captures that are broken: damaged on disk, cut by the capturing program, out of time."""

from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipelines.cleaning.kinds import FilterParams, Finding, Kind, Pool, of_captures
from pipelines.datasets.keys import numbers, text_codes

DAY_NS = 86_400_000_000_000
SHOWN = ("protocol", "bidirectional_packets", "bidirectional_bytes")


class BrokenCaptures(FilterParams):
    """What makes a capture broken."""

    corrupt: int = Field(default=1, ge=1, description="Corrupt records, at least")
    truncated: float = Field(default=0.5, gt=0, le=1, description="Share of truncated packets")
    skipped: float = Field(default=0.5, gt=0, le=1, description="Share of packets without IP")
    jump_days: float = Field(default=7, gt=0, description="Days without any flow: the clock jumped")


def faults_of(record: dict[str, Any], params: BrokenCaptures) -> list[str]:
    """What a health record has against its capture."""
    packets = max(record["packets"], 1)
    skipped = sum(record["skipped"].values())
    faults = []
    if record["corrupt"] >= params.corrupt:
        faults.append(f"corrupt records: {record['corrupt']}")
    if record["truncated"] >= params.truncated * packets:
        faults.append(f"truncated packets: {record['truncated'] / packets:.0%}")
    if skipped > params.skipped * packets:
        faults.append(f"packets without IP: {skipped / packets:.0%}")
    return faults


def clock_jumps(rows: pa.Table, days: float) -> dict[str, float]:
    """The captures in which flows begin more than ``days`` apart, and how many days apart."""
    names, of_row = text_codes(rows, "capture")
    times = numbers(rows, "first_seen_ns")
    order = np.lexsort((times, of_row))
    same = np.diff(of_row[order]) == 0
    silence = np.where(same, np.diff(times[order]) / DAY_NS, 0)
    longest = np.zeros(len(names))
    np.maximum.at(longest, of_row[order][1:], silence)
    return {names[place]: float(longest[place]) for place in np.flatnonzero(longest > days)}


def _find(pool: Pool, params: BrokenCaptures) -> Finding:
    faults = {record["file"]: faults_of(record, params) for record in pool.health}
    for name, days in clock_jumps(pool.rows, params.jump_days).items():
        faults.setdefault(name, []).append(f"clock jump: {days:,.0f} days")
    names, of_row = text_codes(pool.rows, "capture")
    told = ["; ".join(faults.get(name, [])) for name in names]
    broken = np.array([bool(text) for text in told], bool)
    hit = broken[of_row] if len(names) else np.zeros(0, bool)
    details = [told[capture] for capture in of_row[hit]]
    return Finding(hit, details, evidence=f"{broken.sum():,} of {len(names):,} captures are.")


BROKEN_CAPTURES = Kind(
    name="broken_captures",
    params=BrokenCaptures,
    find=_find,
    reason="Rows of captures that are damaged, cut short packet by packet, mostly not IP, or whose "
    "clock jumped: what they lack is no behaviour.",
    needs=("capture", "first_seen_ns"),
    shows=SHOWN,
    proposed=of_captures,
)
