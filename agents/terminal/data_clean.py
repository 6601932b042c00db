"""``netloop data clean``: filters with what they would move, the quarantine, and the way back."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.terminal.options import (
    DEFAULT_WORKSPACE,
    Executor,
    Granularity,
    Json,
    Label,
    Seed,
    WorkerCount,
    Workspace,
)
from pipelines.words import counted

if TYPE_CHECKING:
    from rich.console import Console

    from agents.terminal.direct import Direct

Source = Annotated[
    Path,
    typer.Argument(
        help="A folder of captures, one capture, or a table; with --undo what --out wrote."
    ),
]
KEPT, QUARANTINE, RESTORED = "kept", "quarantine", "restored"


def clean(
    source: Source,
    label: Label = None,
    filters: Annotated[
        str | None,
        typer.Option("--filters", help="Apply these, with commas; shows all filters if left out."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="filter.parameter=value, as in few_packets.packets=3."),
    ] = None,
    thorough: Annotated[
        bool,
        typer.Option("--thorough", help="Judge labels too, and what each filter does to a score."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="A folder, empty or not there yet, for rows and quarantine."),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Join both parts to the rows before.")
    ] = False,
    granularity: Granularity = "flow",
    workers: WorkerCount = None,
    executor: Executor = "auto",
    seed: Seed = 0,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Find rows that spoil a dataset, and set them aside.

    Without --filters shows what each filter would move. Nothing is deleted.

    Example: netloop data clean captures/ --filters few_packets --out cleaned
    """
    from agents.terminal.data_commands import print_result
    from agents.terminal.direct import Direct
    from agents.terminal.progress import RichProgress
    from pipelines.errors import InputError

    if undo:
        print_result(_undo(source, out), as_json, render_undone)
        return
    chosen = choices(filters, settings or [])
    if out is not None and not chosen:
        raise InputError(
            "--out keeps what filters leave, and none is applied.",
            "Name some with --filters; without --out this shows them.",
        )
    _check_free(out)
    with RichProgress() as progress:
        direct = Direct(workspace, seed, progress, executor, workers)
        found = direct.call("inspect_source", source=str(source), label=label)
        direct.call(
            "import_rows", source=str(source), label=found["label"], granularity=granularity
        )
        result = _propose(direct, thorough) if filters is None else _clean(direct, chosen, out)
    print_result(result, as_json, render_proposals if filters is None else render_cleaned)


def choices(filters: str | None, settings: list[str]) -> list[dict[str, Any]]:
    """The filters of ``a,b`` in their order, with the parameters that ``a.name=value`` set.

    Raises InputError for a setting of a filter that is not applied, or that cannot be read.
    """
    from agents.edits import read_value
    from pipelines.errors import InputError

    names = dict.fromkeys(name.strip() for name in (filters or "").split(","))
    chosen: dict[str, dict[str, Any]] = {name: {} for name in names if name}
    for setting in settings:
        place, equals, value = setting.partition("=")
        name, dot, parameter = place.strip().partition(".")
        if not (equals and dot and parameter):
            raise InputError(
                f"--set {setting!r} cannot be read.", "Example: --set few_packets.packets=3"
            )
        if name not in chosen:
            raise InputError(
                f"--set names the filter {name!r}, which is not applied.",
                "Name it in --filters too.",
            )
        chosen[name][parameter] = read_value(value)
    return [{"name": name, "params": params} for name, params in chosen.items()]


def _check_free(out: Path | None) -> None:
    from pipelines.errors import InputError

    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there already and not an empty folder.", "Name another one.")


def _propose(direct: "Direct", thorough: bool) -> dict[str, Any]:
    numbers = direct.call("propose_filters", thorough=thorough)
    shown = json.loads((direct.path("filter_examples") / "examples.json").read_text())
    return {**numbers, "examples": shown}


def _clean(direct: "Direct", chosen: list[dict[str, Any]], out: Path | None) -> dict[str, Any]:
    from pipelines.store.rows import read_rows, write_rows

    numbers = direct.call("clean_rows", filters=chosen)
    places = {KEPT: direct.path("clean_rows"), QUARANTINE: direct.path("quarantine")}
    if out is not None:
        for name, made in places.items():
            (out / name).mkdir(parents=True)
            write_rows(out / name, read_rows(made))
            places[name] = out / name
    return {**numbers, **{name: str(place.resolve()) for name, place in places.items()}}


