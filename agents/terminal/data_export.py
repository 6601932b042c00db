"""``netloop data export``: flows as the columns of other tools."""

import io
import json
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agents.terminal.options import DEFAULT_WORKSPACE, Json, Workspace
from pipelines.words import counted

if TYPE_CHECKING:
    from rich.console import Console

# Control characters but those that part cells and rows, and what turns the reading direction.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
Source = Annotated[
    Path,
    typer.Argument(help="A capture, a folder of captures, a named pipe, or - for standard input."),
]


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
    """Write flows in the columns of other tools.

    docs/profiles says what every column means. Identifiers are in it unless masked.

    Example: netloop data export capture.pcap --profile zeek-conn --format tsv > conn.log
    """
    from rich.console import Console

    from agents.terminal.detect_command import heard
    from agents.terminal.progress import RichProgress
    from pipelines.capture.live import is_stream
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
    is_shown = sys.stdout.isatty()
    if not is_shown and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # as --out has it, on any system
    signals: list[int] = []
    with RichProgress() as progress, heard(signals) if is_stream(source) else nullcontext():
        context = ToolContext(
            store=ArtifactStore(workspace / "artifacts"),
            progress=silent if out is None and is_shown else progress,
            emit=_show if is_shown else sys.stdout.write,
            stop=lambda: bool(signals),
        )
        result = tool.run(check_params(tool, params), context)
    sys.stdout.flush()
    if as_json and out is not None:
        sys.stdout.write(json.dumps(result.numbers) + "\n")
    else:
        _tell(result.numbers, Console(stderr=True, markup=False, highlight=False))
    if signals:
        raise typer.Exit(128 + signals[0])


def _show(text: str) -> object:
    """Write rows to a terminal, which no name or class in them may command."""
    return sys.stdout.write(_COMMANDS.sub(_spelled, text))


def _spelled(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _groups(masks: str) -> list[str]:
    """Field groups from ``a,b``, ``default`` or ``none``."""
    from agents.terminal.data_commands import mask_list

    return mask_list(None if masks == "default" else masks)


def _tell(numbers: dict[str, Any], console: "Console") -> None:
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
    if numbers["identifies"]:
        say(
            console, "Addresses, ports and times are in it; --masks default leaves them out.", "dim"
        )
