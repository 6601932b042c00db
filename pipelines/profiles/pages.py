"""The page of a profile in docs/profiles: generated, so that it says what the code does."""

import re
from pathlib import Path

from pipelines.capture.settings import FlowSettings
from pipelines.profiles.profile import Column, Profile
from pipelines.profiles.registry import PROFILES
from pipelines.store.files import ORDINARY, write_atomic

BIT = re.compile(r"_(\d+)$")


def page(profile: Profile) -> str:
    """The Markdown page: notes, and what each column means, its unit, group and source."""
    columns = profile.columns(FlowSettings())
    head = f"# {profile.title}\n\n"
    head += f"`netloop data export CAPTURE --profile {profile.name}`: one row a {profile.unit}, "
    head += f"{len(columns):,} columns.\n\n{profile.notes}\n\n## Columns\n\n"
    head += (
        "`--masks` leaves out every column of the field groups that it names; some tell of several."
    )
    head += "\n\n"
    head += (
        "| column | type | unit | field groups | meaning | source |\n|---|---|---|---|---|---|\n"
    )
    return head + "".join(_row(*span) for span in _spans(columns))


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
    """Write the page of every profile anew."""
    for profile in PROFILES.values():
        write_atomic(folder / f"{profile.name}.md", page(profile), mode=ORDINARY)