def _undo(source: Path, out: Path | None) -> dict[str, Any]:
    from pipelines.cleaning.quarantine import restore
    from pipelines.errors import InputError
    from pipelines.store.rows import read_rows, write_rows

    if not (source / KEPT).is_dir() or not (source / QUARANTINE).is_dir():
        raise InputError(
            f"{source} holds no {KEPT} and {QUARANTINE}.", "Give the folder that --out named."
        )
    rows = restore(read_rows(source / KEPT), read_rows(source / QUARANTINE))
    place = source / RESTORED if out is None else out
    _check_free(place)
    place.mkdir(parents=True, exist_ok=True)
    write_rows(place, rows)
    return {"rows": rows.num_rows, RESTORED: str(place.resolve())}


def render_proposals(result: dict[str, Any], console: "Console") -> None:
    """Every filter: what it would move and to what effect, then why, then rows to look at."""
    from agents.terminal.tables import Column, print_table, say, title

    filters = result["filters"]
    if not filters:
        say(console, "No filter would move a row.")
    else:
        title(console, f"{counted(len(filters), 'filter')} would move rows")
        columns = [
            Column("filter"),
            Column("rows", number=True),
            Column("share", number=True),
            Column("classes", number=True, spare=True),
            Column("rightly", number=True, spare=True),
            Column("macro-F1", spare=True),
            Column("advice"),
        ]
        cells = [
            [
                found["name"],
                found["rows"],
                f"{found['share']:.1%}",
                len(found["classes"]),
                _percent(found["precision"]),
                _effect(found["effect"]),
                "recommended" if found["recommended"] else "look first",
            ]
            for found in filters
        ]
        print_table(console, columns, cells)
    for found in filters:
        _print_filter(found, result["examples"].get(found["name"], []), console)
    if result["not_tried"]:
        names = ", ".join(result["not_tried"])
        console.print()
        say(
            console,
            f"Not tried, because they take minutes: {names} (netloop data clean --thorough).",
            "dim",
        )


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"


def _effect(effect: dict[str, float] | None) -> str | None:
    if effect is None:
        return None
    return f"{effect['macro_f1_without']:.3f} -> {effect['macro_f1_with']:.3f}"


def _print_filter(found: dict[str, Any], rows: list[dict[str, Any]], console: "Console") -> None:
    """Why a filter is offered, the classes that it takes most of, and a few of its rows."""
    from agents.terminal.tables import say, say_exact, title

    title(console, found["name"])
    say(console, found["reason"], indent=2)
    most = sorted(found["classes"].items(), key=lambda item: -item[1])[:5]
    say(console, "Most of: " + ", ".join(f"{name} {share:.1%}" for name, share in most), "dim", 2)
    for row in rows:
        values = " ".join(f"{name}={value}" for name, value in row["values"].items())
        detail = f" ({row['detail']})" if row["detail"] else ""
        say_exact(console, f"  row {row['row']}: {row['label']}{detail} {values}")


def render_cleaned(result: dict[str, Any], console: "Console") -> None:
    """How many rows went where, and how to take it back."""
    from agents.terminal.tables import Column, print_table, say, say_exact, title

    title(console, f"{counted(result['rows'], 'row')} kept, {result['quarantined']:,} set aside")
    columns = [Column("filter"), Column("rows", number=True)]
    print_table(console, columns, [[name, rows] for name, rows in result["moved"].items()])
    for name in (KEPT, QUARANTINE):
        say_exact(console, f"{name}: {result[name]}/rows.parquet")
    if Path(result[KEPT]).parent == Path(result[QUARANTINE]).parent and (
        Path(result[KEPT]).name == KEPT
    ):
        say(console, "To take it back: netloop data clean FOLDER --undo", "dim")


def render_undone(result: dict[str, Any], console: "Console") -> None:
    """Where the rows lie that are as they were."""
    from agents.terminal.tables import say_exact

    say_exact(
        console, f"{counted(result['rows'], 'row')} as before: {result[RESTORED]}/rows.parquet"
    )
