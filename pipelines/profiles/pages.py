"""The pages of docs/profiles: generated, so that they say what the code does."""

import re
from pathlib import Path

from pipelines.capture.settings import FlowSettings
from pipelines.profiles.profile import Column, Profile
from pipelines.profiles.registry import PROFILES
from pipelines.store.files import ORDINARY, write_atomic
from pipelines.words import counted

BIT = re.compile(r"_(\d+)$")


INDEX = "README.md"
MASKS = "`--masks` leaves out every column of the field groups that it names; some tell of several."
HEADER = "| column | type | unit | field groups | meaning | source |\n|---|---|---|---|---|---|\n"
GUIDE = """\
# Profiles

A profile is the columns in which another tool or standard writes traffic. `netloop data export`
writes captures in any of them:

    netloop data export capture.pcap                                   # NFStream's columns as CSV
    netloop data export captures/ --profile cic --label folder --out flows.csv
    netloop data export capture.pcap --profile zeek-conn --format tsv > conn.log
    tcpdump -U -w - | netloop data export - --profile ipfix --format jsonl > flows.jsonl

- The source is a capture, a folder of captures, a named pipe, or `-` for standard input. The files
  of a rotating capture are one capture. Of several captures, a column `capture` tells each row's.
- `--label` adds the class of each capture: its `file` name, its `folder`, or what a CSV with the
  columns `file` and `label` says.
- `--masks default` leaves out what identifies hosts and moments; without it, everything is written.
- `--format` is `csv`, `tsv`, `jsonl` or `parquet` (to a file). In CSV and TSV a text that a
  spreadsheet would take for a formula begins with `'`.
- `--idle` and `--active` are the seconds after which a silent or an old flow ends.

| profile | a row is a | columns | what it is |
|---|---|---|---|
"""


def page(profile: Profile) -> str:
    """The Markdown page: notes, and what each column means, its unit, groups and source."""
    columns = profile.columns(FlowSettings())
    head = f"# {profile.title}\n\n"
    head += f"`netloop data export CAPTURE --profile {profile.name}`: one row a {profile.unit}, "
    head += f"{counted(len(columns), 'column')}.\n\n{profile.notes}\n\n## Columns\n\n"
    return f"{head}{MASKS}\n\n{HEADER}" + "".join(_row(*span) for span in _spans(columns))


def index() -> str:
    """The Markdown page that leads to the others."""
    rows = (
        f"| [{profile.name}]({profile.name}.md) | {profile.unit} "
        f"| {len(profile.columns(FlowSettings())):,} | {profile.title} |\n"
        for profile in PROFILES.values()
    )
    return GUIDE + "".join(rows)


def _row(name: str, column: Column) -> str:
    cells = (
        f"`{name}`",
        str(column.kind),
        column.unit,
        ", ".join(column.groups),
        column.meaning,
        column.source,
    )
    return f"| {' | '.join(cells)} |\n"


def _spans(columns: tuple[Column, ...]) -> list[tuple[str, Column]]:
    """Columns by name; the single bits of a field are one line."""
    spans: dict[str, list[Column]] = {}
    for column in columns:
        key = BIT.sub("_#", column.name) if column.unit == "bit" else column.name
        spans.setdefault(key, []).append(column)
    return [
        (found[0].name if len(found) == 1 else f"{found[0].name}` ... `{found[-1].name}", found[0])
        for found in spans.values()
    ]


def write_pages(folder: Path) -> None:
    """Write the page of every profile and the index anew."""
    write_atomic(folder / INDEX, index(), mode=ORDINARY)
    for profile in PROFILES.values():
        write_atomic(folder / f"{profile.name}.md", page(profile), mode=ORDINARY)
