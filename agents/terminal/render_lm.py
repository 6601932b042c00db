"""Results of the traffic language model on the terminal: tokens, trainings, tasks."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console

from agents.terminal.findings import Numbers
from agents.terminal.tables import Cell, Column, print_table, say, say_exact, title
from pipelines.words import counted

if TYPE_CHECKING:
    from agents.terminal.progress import RichProgress

FORMS = {
    "fields": "TrafficLLM's fields",
    "before": "traffic text before",
    "after": "traffic text after",
}
_MOST_MISTAKEN = 5


def warning(progress: "RichProgress") -> Callable[[str], None]:
    """Shows warnings above the bars."""
    return lambda line: say(progress.console, line, "yellow")


def render_tokens(result: Numbers, console: Console) -> None:
    """Tokens a flow and a packet in each form, and what was added."""
    title(console, f"Tokens of {result['flows']:,} flows of captures kept apart")
    columns = [
        Column("form"),
        Column("a flow", number=True),
        Column("median", number=True),
        Column("95 %", number=True),
        Column("a packet", number=True),
        Column("median", number=True, spare=True),
        Column("95 %", number=True, spare=True),
        Column("bytes/token", number=True, spare=True),
    ]
    rows: list[list[Cell]] = [
        [name, *_spread(cost["flow"]), *_spread(cost["packet"]), _tenths(_payload(cost))]
        for name, cost in ((words, result[form]) for form, words in FORMS.items())
    ]
    print_table(console, columns, rows, frozenset([len(rows) - 1]))
    say(console, f"A flow takes {result['share_of_fields']:.1%} of the tokens of fields.")
    added = counted(result["tokens"], "traffic token was", "traffic tokens were")
    say(console, f"{added} added: the base has {result['vocabulary']:,} tokens.")
    say(console, "Every text and all 256 byte values come back exactly.", "green")
    _print_out(result, console)


def render_pretrained(result: Numbers, console: Console) -> None:
    """What a base was pre-trained on, and how well it foretells captures that it has not seen."""
    learned = f"{result['flows']:,} flows of {counted(result['captures'], 'capture')}"
    title(console, f"A base that learned {learned}")
    say(console, f"{result['tokens']:,} tokens in {counted(result['epochs'], 'epoch')}.")
    if result["held_out_loss"] is None:
        say(console, "Too few captures to keep one apart: its loss was not measured.", "yellow")
    else:
        before, after = result["untrained_loss"], result["held_out_loss"]
        say(console, f"Nats a token on captures kept apart: {before:.3f} -> {after:.3f}")
    _print_out(result, console)


def render_instructed(result: Numbers, console: Console) -> None:
    """How well a tuned base names the tasks of instructions that were kept apart."""
    beside = f" and {counted(result['flows'], 'flow')}" if result["flows"] else ""
    title(console, f"Tuned on {counted(result['rows'], 'instruction')}{beside}")
    best, epochs = result["best_macro_f1"], counted(result["epochs"], "epoch")
    say(console, f"Macro-F1 of tasks on the tenth kept apart: {best:.3f}, best of {epochs}.")
    _print_out(result, console)


def render_tasks(result: Numbers, console: Console) -> None:
    """How often the right task was named, by task, and what was mistaken for what."""
    rows = counted(result["rows"], "instruction")
    title(console, f"Tasks of {rows}")
    say(console, f"accuracy {result['accuracy']:.3f}, macro-F1 {result['macro_f1']:.3f}")
    columns = [
        Column("task"),
        Column("rows", number=True),
        Column("precision", number=True),
        Column("recall", number=True),
        Column("F1", number=True),
    ]
    cells: list[list[Cell]] = [
        [code, score["support"], score["precision"], score["recall"], score["f1"]]
        for code, score in result["per_task"].items()
        if score["support"]
    ]
    print_table(console, columns, cells)
    mistaken = [
        (count, meant, named)
        for meant, counts in result["confusion"].items()
        for named, count in counts.items()
        if named != meant
    ]
    for count, meant, named in sorted(mistaken, reverse=True)[:_MOST_MISTAKEN]:
        say(console, f"- {named} was named where {meant} is meant: {count:,}", "dim")


def _spread(spread: Numbers) -> list[Cell]:
    return [_tenths(spread["mean"]), round(spread["median"]), round(spread["p95"])]


def _payload(cost: Numbers) -> float | None:
    found: float | None = cost["payload_bytes_a_token"]
    return found


def _tenths(number: float | None) -> str | None:
    return None if number is None else f"{number:,.1f}"


def _print_out(result: Numbers, console: Console) -> None:
    console.print()
    say_exact(console, f"base: {result['out']}")
