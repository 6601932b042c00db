"""``netloop data`` and ``netloop lab``: look at data, split it, audit it, or make some."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from agents.terminal import data_audit, data_catalogue, data_clean, data_export, data_memorised
from agents.terminal.options import (
    DEFAULT_WORKSPACE,
    By,
    Executor,
    Granularity,
    Json,
    Label,
    Protocols,
    Seed,
    TestShare,
    TestSource,
    WorkerCount,
    Workspace,
)

app = typer.Typer(
    help="Look at data, split it, audit it, clean it, export it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Source = Annotated[Path, typer.Argument(help="A folder of captures, one capture, or a table.")]


@app.command()
def inspect(
    source: Source,
    label: Label = None,
    granularity: Granularity = "flow",
    protocols: Protocols = False,
    workers: WorkerCount = None,
    executor: Executor = "auto",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Say what a source holds.

    Classes, rows, and the health of every capture. A source may be - for standard input.

    Example: netloop data inspect captures/ --label folder
    """
    from agents.terminal.direct import Direct
    from agents.terminal.progress import RichProgress
    from agents.terminal.render import render_inspection
    from pipelines.capture.live import as_file

    with RichProgress() as progress, as_file(source, progress=progress) as source:
        direct = Direct(workspace, 0, progress, executor, workers)
        found = direct.call("inspect_source", source=str(source), label=label)
        rows = direct.call(
            "import_rows",
            name="test_rows",  # to be looked at only: a single class will do
            source=str(source),
            label=found["label"],
            granularity=granularity,
            protocols=protocols,
        )
    health = json.loads((direct.path("test_rows") / "health.json").read_text())
    result = {"source": found, "rows": rows, "health": health}
    print_result(result, as_json, render_inspection)


@app.command()
def split(
    source: Source,
    label: Label = None,
    by: By = None,
    test: TestShare = 0.5,
    test_source: TestSource = None,
    granularity: Granularity = "flow",
    protocols: Protocols = False,
    seed: Seed = 0,
    workers: WorkerCount = None,
    executor: Executor = "auto",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Divide a source into train, validation and test.

    Puts every split group on one side; prints sizes, proof and the manifest's path.

    Example: netloop data split captures/ --label file --by time --test 0.3
    """
    from agents.terminal.direct import Direct
    from agents.terminal.progress import RichProgress
    from agents.terminal.render import render_split

    with RichProgress() as progress:
        direct = Direct(workspace, seed, progress, executor, workers)
        done = direct.import_and_split(source, label, granularity, by, test, protocols, test_source)
    numbers = done["split_rows"]
    result = {**numbers, "manifest": str((direct.path("split") / "manifest.json").resolve())}
    print_result(result, as_json, render_split)


app.command("audit")(data_audit.command)
app.command()(data_clean.clean)
app.command()(data_export.export)
app.command()(data_catalogue.catalogue)
app.command()(data_memorised.memorised)


def lab(
    out: Annotated[Path, typer.Argument(help="A folder that is empty or not there yet.")],
    size: Annotated[
        Literal["tiny", "small", "large"], typer.Option("--size", help="How much traffic.")
    ] = "small",
    seed: Seed = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Make synthetic labelled captures to try netloop on.

    Example: netloop lab lab
    """
    from agents.terminal.direct import Direct
    from agents.terminal.progress import RichProgress

    with RichProgress() as progress:
        made = Direct(workspace, seed, progress).call("make_lab", out=str(out), size=size)
    sys.stdout.write(
        f"{made['packets']:,} packets of synthetic traffic in {made['captures']} captures: {out}\n"
    )


def mask_list(text: str | None) -> list[str]:
    """Field groups from ``a,b``; the default ones for None, none for 'none'.

    Raises InputError for a group that does not exist.
    """
    from pipelines.datasets.fields import DEFAULT_MASKS, check_masks

    if text is None:
        return list(DEFAULT_MASKS)
    return list(
        check_masks([name for name in map(str.strip, text.split(",")) if name not in ("", "none")])
    )


def print_result(result: dict[str, Any], as_json: bool, render: Any) -> None:
    """The result on stdout: one JSON document, or as ``render`` shows it to people."""
    from rich.console import Console

    if as_json:
        sys.stdout.write(json.dumps(result) + "\n")
    else:
        render(result, Console(markup=False, highlight=False))
