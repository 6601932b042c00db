"""Tools of the cleaning stage: filters with a quarantine."""

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pipelines.datasets.fields import is_captured
from pipelines.errors import InputError
from pipelines.store.files import canonical_json, write_atomic
from tools.requirements import count_classes, no_cost
from tools.spec import Estimate, Params, ToolContext, ToolResult, ToolSpec

if TYPE_CHECKING:
    from pipelines.cleaning.filters import Filter
    from pipelines.cleaning.kinds import Pool

EXAMPLES = "examples.json"
# What takes a model to find, so that its price is that of a thorough look.
BY_MODELS = frozenset({"label_errors"})


class FilterParams(Params):
    group: Literal["flow", "capture", "host", "day", "site"] = Field(
        default="flow", description="The split group that a class must have at least two of"
    )


class ProposeParams(FilterParams):
    thorough: bool = Field(
        default=False,
        description="Also filters that take models, and what each filter does to a model's score",
    )


class FilterChoice(Params):
    name: str = Field(description="A name from propose_filters")
    params: dict[str, Any] = Field(
        default_factory=dict, description="Parameters that differ from those proposed"
    )


class CleanParams(FilterParams):
    filters: list[str | FilterChoice] = Field(
        default_factory=list, description="Names from propose_filters, or name and params"
    )

    def choices(self) -> list[FilterChoice]:
        """The filters in their order, each as name and parameters."""
        return [FilterChoice(name=one) if isinstance(one, str) else one for one in self.filters]


def _propose(params: ProposeParams, context: ToolContext) -> ToolResult:
    from pipelines.cleaning.examples import examples
    from pipelines.cleaning.filters import not_tried, propose_filters
    from pipelines.cleaning.recent import days_spanned

    pool = _pool(params, context)
    proposals = propose_filters(pool, params.thorough)
    shown = {
        found.filter.name: [one.model_dump(mode="json") for one in examples(pool.rows, found)]
        for found in proposals
    }
    digest = context.store.make(
        lambda folder: write_atomic(folder / EXAMPLES, canonical_json(shown))
    )
    numbers = {
        "filters": [found.filter.model_dump(mode="json") for found in proposals],
        "not_tried": [] if params.thorough else not_tried(pool),
        **_layout(pool.rows),
        "days": days_spanned(pool.rows),
    }
    # rows are for a person's eyes: they lie in an artefact, not in numbers that planners see
    artifacts = {"filter_examples": digest}
    work = pool.rows.num_rows if params.thorough else 0
    return ToolResult(artifacts=artifacts, numbers=numbers, work=work)


def _pool(params: FilterParams, context: ToolContext) -> "Pool":
    """The imported rows with the health of their captures."""
    from pipelines.cleaning.kinds import Pool
    from pipelines.store.rows import read_rows

    folder = context.artifact("rows")
    health = folder / "health.json"
    return Pool(
        rows=read_rows(folder),
        health=json.loads(health.read_text()) if health.is_file() else (),
        group=params.group,
        seed=context.seed,
        progress=context.progress,
    )


def _layout(rows: Any) -> dict[str, Any]:
    """Whether the rows came from captures, and from how many at least in each class."""
    if not is_captured(rows.schema):
        return {"kind": "table", "captures_per_class": 0}
    pairs = rows.select(["label", "capture"]).group_by(["label", "capture"]).aggregate([])
    return {"kind": "captures", "captures_per_class": min(count_classes(pairs).values())}


def _clean(params: CleanParams, context: ToolContext) -> ToolResult:
    from pipelines.cleaning.filters import apply_filters, choose
    from pipelines.store.rows import write_rows

    pool = _pool(params, context)
    filters = [choose(pool, one.name, one.params) for one in params.choices()]
    kept, quarantined = apply_filters(pool, filters)
    if not kept.num_rows:
        raise InputError(
            "clean_rows: these filters would move every row.", "Leave out the widest of them."
        )
    numbers = {
        "rows": kept.num_rows,
        "quarantined": quarantined.num_rows,
        "moved": _moved(filters, quarantined),
        "classes": count_classes(kept),
    }
    artifacts = {
        "clean_rows": context.store.make(lambda folder: write_rows(folder, kept)),
        "quarantine": context.store.make(lambda folder: write_rows(folder, quarantined)),
    }
    work = 0 if _by_models(params) else pool.rows.num_rows
    return ToolResult(artifacts=artifacts, numbers=numbers, work=work)


def _moved(filters: "list[Filter]", quarantined: Any) -> dict[str, int]:
    """How many rows each filter moved, in the order in which they were applied."""
    from pipelines.cleaning.quarantine import REASON

    counts = quarantined[REASON].value_counts().to_pylist()
    found = {item["values"]: item["counts"] for item in counts}
    return {chosen.name: found.get(chosen.name, 0) for chosen in filters}


def _by_models(params: CleanParams) -> bool:
    return any(one.name in BY_MODELS for one in params.choices())


def by_rows(tool: str) -> Any:
    """An estimate that grows with the rows of the run."""
    return lambda params, context: _price(tool, context)


def _price(tool: str, context: ToolContext) -> Estimate:
    rows = context.rows() or 0
    minutes = context.rates.minutes(tool, rows)
    return Estimate(rows=rows or None, minutes=minutes, memory_mb=50 + rows // 500)


def _estimate_propose(params: ProposeParams, context: ToolContext) -> Estimate:
    return _price("propose_filters", context) if params.thorough else no_cost(params, context)


def _estimate_clean(params: CleanParams, context: ToolContext) -> Estimate:
    # judging labels is what takes a thorough look its time
    return _price("propose_filters" if _by_models(params) else "clean_rows", context)


PROPOSE_FILTERS = ToolSpec(
    name="propose_filters",
    summary="Find rows that could be set aside, with counts and reasons",
    params=ProposeParams,
    risk="read",
    run=_propose,
    estimate=_estimate_propose,
    needs=("rows",),
    makes=("filter_examples",),
    version=4,
)
CLEAN_ROWS = ToolSpec(
    name="clean_rows",
    summary="Move the rows of chosen filters to a quarantine, each with its reason",
    params=CleanParams,
    risk="write",
    run=_clean,
    estimate=_estimate_clean,
    needs=("rows",),
    makes=("clean_rows", "quarantine"),
    version=3,
)
