"""Tools of the requirements stage: look at the source, record what is wanted, import the rows."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from pipelines.errors import InputError
from pipelines.store.files import canonical_json, write_atomic
from tools.spec import Estimate, Params, ToolContext, ToolResult, ToolSpec

if TYPE_CHECKING:
    from pipelines.datasets.description import ColumnMap, SourceDescription

MEGABYTE = 1 << 20
# Measured with benchmarks/capture.py --big and with the public tables: reading captures takes the
# same whatever their size, a worker's process brings its own, a table is in memory as a whole.
CAPTURES_MB = 160
WORKER_MB = 240
TABLE_MB = 60
# How much longer a compressed table is than its file: 4 to 35 times in the public sets.
PACKED = 15


class InspectParams(Params):
    source: str = Field(description="A folder of captures, one capture, or a table")
    label: str | None = Field(default=None, description="file, folder, a column, or a labels.csv")
    columns: dict[str, Any] | None = Field(default=None, description="Column map of a table")


TaskCode = Literal["MTD", "BND", "MDD", "WAD", "AAD", "EVD", "TBD", "EAC", "WF", "CD"]
# How much of the data a planner's prompt may hold, from least to most.
Sees = Literal["schema", "stats", "redacted", "raw"]
Place = Literal["laptop", "server", "gateway", "cluster"]


class RecordParams(Params):
    metric: Literal["macro_f1", "accuracy"] = "macro_f1"
    target: float | None = Field(
        default=None, ge=0, le=1, description="What the chosen model must reach"
    )
    max_false_positive_rate: float | None = Field(
        None, ge=0, le=1, description="At a recall of 0.9"
    )
    benign: list[str] = Field(default_factory=list, description="Classes with nothing to report")
    task: TaskCode | None = Field(default=None, description="The kind of detection")
    classes: list[str] = Field(default_factory=list, description="Classes told apart, if known")
    max_latency_ms: float | None = Field(
        default=None, gt=0, description="Longest time that a verdict on one row may take"
    )
    runs_on: Place | None = Field(default=None, description="Where the detector will run")
    llm_sees: Sees = Field(
        default="stats",
        description="How much of the data a planner's prompt may hold; the spec's, or less",
    )


class ImportParams(InspectParams):
    name: Literal["rows", "test_rows"] = Field(default="rows", description="What to call the rows")
    label: str = Field(description="file, folder, a column, or a labels.csv")
    granularity: Literal["flow", "packet"] = "flow"
    idle_seconds: float = Field(default=120, gt=0, description="A longer silence ends a flow")
    active_seconds: float = Field(default=1800, gt=0, description="A longer flow is cut")
    first_packets: int = Field(
        default=16, ge=1, le=256, description="Packets of a flow kept one by one"
    )
    payload_packets: int = Field(
        default=4, ge=1, le=64, description="Packets whose payload is kept"
    )
    payload_bytes: int = Field(default=64, ge=1, le=1500, description="Payload bytes kept of each")
    decode_tunnels: bool = Field(
        default=True, description="A packet in a tunnel is the innermost IP packet"
    )
    protocols: bool = Field(
        default=False, description="Columns of what TLS, QUIC, HTTP, DNS, SSH and SMTP say"
    )


def _describe(params: InspectParams) -> "SourceDescription":
    from pipelines.datasets.sources import describe_source

    return describe_source(Path(params.source), params.label, _column_map(params))


def _column_map(params: InspectParams) -> "ColumnMap":
    from pipelines.datasets.description import ColumnMap

    try:
        return ColumnMap.model_validate(params.columns or {})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in ("columns", *first["loc"]))
        raise InputError(f"{place}: {first['msg'].lower()}.") from error


def _files(params: InspectParams) -> list[Path]:
    """Every file that the import reads: the captures or the table, and the labels.csv."""
    from pipelines.datasets.sources import source_files

    return source_files(Path(params.source), params.label, _column_map(params))


def _inspect(params: InspectParams, context: ToolContext) -> ToolResult:
    return ToolResult(numbers=_describe(params).model_dump(mode="json"))


def _record(params: RecordParams, context: ToolContext) -> ToolResult:
    values = params.model_dump(mode="json")
    digest = context.store.make(
        lambda folder: write_atomic(folder / "requirements.json", canonical_json(values))
    )
    return ToolResult(artifacts={"requirements": digest}, numbers=values)


def _import(params: ImportParams, context: ToolContext) -> ToolResult:
    from pipelines.capture import FlowSettings
    from pipelines.datasets.capture_rows import Reading
    from pipelines.datasets.sources import open_source
    from pipelines.store.rows import write_tables

    settings = FlowSettings(
        idle_seconds=params.idle_seconds,
        active_seconds=params.active_seconds,
        first_packets=params.first_packets,
        payload_packets=params.payload_packets,
        payload_bytes=params.payload_bytes,
        decode_tunnels=params.decode_tunnels,
        protocols=params.protocols,
    )
    opened = open_source(
        Path(params.source),
        params.label,
        Reading(params.granularity, settings, context.workers, context.shards),
        context.progress,
        columns=_column_map(params),
        least_classes=1 if params.name == "test_rows" else 2,
    )
    # what a detector must know of its rows; where they lay is no part of what they are
    shape = {"granularity": params.granularity, **settings.model_dump(mode="json")}
    if opened.layout:
        shape["layout"] = opened.layout
    health: list[dict[str, Any]] = []

    def fill(folder: Path) -> None:
        write_tables(folder, opened.tables, opened.schema)
        health.extend(record.to_json() for record in opened.health)
        write_atomic(folder / "health.json", json.dumps(health, indent=1))
        write_atomic(folder / "import.json", canonical_json(shape))

    digest = context.store.make(fill)
    numbers = {
        "rows": opened.classes.total(),
        "classes": dict(sorted(opened.classes.items())),
        "captures": len(health),
        "health": _health_totals(health),
        "label": params.label,
        "granularity": params.granularity,
        "warnings": opened.warnings,
    }
    return ToolResult(artifacts={params.name: digest}, numbers=numbers, work=_size(params))


def _health_totals(health: list[dict[str, Any]]) -> dict[str, Any]:
    skipped: dict[str, int] = {}
    for record in health:
        for reason, packets in record["skipped"].items():
            skipped[reason] = skipped.get(reason, 0) + packets
    totals = {
        key: sum(record[key] for record in health) for key in ("bytes", "packets", "truncated")
    }
    return {**totals, "skipped": skipped, "corrupt": sum(record["corrupt"] for record in health)}


def count_classes(rows: Any) -> dict[str, int]:
    """Rows of each class, by name."""
    counts = rows["label"].value_counts().to_pylist()
    return {item["values"]: item["counts"] for item in sorted(counts, key=lambda i: i["values"])}


def _size(params: InspectParams) -> float:
    return float(sum(path.stat().st_size for path in _files(params)))


def _estimate_import(params: ImportParams, context: ToolContext) -> Estimate:
    from pipelines.capture.compression import SUFFIXES
    from pipelines.datasets.captures import CaptureSource
    from pipelines.datasets.sources import find_source

    files, size = _files(params), _size(params)
    minutes = context.rates.minutes("import_rows", size)
    if not isinstance(find_source(Path(params.source)), CaptureSource):
        plain = sum(
            path.stat().st_size * (PACKED if path.suffix in SUFFIXES else 1) for path in files
        )
        return Estimate(minutes=minutes, memory_mb=TABLE_MB + 5 * plain // MEGABYTE)
    workers = context.workers.chosen(len(files), int(size))
    memory = CAPTURES_MB + (0 if workers.kind == "serial" else WORKER_MB * workers.size)
    return Estimate(minutes=minutes, memory_mb=memory)


def no_cost(params: Params, context: ToolContext) -> Estimate:
    """The price of a step that takes no time worth telling."""
    return Estimate()


INSPECT_SOURCE = ToolSpec(
    name="inspect_source",
    summary="Say what a folder of captures or a table holds, without decoding it",
    params=InspectParams,
    risk="read",
    run=_inspect,
    estimate=no_cost,
    repeatable=False,
)
RECORD_REQUIREMENTS = ToolSpec(
    name="record_requirements",
    summary="Record the metric, the target, tolerated false alarms and what the classes mean",
    params=RecordParams,
    risk="write",
    run=_record,
    estimate=no_cost,
    makes=("requirements",),
    version=2,
)
IMPORT_ROWS = ToolSpec(
    name="import_rows",
    summary="Read captures or a table into labelled rows, with a health record of every file",
    params=ImportParams,
    risk="write",
    run=_import,
    estimate=_estimate_import,
    makes=("rows", "test_rows"),
    reads=_files,
)
