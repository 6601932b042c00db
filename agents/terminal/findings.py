"""The findings that several commands print: sides, proof, audit, models, health."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from agents.terminal.sanitize import safe_text
from agents.terminal.tables import Cell, Column, print_table, say, title
from pipelines.words import counted

_VERDICT_STYLES = {"shortcut": "red", "weak": "yellow", "none": "green"}
_MOST_NAMED = 10

Numbers = Mapping[str, Any]


def print_sides(rows: Mapping[str, int], groups: Mapping[str, int], console: Console) -> None:
    """How many rows and split groups each side holds."""
    columns = [Column("side"), Column("rows", number=True), Column("groups", number=True)]
    print_table(console, columns, [[side, rows[side], groups[side]] for side in rows])


def print_proof(straddling: int, console: Console) -> None:
    """Whether the split is clean."""
    if straddling:
        words = f"{straddling:,} groups are on two sides: no score on this split counts."
        say(console, words, "red")
    else:
        say(console, "No group is on two sides.", "green")


def print_fields(fields: Sequence[Numbers], console: Console, all_fields: bool = False) -> None:
    """Fields of the audit, strongest first: all of them, or those that say something."""
    telling = [row for row in fields if all_fields or row["verdict"] != "none"]
    named = telling if all_fields else telling[:_MOST_NAMED]
    columns = [
        Column("field"),
        Column("accuracy", number=True),
        Column("majority", number=True, spare=True),
        Column("group", spare=True),
        Column("verdict"),
        Column("models"),
    ]
    rows: list[list[Cell]] = [
        [
            row["name"],
            row["accuracy"],
            row["majority"],
            row["group"],
            safe_text(row["verdict"], _VERDICT_STYLES.get(row["verdict"], "")),
            "masked" if row["masked"] else "see it",
        ]
        for row in named
    ]
    exposed = [i for i, r in enumerate(named) if r["verdict"] == "shortcut" and not r["masked"]]
    if rows:
        print_table(console, columns, rows, frozenset(exposed))
    if rest := len(fields) - len(named):
        what = "field, which tells" if rest == 1 else "fields, which tell"
        say(console, f"{rest:,} more {what} no more than these.", "dim")


def print_models(models: Sequence[Numbers], best: str | None, console: Console) -> None:
    """Models on the test side, best first; the one that was chosen is marked."""
    ordered = sorted(models, key=lambda row: -row["macro_f1"])
    columns = [
        Column("model"),
        Column("macro-F1", number=True),
        Column("95 % interval"),
        Column("accuracy", number=True, spare=True),
        Column("false pos.", number=True, spare=True),
        Column("rows/s", number=True, spare=True),
    ]
    rows: list[list[Cell]] = [
        [
            f"{'*' if row['name'] == best else ' '} {row['name']}",
            row["macro_f1"],
            f"{row['ci'][0]:.3f} to {row['ci'][1]:.3f}",
            row["accuracy"],
            _percent(row.get("false_positive_rate")),
            _whole(row.get("rows_per_second")),
        ]
        for row in ordered
    ]
    known = [i for i in range(len(columns)) if any(row[i] is not None for row in rows)]
    columns, rows = [columns[i] for i in known], [[row[i] for i in known] for row in rows]
    chosen = [i for i, row in enumerate(ordered) if row["name"] == best]
    print_table(console, columns, rows, frozenset(chosen))
    if chosen:
        say(console, "* chosen without the test side", "dim")
    if any(row["ci"][0] <= 0 and row["ci"][1] >= 1 for row in models):
        say(console, "0 to 1: too few split groups on the test side for an interval.", "yellow")
    _print_captures(ordered, console)
    _print_absent([row for row in ordered if row.get("absent")], console)


def _print_absent(models: Sequence[Numbers], console: Console) -> None:
    """How each model of a study of few labels does on families that no draw holds."""
    if not models:
        return
    rows: list[list[Cell]] = [
        [row["name"], *(row["absent"][key] for key in ("mean", "std", "min"))] for row in models
    ]
    title(console, f"On {counted(models[0]['absent']['rows'], 'test row')} of absent families")
    names = ("accuracy", "std", "worst draw")
    print_table(console, [Column("model"), *(Column(name, number=True) for name in names)], rows)


def _print_captures(models: Sequence[Numbers], console: Console) -> None:
    from pipelines.evaluate.captures import CaptureScore, captures_words

    found = {row["name"]: row["captures"] for row in models if row.get("captures")}
    if found:
        scores = {name: CaptureScore.model_validate(score) for name, score in found.items()}
        say(console, captures_words(scores))


def print_features(outcomes: Sequence[Numbers], console: Console) -> None:
    """What became of each derived column that was tried; those that models read are marked."""
    columns = [
        Column("feature"),
        Column("verdict"),
        Column("gain", number=True),
        Column("interval"),
    ]
    rows: list[list[Cell]] = [
        [
            row["expression"],
            row["verdict"],
            None if row["difference"] is None else f"{row['difference']:+.4f}",
            row["ci"] and f"{row['ci'][0]:+.4f} to {row['ci'][1]:+.4f}",
        ]
        for row in outcomes
    ]
    kept = [number for number, row in enumerate(outcomes) if row["verdict"] == "kept"]
    print_table(console, columns, rows, frozenset(kept))


def print_health(records: Sequence[Numbers], console: Console) -> None:
    """What was read from all captures together; reasons and the first corrupt records."""
    totals = {
        key: sum(record.get(key, 0) for record in records)
        for key in ("packets", "bytes", "truncated", "corrupt", "dropped")
    }
    skipped = sum(sum(record["skipped"].values()) for record in records)
    title(console, "Health of the captures")
    size = f"{totals['bytes'] / 1e6:,.1f} MB"
    read = f"{counted(len(records), 'capture')}, {totals['packets']:,} packets, {size} read"
    lost = f"{totals['truncated']:,} packets truncated, {skipped:,} skipped"
    say(console, f"{read}; {lost}, {totals['corrupt']:,} records corrupt.")
    if totals["dropped"]:
        told = f"{counted(totals['dropped'], 'packet')} dropped by the system, being too many"
        say(console, f"- {told}", "yellow")
    _print_tunnels_and_fragments(records, console)
    reasons: dict[str, int] = {}
    for record in records:
        for reason, count in record["skipped"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    if reasons:
        rows = sorted(reasons.items(), key=lambda item: -item[1])
        print_table(console, [Column("skipped because"), Column("packets", number=True)], rows)
    corrupt = [(record["file"], found) for record in records for found in record["corrupt_records"]]
    for name, found in corrupt[:_MOST_NAMED]:
        say(console, f"- {name} at byte {found['offset']:,}: {found['reason']}", "yellow")
    if totals["corrupt"] > _MOST_NAMED:
        say(console, f"- and {totals['corrupt'] - _MOST_NAMED:,} more; --json names them", "yellow")


def _print_tunnels_and_fragments(records: Sequence[Numbers], console: Console) -> None:
    tunnels: dict[str, int] = {}
    for record in records:
        for name, count in record.get("tunnels", {}).items():
            tunnels[name] = tunnels.get(name, 0) + count
    if tunnels:
        most_first = sorted(tunnels.items(), key=lambda item: -item[1])
        say(console, f"- in tunnels: {', '.join(f'{n:,} {name}' for name, n in most_first)}")
    names = ("too_nested", "fragments", "reassembled", "fragments_lost")
    nested, fragments, whole, lost = (sum(r.get(name, 0) for r in records) for name in names)
    if nested:
        say(console, f"- {counted(nested, 'packet')} in more tunnels than are opened", "yellow")
    if fragments:
        told = f"{counted(whole, 'datagram')} put together of {counted(fragments, 'fragment')}"
        say(console, f"- {told}, {lost:,} lost", "yellow" if lost else "")


def _percent(share: float | None) -> Text | None:
    return None if share is None else Text(f"{share:.2%}")


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)
