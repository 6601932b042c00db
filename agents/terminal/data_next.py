"""``netloop data next``: which rows to label next."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.terminal.options import DEFAULT_WORKSPACE, Json, Workspace
from pipelines.errors import InputError
from pipelines.words import counted

if TYPE_CHECKING:
    from agents.spec import Spec
    from pipelines.augment.label_next import Guessed
    from pipelines.progress import Progress


def next_rows(
    spec: Annotated[Path, typer.Argument(help="The spec, a YAML file: what is labelled so far.")],
    unlabelled: Annotated[
        Path,
        typer.Option(
            "--unlabelled",
            help="A folder of captures, one capture, or a table; labels are ignored.",
        ),
    ],
    count: Annotated[
        int, typer.Option("--count", min=1, max=1000, help="How many rows to label.")
    ] = 40,
    out: Annotated[Path, typer.Option("--out", help="A new CSV file.")] = Path("rows_to_label.csv"),
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, for example data.label=folder")
    ] = None,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Choose the rows whose labels would teach most.

    Those that a random forest of the labelled rows is unsure of, and that differ from each other.
    Fill in the column label; of captures the sheet then serves as a labels.csv (data.label).

    Example: netloop data next spec.yaml --unlabelled captures/ --count 40
    """
    from rich.console import Console

    from agents.spec_file import load_spec
    from agents.terminal.progress import RichProgress
    from agents.terminal.tables import say, say_exact
    from pipelines.augment.label_sheet import write_sheet
    from pipelines.datasets.fields import is_captured

    if out.exists():
        raise InputError(f"{out} is there already, perhaps with labels in it.", "Name another.")
    warnings: list[str] = []
    console = Console(stderr=True, markup=False, highlight=False)
    with RichProgress(console) as progress:
        asked = _asked(load_spec(spec, changes), unlabelled, count, workspace, warnings, progress)
    write_sheet(out, asked)
    if as_json:
        found = {"out": str(out.resolve()), "rows": count, "warnings": warnings}
        sys.stdout.write(json.dumps(found) + "\n")
        return
    for warning in warnings:
        say(console, warning, "yellow")
    say(
        console,
        f"{counted(count, 'row')} to label; the forest is sure of them to "
        f"{asked.sure.min():.2f} - {asked.sure.max():.2f}. Fill in the column label.",
    )
    if is_captured(asked.rows.schema):
        say(console, f"Then it labels these flows: data.source {unlabelled}, data.label {out}")
    console.file.flush()
    say_exact(Console(markup=False, highlight=False), str(out))


def _asked(
    spec: "Spec",
    unlabelled: Path,
    count: int,
    workspace: Path,
    warnings: list[str],
    progress: "Progress",
) -> "Guessed":
    """The rows to label, by what is labelled in the spec's source."""
    import pyarrow as pa

    from pipelines.augment.label_next import rows_to_label
    from pipelines.capture import FlowSettings
    from pipelines.datasets.capture_rows import Reading
    from pipelines.datasets.description import ColumnMap
    from pipelines.datasets.fields import DEFAULT_MASKS
    from pipelines.datasets.sources import describe_source, open_source
    from pipelines.datasets.unlabelled import Labelled, unlabelled_rows
    from pipelines.executors import Workers
    from pipelines.operate.detect import BATCH_ROWS, in_batches

    data = spec.data
    source, columns = Path(data.source), ColumnMap.model_validate(data.columns or {})
    settings = FlowSettings(decode_tunnels=data.decode_tunnels, protocols=data.protocols)
    workers = Workers(data.executor, data.workers)
    reading = Reading(data.granularity, settings, workers, workspace / "shards")
    masks = DEFAULT_MASKS if data.masks is None else data.masks
    label = describe_source(source, data.label, columns).label
    opened = open_source(source, label, reading, progress, columns=columns)
    labelled = pa.concat_tables(opened.tables)
    like = Labelled(labelled.schema, masks, label, opened.layout, columns, reading)
    tables = in_batches(unlabelled_rows(unlabelled, like, warnings, progress), BATCH_ROWS)
    return rows_to_label(labelled, tables, count, masks=masks, seed=spec.seed)
