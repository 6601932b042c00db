"""Tools that prove a dataset: a split with no group on two sides, and the shortcut audit."""

from typing import Any, Literal

from pydantic import Field

from pipelines.datasets.fields import DEFAULT_MASKS, check_masks
from pipelines.errors import InputError
from pipelines.store.files import canonical_json, write_atomic
from tools.cleaning import by_rows
from tools.spec import Params, ToolContext, ToolResult, ToolSpec

# The worst ones are evidence enough; the artefact holds them all.
MOST_REPLAYS = 20


class SplitParams(Params):
    by: Literal["time", "capture", "flow", "row", "host", "day", "site", "fixed"] = Field(
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
    from pipelines.audit.audit import audit
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
    summary="Look for what gives the label away: single fields, field groups, copies, hosts, order",
    params=AuditParams,
    risk="read",
    run=_audit,
    estimate=by_rows("audit_shortcuts"),
    needs=("split_rows", "split"),
    makes=("audit",),
    version=3,
)
