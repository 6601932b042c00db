"""Results on the terminal: runs, data, splits, audits and models, for people."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from agents.terminal.findings import (
    Numbers,
    print_features,
    print_fields,
    print_health,
    print_models,
    print_proof,
    print_sides,
)
from agents.terminal.plan_view import render_plan
from agents.terminal.render_audit import print_groups
from agents.terminal.sanitize import safe_text
from agents.terminal.tables import Cell, Column, print_table, say, say_exact, title
from pipelines.datasets.split_manifest import SIDES
from pipelines.words import counted

if TYPE_CHECKING:
    from agents.output import RunOutput

ROW_WORDS = {"flow": "flow", "packet": "packet", "table": "record"}
STATUS_STYLES = {
    "done": "bold green",
    "target_missed": "bold yellow",
    "paused": "bold yellow",
    "failed": "bold red",
    "refused": "bold red",
    "budget": "bold yellow",
}


def render_output(output: "RunOutput", console: Console) -> None:
    """What a run found: status, the reviews' findings, the proofs, the models, where things lie."""
    if output.notice:
        say(console, output.notice, "bold red")
    if output.origin:
        say(console, output.origin, "yellow")
    console.print(_status_line(output))
    if output.error:
        say(console, output.error, "red", indent=2)
    for finding in output.findings:
        say(console, f"- {finding}", indent=2)
    if output.split is not None:
        title(console, f"Split by {output.split.by}")
        print_sides(output.split.sizes, output.split.groups, console)
        print_proof(output.split.groups_on_two_sides, console)
    if output.audit:
        title(console, "Shortcut audit")
        if output.verdict:
            say(console, f"The audit calls this {output.verdict}.")
        print_groups([row.model_dump() for row in output.groups], None, console)
        console.print()
        print_fields([row.model_dump() for row in output.audit], console)
    if output.features:
        title(console, "Features on validation")
        print_features([row.model_dump() for row in output.features], console)
    if output.models:
        title(console, "Models on the test side")
        print_models([row.model_dump() for row in output.models], output.best, console)
    _print_places({"detector": output.detector, "report": output.report}, console)


def render_paused(
    output: "RunOutput", workspace: Path, console: Console, with_plan: bool = True
) -> None:
    """The plan that waits, unless it is on the screen, and the commands that answer it."""
    if output.pending is None:
        return
    if with_plan:
        from agents.checkpoints import Plan

        render_plan(Plan.model_validate(output.pending.plan), console)
    title(console, "This plan waits for a decision. To go on:")
    place = "" if workspace == Path(".netloop") else f" --workspace {shlex.quote(str(workspace))}"
    for words in (
        f"approve {output.run}",
        f'reject {output.run} --reason "what should be different"',
        f"edit {output.run} step.parameter=value",
        f"resume {output.run} --approve ask",
    ):
        say_exact(console, f"  netloop runs {words}{place}")


def render_runs(records: Sequence[Numbers], console: Console) -> None:
    """All runs, a row each, as ``run.json`` holds them."""
    if not records:
        say(console, "There are no runs yet. Begin one: netloop run SPEC.yaml")
        return
    columns = [
        Column("run"),
        Column("status"),
        Column("began (UTC)", spare=True),
        Column("goal", spare=True),
    ]
    rows = [
        [
            safe_text(record["id"]),
            safe_text(record["status"], STATUS_STYLES.get(record["status"], "")),
            record["created"].replace("T", " ")[:16],
            record["spec"]["goal"],
        ]
        for record in records
    ]
    print_table(console, columns, rows, elastic=3)


def render_inspection(result: Numbers, console: Console) -> None:
    """What a source holds: ``source`` (its description), ``rows`` (of the import), ``health``."""
    source, imported, health = result["source"], result["rows"], result["health"]
    say_exact(console, source["path"])
    say(console, f"class from {source['label']}: {source['reason']}", "dim")
    kinds = counted(len(imported["classes"]), "class", "classes")
    title(console, f"{counted(imported['rows'], 'row')} of {kinds}")
    classes = [[name, count] for name, count in imported["classes"].items()]
    print_table(console, [Column("class"), Column("rows", number=True)], classes)
    if health:
        print_health(health, console)
    _print_notes(imported["warnings"], console)


def render_split(result: Numbers, console: Console) -> None:
    """How many rows of each class are on each side, and the proof that no group is on two."""
    sizes = result["sizes"]
    title(console, f"Split by {result['by']}")
    names = sorted({name for size in sizes.values() for name in size["classes"]})
    rows: list[list[Cell]] = [
        [name, *(sizes[side]["classes"].get(name, 0) for side in SIDES)] for name in names
    ]
    rows.append([f"all {len(names)} classes", *(sizes[side]["rows"] for side in SIDES)])
    columns = [Column("class"), *(Column(side, number=True) for side in SIDES)]
    print_table(console, columns, rows, frozenset([len(names)]))
    print_proof(result["groups_on_two_sides"], console)
    _print_notes(result["warnings"], console)
    _print_places({"manifest": result["manifest"]}, console)


def render_models(result: Numbers, console: Console) -> None:
    """Every model on the test side, best first."""
    title(console, "Models on the test side")
    print_models(result["models"], result["best"], console)


def render_score(result: Numbers, console: Console) -> None:
    """A packed detector on other data: nothing was chosen there."""
    title(console, "The detector on these rows")
    print_models(result["models"], None, console)


def render_detection(result: Numbers, console: Console) -> None:
    """What was detected, in one line, and what of the captures could not be read."""
    labels = sorted(result["labels"].items(), key=lambda item: -item[1])
    named = ", ".join(f"{name} {count:,}" for name, count in labels[:5])
    more = f" and {len(labels) - 5:,} more classes" if len(labels) > 5 else ""
    rows = counted(result["rows"], ROW_WORDS[result["granularity"]])
    say(console, f"{rows}{': ' if named else ''}{named}{more}")
    for warning in result["warnings"]:
        say(console, f"- {warning}", "yellow")
    faults = ("truncated", "skipped", "corrupt", "dropped")
    if result["live"] or any(record.get(fault) for record in result["health"] for fault in faults):
        print_health(result["health"], console)


def _status_line(output: "RunOutput") -> Text:
    words = output.status.replace("_", " ")
    style = STATUS_STYLES.get(output.status, "bold")
    return Text.assemble("Run ", safe_text(output.run), ": ", (words, style))


def _print_notes(notes: Sequence[str], console: Console) -> None:
    if notes:
        title(console, "Keep in mind")
    for note in notes:
        say(console, f"- {note}", "yellow")


def _print_places(places: Mapping[str, str | None], console: Console) -> None:
    found = {name: path for name, path in places.items() if path is not None}
    if found:
        console.print()
    for name, path in found.items():
        say_exact(console, f"{name}: {path}")
