"""Tools of the cleaning stage: filters with a quarantine."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pipelines.datasets.fields import is_captured
from pipelines.errors import InputError
from tools.requirements import count_classes, no_cost
from tools.spec import Estimate, Params, ToolContext, ToolResult, ToolSpec

if TYPE_CHECKING:
    from pipelines.datasets.cleaning import Filter


class FilterParams(Params):
    group: Literal["flow", "capture", "host", "day", "site"] = Field(
        default="flow", description="The split group that a class must have at least two of"
    )


class CleanParams(FilterParams):
    filters: list[str] = Field(default_factory=list, description="Names from propose_filters")


def _propose(params: FilterParams, context: ToolContext) -> ToolResult:
    from pipelines.datasets.cleaning import propose_filters
    from pipelines.store.rows import read_rows

    rows = read_rows(context.artifact("rows"))
    filters = [found.model_dump(mode="json") for found in propose_filters(rows, params.group)]
    return ToolResult(numbers={"filters": filters, **_layout(rows)})


def _layout(rows: Any) -> dict[str, Any]:
    """Whether the rows came from captures, and from how many at least in each class."""
    if not is_captured(rows.schema):
        return {"kind": "table", "captures_per_class": 0}
    pairs = rows.select(["label", "capture"]).group_by(["label", "capture"]).aggregate([])
    return {"kind": "captures", "captures_per_class": min(count_classes(pairs).values())}


def _clean(params: CleanParams, context: ToolContext) -> ToolResult:
    from pipelines.datasets.cleaning import apply_filters, propose_filters
    from pipelines.store.rows import read_rows, write_rows

    rows = read_rows(context.artifact("rows"))
    offered: dict[str, Filter] = {
        found.name: found for found in propose_filters(rows, params.group)
    }
    if unknown := [name for name in params.filters if name not in offered]:
        raise InputError(
            f"clean_rows: no filter is called {unknown[0]!r}.",
            f"Offered: {', '.join(offered) or 'none'}.",
        )
    kept, quarantined = apply_filters(rows, [offered[name] for name in params.filters])
    numbers = {
        "rows": kept.num_rows,
        "quarantined": quarantined.num_rows,
        "classes": count_classes(kept),
    }
    artifacts = {
        "clean_rows": context.store.make(lambda folder: write_rows(folder, kept)),
        "quarantine": context.store.make(lambda folder: write_rows(folder, quarantined)),
    }
    return ToolResult(artifacts=artifacts, numbers=numbers, work=rows.num_rows)


def by_rows(tool: str) -> Any:
    """An estimate that grows with the rows of the run."""

    def estimate(params: Params, context: ToolContext) -> Estimate:
        rows = context.rows() or 0
        minutes = context.rates.minutes(tool, rows)
        return Estimate(rows=rows or None, minutes=minutes, memory_mb=50 + rows // 500)

    return estimate


PROPOSE_FILTERS = ToolSpec(
    name="propose_filters",
    summary="Find rows that could be set aside, with counts and reasons",
    params=FilterParams,
    risk="read",
    run=_propose,
    estimate=no_cost,
    needs=("rows",),
)
CLEAN_ROWS = ToolSpec(
    name="clean_rows",
    summary="Move the rows of chosen filters to a quarantine, each with its reason",
    params=CleanParams,
    risk="write",
    run=_clean,
    estimate=by_rows("clean_rows"),
    needs=("rows",),
    makes=("clean_rows", "quarantine"),
)
