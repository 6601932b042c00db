"""``netloop explain``: what a detector's alerts mean, and whether traffic has drifted."""

import json
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from agents.terminal.options import DEFAULT_WORKSPACE, Json, Workspace
from agents.terminal.runs_commands import Run, find_run
from pipelines.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from agents.explained import Explanation

MOST_CLASSES = 20
STYLES = {"no": "bold green", "soon": "bold yellow", "now": "bold red"}


def explain(
    run: Run,
    eve: Annotated[
        Path,
        typer.Argument(metavar="EVE.json", help="What netloop detect wrote; - for standard input."),
    ],
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Say what a detector has found, and what moved.

    Counts, the drift of classes and scores against the test side, and what speaks for training
    anew, which is never begun from here.

    Example: netloop explain last eve.json
    """
    from rich.console import Console

    from agents.explain import explain as explain_verdicts

    folder = find_run(run, workspace)
    with _opened(eve) as lines:
        found = explain_verdicts(folder, workspace, lines)
    if as_json:
        sys.stdout.write(json.dumps(found.model_dump(mode="json")) + "\n")
    else:
        render_explanation(found, Console(markup=False, highlight=False))


def _opened(eve: Path) -> AbstractContextManager[BinaryIO]:
    if eve == Path("-"):
        return nullcontext(sys.stdin.buffer)
    try:
        return eve.open("rb")
    except OSError as error:
        raise InputError(
            f"{eve} cannot be read: {error.strerror}.",
            "Give what netloop detect wrote, or - for standard input.",
        ) from error


def render_explanation(found: "Explanation", console: "Console") -> None:
    """The classes, the sentences, what speaks for training anew, what limits it all."""
    from agents.terminal.tables import say, say_exact, title

    _print_classes(found, console)
    title(console, f"What it means, by {found.by}")
    for words in found.words:
        say(console, f"- {words}", indent=2)
    title(console, "Train anew")
    say(console, f"{found.retrain}: {found.retrain_why}", STYLES[found.retrain], indent=2)
    if found.command is not None:
        say(console, "With later, labelled data in the plan (import_rows.source):", indent=2)
        say_exact(console, f"  {found.command}")
    if found.notes:
        title(console, "Keep in mind")
    for note in found.notes:
        say(console, f"- {note}", "yellow", indent=2)


def _print_classes(found: "Explanation", console: "Console") -> None:
    from agents.terminal.tables import Cell, Column, print_table, say

    columns = [
        Column("class"),
        Column("events", number=True),
        Column("alerts", number=True),
        Column("share", number=True),
        Column("in training", number=True, spare=True),
        Column("score 5 %", number=True, spare=True),
        Column("50 %", number=True, spare=True),
        Column("95 %", number=True, spare=True),
    ]
    classes = found.facts.classes
    rows: list[list[Cell]] = [
        [name, row.events, row.alerts, row.share, row.share_in_training, *row.scores]
        for name, row in [*classes.items()][:MOST_CLASSES]
    ]
    print_table(console, columns, rows)
    if len(classes) > MOST_CLASSES:
        say(console, f"and {len(classes) - MOST_CLASSES:,} more classes", "dim")
