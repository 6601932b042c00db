"""Tools of the cleaning stage: filters with a quarantine, a proven split, the shortcut audit."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pipelines.datasets.fields import DEFAULT_MASKS, check_masks, is_captured
from pipelines.errors import InputError
from pipelines.store.files import canonical_json, write_atomic
from tools.requirements import count_classes, no_cost
from tools.spec import Estimate, Params, ToolContext, ToolResult, ToolSpec

if TYPE_CHECKING:
    from pipelines.datasets.cleaning import Filter

# The worst ones are evidence enough; the artefact holds them all.
MOST_REPLAYS = 20


class FilterParams(Params):
    group: Literal["flow", "capture"] = Field(
        default="flow", description="The split group that a class must have at least two of"
    )


class CleanParams(FilterParams):
    filters: list[str] = Field(default_factory=list, description="Names from propose_filters")


class SplitParams(Params):
    by: Literal["time", "capture", "flow", "row", "fixed"] = Field(
        description="What is held out; fixed: the rows of a test source"
    )
    test: float = Field(default=0.5, gt=0, lt=1, description="Share of each class's groups")
    validation: float = Field(
        default=0.2, gt=0, lt=1, description="Share of each class's train groups"
    )


class AuditParams(Params):
    masks: list[str] = Field(
        default_factory=lambda: list(DEFAULT_MASKS), description="Field groups hidden from models"
    )


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


def _split(params: SplitParams, context: ToolContext) -> ToolResult:
    from pipelines.datasets.fixed_split import fixed_split
    from pipelines.datasets.splits import make_split
    from pipelines.store.rows import read_rows, write_rows

    rows = read_rows(context.artifact("clean_rows"))
    artifacts = {}
    if params.by == "fixed":
        if "test_rows" not in context.inputs:
            raise InputError(
                "split_rows: by fixed needs rows of a test source.", "Set data.test in the spec."
            )
        rows, split = fixed_split(
            rows, read_rows(context.artifact("test_rows")), params.validation, context.seed
        )
    else:
        split = make_split(rows, params.by, params.test, params.validation, context.seed)
    artifacts["split_rows"] = context.store.make(lambda folder: write_rows(folder, rows))
    artifacts["split"] = context.store.make(split.save)
    manifest = split.manifest()
    numbers = {
        "by": manifest["by"],
        "group": manifest["group"],
        "sizes": {side: _side_size(manifest, side) for side in manifest["sizes"]},
        "groups": manifest["proof"]["checked"],
        "groups_on_two_sides": manifest["proof"]["groups_on_two_sides"],
        "warnings": split.warnings,
    }
    return ToolResult(artifacts=artifacts, numbers=numbers, work=rows.num_rows)


def _side_size(manifest: dict[str, Any], side: str) -> dict[str, Any]:
    classes = {name: size["rows"] for name, size in manifest["sizes"][side].items()}
    return {
        "rows": sum(classes.values()),
        "groups": len(manifest["groups"][side]),
        "classes": classes,
    }


def _audit(params: AuditParams, context: ToolContext) -> ToolResult:
    from pipelines.datasets.audit import audit
    from pipelines.datasets.split_manifest import Split
    from pipelines.store.rows import read_rows

    rows = read_rows(context.artifact("split_rows"))
    split = Split.load(context.artifact("split"))
    found = audit(rows, split, check_masks(params.masks), context.progress)
    values = found.model_dump(mode="json")
    digest = context.store.make(
        lambda folder: write_atomic(folder / "audit.json", canonical_json(values))
    )
    numbers = {**values, "replays": values["replays"][:MOST_REPLAYS]}
    return ToolResult(artifacts={"audit": digest}, numbers=numbers, work=rows.num_rows)


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
SPLIT_ROWS = ToolSpec(
    name="split_rows",
    summary="Put every split group on one side, and prove that none is on two",
    params=SplitParams,
    risk="write",
    run=_split,
    estimate=by_rows("split_rows"),
    needs=("clean_rows", "test_rows?"),
    makes=("split_rows", "split"),
)
AUDIT_SHORTCUTS = ToolSpec(
    name="audit_shortcuts",
    summary="Measure how far single fields alone predict the label, and what repeats across sides",
    params=AuditParams,
    risk="read",
    run=_audit,
    estimate=by_rows("audit_shortcuts"),
    needs=("split_rows", "split"),
    makes=("audit",),
)
