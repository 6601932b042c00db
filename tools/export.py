"""The tool that writes captures down as other tools' flow columns."""

from io import BufferedWriter
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from pydantic import Field

from pipelines.errors import InputError
from tools.spec import Estimate, Params, ToolContext, ToolResult, ToolSpec

if TYPE_CHECKING:
    from pipelines.profiles.export import Export


class ExportParams(Params):
    source: str = Field(
        description="A capture, a folder of captures, a named pipe, or - for standard input"
    )
    profile: str = Field(default="nfstream", description="Whose columns to write")
    out: str | None = Field(
        default=None, description="A file that does not exist yet; standard output if left out"
    )
    format: Literal["csv", "parquet", "jsonl", "tsv"] = "csv"
    label: str | None = Field(
        default=None, description="file, folder or a labels.csv; no class column if left out"
    )
    masks: list[str] = Field(
        default_factory=list, description="Field groups whose columns are left out"
    )
    idle_seconds: float = Field(
        default=120, gt=0, le=1e9, description="A longer silence ends a flow"
    )
    active_seconds: float = Field(default=1800, gt=0, le=1e9, description="A longer flow is cut")


def _export(params: ExportParams, context: ToolContext) -> ToolResult:
    from pipelines.profiles.writers import TextFile
    from pipelines.store.files import ORDINARY, atomic_file

    if params.out is None:
        if params.format == "parquet":
            raise InputError("Parquet cannot go to a terminal or a pipe.", "Name a file: --out.")
        with BufferedWriter(TextFile(context.emit)) as lines:
            done = _write(params, lines, context)
    else:
        out = Path(params.out)
        if out.exists():
            raise InputError(f"{out} is there already.", "Name a file that does not exist yet.")
        try:
            with atomic_file(out, mode=ORDINARY) as file:
                done = _write(params, file, context)
        except OSError as error:
            raise InputError(
                f"{out} cannot be written: {error.strerror}.", "Name another place."
            ) from error
    numbers = {
        "profile": params.profile,
        "rows": done.rows,
        "columns": done.columns,
        "captures": len(done.health),
        "identifies": done.identifies,
        "warnings": done.warnings,
        "health": [record.to_json() for record in done.health],
    }
    return ToolResult(numbers=numbers, work=float(sum(record.bytes for record in done.health)))


def _write(params: ExportParams, file: BinaryIO, context: ToolContext) -> "Export":
    from pipelines.capture import FlowSettings
    from pipelines.datasets.fields import check_masks
    from pipelines.profiles.export import export_source
    from pipelines.profiles.registry import find_profile

    return export_source(
        Path(params.source),
        find_profile(params.profile),
        params.format,
        file,
        label=params.label,
        masks=check_masks(params.masks),
        settings=FlowSettings(
            idle_seconds=params.idle_seconds, active_seconds=params.active_seconds
        ),
        stop=context.stop,
        progress=context.progress,
    )


def _estimate(params: ExportParams, context: ToolContext) -> Estimate:
    path = Path(params.source)
    size = path.stat().st_size if path.is_file() else 0
    return Estimate(minutes=context.rates.minutes("export_flows", size), memory_mb=300)


EXPORT_FLOWS = ToolSpec(
    name="export_flows",
    summary="Write the flows of captures as columns of NFStream, Zeek, IPFIX, nPrint or CIC",
    params=ExportParams,
    risk="write",
    run=_export,
    estimate=_estimate,
    repeatable=False,
)
