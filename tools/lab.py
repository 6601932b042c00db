"""The tool that makes labelled synthetic captures, for a machine without data."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from tools.spec import Estimate, Params, ToolContext, ToolResult, ToolSpec


class LabParams(Params):
    out: str = Field(description="A folder that does not exist yet or is empty")
    size: Literal["tiny", "small", "large"] = "small"


def _make(params: LabParams, context: ToolContext) -> ToolResult:
    from pipelines.lab.lab import make_lab

    report = make_lab(
        Path(params.out), seed=context.seed, size=params.size, progress=context.progress
    )
    numbers = {
        "captures": report.captures,
        "packets": report.packets,
        "classes": report.conversations,
    }
    return ToolResult(numbers=numbers, work=1.0)


def _estimate(params: LabParams, context: ToolContext) -> Estimate:
    return Estimate(minutes=context.rates.minutes("make_lab", 1.0), memory_mb=100)


MAKE_LAB = ToolSpec(
    name="make_lab",
    summary="Make deterministic labelled captures (synthetic traffic) to try netloop on",
    params=LabParams,
    risk="write",
    run=_make,
    estimate=_estimate,
    repeatable=False,
)
