"""An audit on the terminal: the verdict first, one row a field group, then every field."""

from typing import Any

from rich.console import Console

from agents.terminal.findings import Numbers, print_fields
from agents.terminal.sanitize import safe_text
from agents.terminal.tables import Cell, Column, print_table, say, title

_LEVELS = {"trustworthy": "bold green", "doubtful": "bold yellow", "leaking": "bold red"}
_VERDICTS = {"shortcut": "red", "strong": "yellow", "weak": "yellow", "none": "green"}


def render_audit(result: Numbers, console: Console) -> None:
    """The whole audit, for people."""
    say(console, f"The audit calls this {result['verdict']}.", _LEVELS[result["verdict"]])
    for reason in result["reasons"]:
        say(console, f"- {reason}", "yellow")
    title(console, "What each field group gives away")
    print_groups(result["groups"], result.get("stress"), console)
    title(console, "What training knows of the test side")
    for leak in result["leaks"]:
        say(console, f"- {leak['words']}", "" if leak["verdict"] == "none" else "yellow")
    title(console, "How far one field alone gives the label away")
    print_fields(result["fields"], console, all_fields=True)
    _print_duplicates(result, console)
    if result.get("stress"):
        _print_stress(result["stress"], console)
    if result.get("later"):
        _print_later(result["later"], console)
    notes = [note for note in result["advice"] if note not in _told(result)]
    if notes:
        title(console, "Keep in mind")
    for note in notes:
        say(console, f"- {note}", "yellow")


def print_groups(groups: Any, stress: Numbers | None, console: Console) -> None:
    """The one table of the audit; with what the model lost, if one was asked."""
    falls = {row["name"]: row["fall"] for row in stress["falls"]} if stress else {}
    columns = [
        Column("group"),
        Column("best field", spare=True),
        Column("alone", number=True, spare=stress is not None),
        Column("tree", number=True),
        Column("majority", number=True, spare=True),
        Column("verdict"),
        Column("models"),
        *([Column("fall", number=True)] if stress else []),
    ]
    rows: list[list[Cell]] = [
        [
            row["group"],
            row["field"],
            row["field_accuracy"],
            row["tree_accuracy"],
            row["majority"],
            safe_text(row["verdict"], _VERDICTS[row["verdict"]]),
            "masked" if row["masked"] else "see it",
            *([falls.get(row["group"])] if stress else []),
        ]
        for row in groups
    ]
    exposed = [i for i, r in enumerate(groups) if r["verdict"] == "shortcut" and not r["masked"]]
    print_table(console, columns, rows, frozenset(exposed))


def _print_duplicates(result: Numbers, console: Console) -> None:
    repeated = [row for row in result["duplicates"] if row["duplicates"]]
    if repeated:
        title(console, f"Test rows whose {result['duplicate_of']} also occurs on the train side")
        columns = [Column("class"), Column("repeated", number=True), Column("of", number=True)]
        print_table(console, columns, [[r["label"], r["duplicates"], r["of"]] for r in repeated])


def _print_stress(stress: Numbers, console: Console) -> None:
    title(console, f"What {stress['model']} leans on")
    for row in stress["falls"]:
        low, high = row["ci"]
        words = f"- without {row['name']}: macro-F1 falls by {row['fall']:.3f}"
        say(console, f"{words} ({low:.3f} to {high:.3f}) from {stress['macro_f1']:.3f}")
    forged = stress["forged"]
    if not forged["groups"]:
        return
    words = f"- in a forged network ({', '.join(forged['groups'])} replaced): "
    if forged["moved"]:
        words += f"macro-F1 {forged['macro_f1']:.3f}, a fall of {forged['fall']:.3f}"
        say(console, words, "yellow")
    else:
        say(console, f"{words}not one probability moved", "green")


def _print_later(later: Numbers, console: Console) -> None:
    title(console, "Later traffic")
    for name, words in (("later", "what came after"), ("random", "a random part")):
        low, high = later[name]["ci"]
        score = f"macro-F1 {later[name]['macro_f1']:.3f} ({low:.3f} to {high:.3f})"
        say(console, f"- {later['model']} tested on {words}: {score}")
    low, high = later["gap_ci"]
    words = "no clear gap between both" if low <= 0 <= high else "a random split hides the gap"
    say(console, f"- {words}: {later['gap']:+.3f} ({low:+.3f} to {high:+.3f})")


def _told(result: Numbers) -> set[str]:
    return {*result["reasons"], *(leak["words"] for leak in result["leaks"])}
