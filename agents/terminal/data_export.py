"""``netloop data export``: flows as the columns of other tools."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agents.terminal.options import DEFAULT_WORKSPACE, Json, Workspace
from pipelines.words import counted

if TYPE_CHECKING:
    from rich.console import Console

Source = Annotated[Path, typer.Argument(help="A capture, or a folder of captures.")]


def export(
    source: Source,
    profile: Annotated[
        str,
        typer.Option("--profile", help="nfstream, zeek-conn, cic, text, ...: see docs/profiles."),
    ] = "nfstream",
    out: Annotated[
        Path | None, typer.Option("--out", help="A new file; standard output if left out.")
    ] = None,
    kind: Annotated[
        Literal["csv", "parquet", "jsonl", "tsv"],
        typer.Option("--format", help="tsv of zeek-conn is a Zeek log."),
    ] = "csv",
    label: Annotated[
        str | None,
        typer.Option("--label", help="Add the class: file, folder, or a labels.csv."),
    ] = None,
    masks: Annotated[
        str,
        typer.Option("--masks", help="Field groups to leave out, with commas; or default, none."),
    ] = "none",
    idle: Annotated[
        float, typer.Option("--idle", help="Seconds of silence that end a flow.")
    ] = 120,
    active: Annotated[
        float, typer.Option("--active", help="Seconds after which it is cut.")
    ] = 1800,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Write flows as NFStream, Zeek, IPFIX, nPrint or CICFlowMeter would.

    docs/profiles says what every column means. Identifiers are in it unless masked.

    Example: netloop data export capture.pcap --profile zeek-conn --format tsv > conn.log
    """
    from rich.console import Console

    from agents.terminal.progress import RichProgress
    from pipelines.progress import silent
    from pipelines.store.artifacts import ArtifactStore
    from tools.calls import check_params
    from tools.registry import find_tool
    from tools.spec import ToolContext

    tool = find_tool("export_flows")
    params = {
        "source": str(source),
        "profile": profile,
        "out": None if out is None else str(out),
        "format": kind,
        "label": label,
        "masks": _groups(masks),
        "idle_seconds": idle,
        "active_seconds": active,
    }
    with RichProgress() as progress:
        context = ToolContext(
            store=ArtifactStore(workspace / "artifacts"),
            progress=silent if out is None and sys.stdout.isatty() else progress,
            emit=sys.stdout.write,
        )
        result = tool.run(check_params(tool, params), context)
    sys.stdout.flush()
    if as_json and out is not None:
        sys.stdout.write(json.dumps(result.numbers) + "\n")
    else:
        _tell(
            result.numbers, Console(stderr=True, markup=False, highlight=False), not params["masks"]
        )


def _groups(masks: str) -> list[str]:
    """Field groups from ``a,b``, ``default`` or ``none``."""
    from agents.terminal.data_commands import mask_list

    return mask_list(None if masks == "default" else masks)


def _tell(numbers: dict[str, Any], console: "Console", unmasked: bool) -> None:
    """What was written and what was not, in a few lines."""
    from agents.terminal.findings import print_health
    from agents.terminal.tables import say

    say(
        console,
        f"{counted(numbers['rows'], 'row')} of {counted(numbers['columns'], 'column')} from "
        f"{counted(numbers['captures'], 'capture')}.",
    )
    for warning in numbers["warnings"]:
        say(console, warning, "yellow")
    if any(r["truncated"] or r["skipped"] or r["corrupt"] for r in numbers["health"]):
        print_health(numbers["health"], console)
    if unmasked:
        say(
            console, "Addresses, ports and times are in it; --masks default leaves them out.", "dim"
        )
