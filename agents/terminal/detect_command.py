"""``netloop detect``: verdicts on captures, on what a pipe brings, and on a live interface."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from agents.terminal.model_commands import Detector, find_detector
from agents.terminal.options import DEFAULT_WORKSPACE, Workspace
from pipelines.errors import InputError


def detect(
    detector: Detector,
    source: Annotated[
        str | None,
        typer.Argument(
            help="A capture, a folder of captures, a table, a named pipe, or - for standard input.",
            show_default=False,
        ),
    ] = None,
    interface: Annotated[
        str | None,
        typer.Option("--interface", "-i", help="Listen on a network interface; as root."),
    ] = None,
    bpf: Annotated[
        str | None,
        typer.Option("--filter", help="Which packets of the interface: 'tcp port 443'."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="How long to listen; until Ctrl-C.")
    ] = None,
    packets: Annotated[
        int | None, typer.Option("--packets", help="How many packets to take.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Print one EVE JSON line a flow.

    Each has the class, its confidence and the community id. From a pipe or an interface it comes
    as soon as the flow ends; Ctrl-C ends the flows that are open.

    Example: netloop detect detector capture.pcap > eve.json
    """
    from rich.console import Console

    from agents.terminal.render import render_detection

    if (source is None) == (interface is None):
        raise InputError("There must be a source or an --interface, and not both.", _USAGE)
    limits = {"bpf": bpf, "seconds": seconds, "packets": packets}
    if interface is None and any(value is not None for value in limits.values()):
        raise InputError("--filter, --seconds and --packets go with --interface.", _USAGE)
    if (seconds is not None and seconds <= 0) or (packets is not None and packets <= 0):
        raise InputError("--seconds and --packets must be more than 0.", _USAGE)
    folder = str(find_detector(detector, workspace))
    signals: list[int] = []
    if interface is not None:
        numbers = _run_live(workspace, signals, detector=folder, interface=interface, **limits)
    elif _is_live(str(source)):
        numbers = _run_live(workspace, signals, detector=folder, stream=source)
    else:
        numbers = _run("detect_traffic", workspace, detector=folder, source=source)
    render_detection(numbers, Console(stderr=True, markup=False, highlight=False))
    if signals:
        raise typer.Exit(128 + signals[0])


_USAGE = "netloop detect MODEL SOURCE, or netloop detect MODEL --interface eth0 --seconds 60"


def _is_live(source: str) -> bool:
    from pipelines.capture.live import is_stream

    return is_stream(Path(source))


def _run_live(workspace: Path, signals: list[int], **params: Any) -> dict[str, Any]:
    with heard(signals):
        return _run("detect_live", workspace, signals, **params)


def _run(
    name: str, workspace: Path, signals: list[int] | None = None, **params: Any
) -> dict[str, Any]:
    """Run a tool that emits lines; where traffic is live (``signals``), each goes out at once."""
    from agents.terminal.progress import RichProgress
    from pipelines.progress import silent
    from pipelines.store.artifacts import ArtifactStore
    from tools.registry import find_tool
    from tools.spec import ToolContext

    tool = find_tool(name)
    with RichProgress() as progress:
        context = ToolContext(
            store=ArtifactStore(workspace / "artifacts"),
            progress=silent if sys.stdout.isatty() else progress,
            emit=sys.stdout.write if signals is None else _write_at_once,
            stop=lambda: bool(signals),
        )
        result = tool.run(tool.params(**params), context)
    sys.stdout.flush()
    return result.numbers


def _write_at_once(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


@contextmanager
def heard(signals: list[int]) -> Iterator[None]:
    """Ctrl-C and SIGTERM are noted in ``signals``; a second one has its usual effect."""
    usual: dict[signal.Signals, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        for each, handler in usual.items():
            signal.signal(each, handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        usual[number] = signal.signal(number, note)
    try:
        yield
    finally:
        for each, handler in usual.items():
            signal.signal(each, handler)
