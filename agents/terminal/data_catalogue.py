"""``netloop data catalogue``: public sets of labelled traffic and what is wrong with them."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agents.terminal.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.catalogue.catalogue import PublicSet


def catalogue(
    name: Annotated[str | None, typer.Argument(help="One set; all of them if left out.")] = None,
    as_json: Json = False,
) -> None:
    """List public data sets and what is wrong with them.

    What they are, their licence, known faults, and who publishes them.

    Nothing is downloaded.

    Example: netloop data catalogue NSL-KDD
    """
    from rich.console import Console

    from pipelines.catalogue.catalogue import catalogue, find_set

    found = [find_set(name)] if name else list(catalogue().values())
    if as_json:
        sets = [entry.model_dump(mode="json") for entry in found]
        sys.stdout.write(json.dumps(sets[0] if name else sets) + "\n")
        return
    console = Console(markup=False, highlight=False)
    if name:
        render_set(found[0], console)
    else:
        render_sets(found, console)


def render_sets(sets: "list[PublicSet]", console: "Console") -> None:
    """A line for each set."""
    from agents.terminal.tables import Column, print_table

    columns = [Column("set"), Column("task"), Column("form", spare=True), Column("read as")]
    rows = [[entry.name, entry.task, entry.form, entry.loader or "-"] for entry in sets]
    print_table(console, columns, rows, elastic=1)


def render_set(entry: "PublicSet", console: "Console") -> None:
    """All that is known of one set."""
    from agents.terminal.tables import say, say_exact, title

    title(console, entry.name)
    facts = {
        "task": entry.task,
        "what": entry.what,
        "form": entry.form,
        "count": entry.count,
        "size": entry.size,
        "year": str(entry.year or "unknown"),
        "licence": entry.licence,
        "cite": entry.cite or "unknown",
        "where": entry.where,
        "read as": entry.loader or "no loader of its own",
    }
    for what, fact in facts.items():
        say(console, f"{what}: {fact}")
    for fault in entry.faults:
        say(console, f"fault: {fault}")
    say_exact(console, entry.command)
