"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Workspace = Annotated[
    Path,
    typer.Option(
        "--workspace",
        envvar="NETLOOP_WORKSPACE",
        help="Folder for runs, artefacts and measured rates.",
        show_default=".netloop in this folder",
    ),
]
DEFAULT_WORKSPACE = Path(".netloop")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Label = Annotated[
    str | None,
    typer.Option("--label", help="file, folder, a column, or a labels.csv; proposed if left out."),
]
Granularity = Annotated[
    Literal["flow", "packet"], typer.Option("--granularity", help="What a row is.")
]
Protocols = Annotated[
    bool,
    typer.Option("--protocols", help="Add columns of what TLS, QUIC, HTTP, DNS, SSH, SMTP say."),
]
WorkerCount = Annotated[
    int | None,
    typer.Option(
        "--workers", help="Captures read at once.", show_default="as many as there are CPUs"
    ),
]
Executor = Annotated[
    str,
    typer.Option(
        "--executor",
        help="Who reads captures: auto, serial, processes, dask, or a Dask scheduler's address "
        "(tcp://host:8786).",
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of splits, models and draws.")]
By = Annotated[
    Literal["time", "capture", "flow", "row", "host", "day", "site"] | None,
    typer.Option(
        "--by",
        help="What is held out: later flows (time) or days, or whole flows, captures, hosts, "
        "sites, rows; time for captures, row for a table if left out.",
    ),
]
TestShare = Annotated[float, typer.Option("--test", help="Share of each class held out.")]
TestSource = Annotated[
    Path | None,
    typer.Option("--test-source", help="Test on all of this source instead of a share."),
]
Masks = Annotated[
    str | None,
    typer.Option("--masks", help="Field groups that models may not see, with commas; or none."),
]


def _go_offline(wanted: bool) -> bool:
    if wanted:
        from agents.offline import refuse_sockets

        refuse_sockets()
    return wanted


Offline = Annotated[
    bool,
    typer.Option("--offline", callback=_go_offline, help="Refuse every network socket."),
]
