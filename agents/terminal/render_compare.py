"""Two runs side by side, and a run beside its replay, for people."""

from collections.abc import Sequence

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from agents.compare_runs import Difference, PlanDifference, RunComparison, Score
from agents.replay_report import ReplayReport, ReplayRow
from agents.terminal.plan_view import duration, shown
from agents.terminal.sanitize import safe_text
from agents.terminal.tables import Cell, Column, print_table, say, title
from pipelines.words import counted

# Characters of a content hash that tell it from others well enough for the eye.
HASH = 12
_STYLES = {"+": "green", "-": "red", "~": "yellow"}


def render_comparison(found: RunComparison, console: Console) -> None:
    """What differs, part by part; one line if nothing does."""
    if found.equal:
        words = "the same spec, plans, decisions, data and scores"
        say(console, f"Runs {found.a} and {found.b} are equal: {words}.")
        return
    say(console, f"A: run {found.a}, {_words(found.status[0])}", "bold")
    say(console, f"B: run {found.b}, {_words(found.status[1])}", "bold")
    _print_differences("Spec", found.spec, console)
    if found.plans:
        title(console, "Plans and decisions, from A to B")
    for plan in found.plans:
        _print_plan(plan, console)
    _print_differences("Rows", found.sizes, console)
    _print_differences("Artefacts", found.artifacts, console)
    _print_scores(found, console)
    for name, lines in (("A", found.findings.a), ("B", found.findings.b)):
        if lines:
            title(console, f"Found in {name} only")
        for line in lines:
            say(console, f"- {line}", indent=2)
    _print_cost(found, console)


def render_replay(report: ReplayReport, console: Console) -> None:
    """A row for all that the run left, then whether it came again."""
    columns = [Column("what"), Column("name"), Column("recorded"), Column("now"), Column("")]
    rows = [_row(row) for row in report.rows]
    differing = frozenset(i for i, row in enumerate(report.rows) if not row.same)
    print_table(console, columns, rows, differing, elastic=1)
    console.print()
    if report.equal:
        words = f"Run {report.run} repeats run {report.source}: every plan and every hash is equal."
        say(console, words, "bold green")
        return
    say(console, f"Run {report.run} differs from run {report.source}.", "bold red")
    say(console, f"First: {report.first}")
    _print_changes(report.changes, console)
    if report.versions:
        say(console, f"Versions have changed: {'; '.join(report.versions)}.")


def _row(row: ReplayRow) -> list[Cell]:
    same = Text("same", "green") if row.same else Text("differs", "red")
    values: list[Cell] = [
        "-" if value is None else value[:HASH] for value in (row.recorded, row.replayed)
    ]
    return [row.what, row.name, *values, same]


def _words(status: str) -> str:
    return status.replace("_", " ")


def _print_differences(head: str, found: Sequence[Difference], console: Console) -> None:
    if not found:
        return
    title(console, head)
    rows: list[list[Cell]] = [[each.name, _value(each.a), _value(each.b)] for each in found]
    print_table(console, [Column("what"), Column("A"), Column("B")], rows, elastic=2)


def _value(value: JsonValue) -> Cell:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    words = shown(value)
    return words[:HASH] if len(words) == 64 else words


def _print_plan(plan: PlanDifference, console: Console) -> None:
    sides = [name for name, decided in (("A", plan.a), ("B", plan.b)) if decided is not None]
    only = f", only in {sides[0]}" if len(sides) == 1 else ""
    console.print(safe_text(f"{plan.plan}{only}", "bold cyan"))
    _print_changes(plan.changes, console)
    if plan.a == plan.b:
        return
    for name, decided in (("A", plan.a), ("B", plan.b)):
        if decided is not None:
            say(console, f"{name}: {'; '.join(decided) or 'not decided yet'}", indent=2)


def _print_changes(changes: Sequence[str], console: Console) -> None:
    for line in changes:
        broken = line.replace('","', '", "')  # a list can wrap between its values
        say(console, broken, _STYLES.get(line[:1], ""), indent=2)


def _print_scores(found: RunComparison, console: Console) -> None:
    if not found.scores:
        return
    title(console, "Macro-F1 on the test side, with its 95 % interval")
    columns = [Column("model"), Column("A"), Column("B"), Column("B - A", number=True)]
    rows: list[list[Cell]] = [
        [
            each.model,
            _score(each.a),
            _score(each.b),
            None if each.difference is None else f"{each.difference:+.3f}",
        ]
        for each in found.scores
    ]
    print_table(console, columns, rows)
    if found.same_test is False:
        say(console, "They were tested on other rows: that alone may make the difference.")


def _score(score: Score | None) -> str | None:
    if score is None:
        return None
    low, high = score.ci
    return f"{score.macro_f1:.3f} ({low:.3f} to {high:.3f})"


def _print_cost(found: RunComparison, console: Console) -> None:
    title(console, "Cost")
    for name, cost in zip("AB", found.cost, strict=True):
        asked = f", {counted(cost.llm_calls, 'call')} of the planner's model"
        spent = f" ({cost.tokens:,} tokens, {cost.money:.2f} US dollars)"
        say(
            console,
            f"{name}: {duration(cost.minutes)}{f'{asked}{spent}' if cost.llm_calls else ''}",
        )
