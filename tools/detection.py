"""Tools that use a packed detector: on captures and tables at rest, and on live traffic."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from tools.spec import Estimate, Params, ToolContext, ToolResult, ToolSpec

if TYPE_CHECKING:
    from pipelines.capture import CaptureHealth
    from pipelines.operate.detector import Detector


class DetectParams(Params):
    detector: str = Field(description="Folder of a packed detector")
    source: str = Field(description="A capture, a folder of captures, or a table")


class DetectLiveParams(Params):
    detector: str = Field(description="Folder of a packed detector")
    stream: str | None = Field(
        default=None, description="A named pipe, or - for standard input; else an interface"
    )
    interface: str | None = Field(default=None, description="A network interface to listen on")
    bpf: str | None = Field(default=None, description="Which packets of it, in tcpdump's words")
    seconds: float | None = Field(default=None, gt=0, description="How long to listen to it")
    packets: int | None = Field(default=None, gt=0, description="How many packets to take of it")

    @model_validator(mode="after")
    def _check(self) -> "DetectLiveParams":
        if (self.stream is None) == (self.interface is None):
            raise ValueError("either a stream or an interface")
        if self.stream is not None and (self.bpf or self.seconds or self.packets):
            raise ValueError("bpf, seconds and packets are for an interface")
        return self


def _detect(params: DetectParams, context: ToolContext) -> ToolResult:
    from pipelines.operate.detect import check_source, detect
    from pipelines.operate.detector import Detector

    check_source(Path(params.detector), Path(params.source))
    detector = Detector.load(Path(params.detector))
    health: list[CaptureHealth] = []
    warnings: list[str] = []
    records = detect(
        detector,
        Path(params.source),
        health=health,
        warnings=warnings,
        progress=context.progress,
    )
    return _result(_emit(records, context), detector, health, warnings, live=False)


def _detect_live(params: DetectLiveParams, context: ToolContext) -> ToolResult:
    from pipelines.capture import CaptureHealth
    from pipelines.operate.detect_live import detect_interface, detect_stream
    from pipelines.operate.detector import Detector

    detector = Detector.load(Path(params.detector))
    health = CaptureHealth()
    if params.stream is not None:
        records = detect_stream(
            detector,
            Path(params.stream),
            health=health,
            stop=context.stop,
            progress=context.progress,
        )
    elif params.interface is not None:
        records = detect_interface(
            detector,
            params.interface,
            bpf=params.bpf,
            seconds=params.seconds or float("inf"),
            packets=params.packets,
            health=health,
            stop=context.stop,
            progress=context.progress,
        )
    labels = _emit(records, context)
    warning = health.ended_early_warning()
    return _result(labels, detector, [health], [warning] if warning else [], live=True)


def _emit(records: Iterable[dict[str, Any]], context: ToolContext) -> Counter[str]:
    from pipelines.operate.eve import eve_line

    labels: Counter[str] = Counter()
    for record in records:
        context.emit(eve_line(record) + "\n")
        labels[record["ml"]["label"]] += 1
    return labels


def _result(
    labels: Counter[str],
    detector: "Detector",
    health: "list[CaptureHealth]",
    warnings: list[str],
    *,
    live: bool,
) -> ToolResult:
    numbers = {
        "rows": labels.total(),
        "granularity": detector.manifest.granularity,
        "live": live,
        "labels": dict(labels),
        "health": [record.to_json() for record in health],
        "warnings": warnings,
    }
    return ToolResult(numbers=numbers, work=float(sum(record.bytes for record in health)))


def _estimate(params: DetectParams, context: ToolContext) -> Estimate:
    path = Path(params.source)
    size = path.stat().st_size if path.is_file() else 0
    return Estimate(minutes=context.rates.minutes("detect_traffic", size), memory_mb=300)


def _estimate_live(params: DetectLiveParams, context: ToolContext) -> Estimate:
    return Estimate(minutes=(params.seconds or 0) / 60, memory_mb=300)


DETECT_TRAFFIC = ToolSpec(
    name="detect_traffic",
    summary="Run a packed detector over captures: one EVE JSON line a flow",
    params=DetectParams,
    risk="read",
    run=_detect,
    estimate=_estimate,
    repeatable=False,
)
DETECT_LIVE = ToolSpec(
    name="detect_live",
    summary="Run a packed detector on a pipe or an interface: a line as each flow ends",
    params=DetectLiveParams,
    risk="deploy",  # it listens to a network: not for a chat model
    run=_detect_live,
    estimate=_estimate_live,
    repeatable=False,
)
