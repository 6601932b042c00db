"""``netloop data audit``: one verdict, one table, one picture; with a model, what it leans on."""

from pathlib import Path
from typing import Annotated, Any

import typer

from agents.terminal.options import (
    DEFAULT_WORKSPACE,
    By,
    Executor,
    Granularity,
    Json,
    Label,
    Masks,
    Protocols,
    Seed,
    TestShare,
    TestSource,
    WorkerCount,
    Workspace,
)
from pipelines.errors import InputError


def command(
    source: Annotated[Path, typer.Argument(help="A folder of captures, one capture, or a table.")],
    label: Label = None,
    by: By = None,
    test: TestShare = 0.5,
    test_source: TestSource = None,
    masks: Masks = None,
    stress: Annotated[
        str | None,
        typer.Option("--stress", help="Train this model too, and ask what its score leans on."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw the field groups into this PNG file.")
    ] = None,
    granularity: Granularity = "flow",
    protocols: Protocols = False,
    seed: Seed = 0,
    workers: WorkerCount = None,
    executor: Executor = "auto",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Say whether a score on this data can mean anything.

    What single fields and field groups give away on held-out rows, and what training knows of them.

    Example: netloop data audit captures/ --label folder --stress random_forest --picture audit.png
    """
    from agents.terminal.data_commands import mask_list, print_result
    from agents.terminal.direct import Direct
    from agents.terminal.progress import RichProgress
    from agents.terminal.render_audit import render_audit

    hidden = mask_list(masks)
    check_model(stress)
    check_picture(picture)
    with RichProgress() as progress:
        direct = Direct(workspace, seed, progress, executor, workers)
        direct.import_and_split(source, label, granularity, by, test, protocols, test_source)
        result = direct.call("audit_shortcuts", masks=hidden)
        accuracy = None
        if stress is not None:
            result, accuracy = _stressed(direct, result, stress, hidden, test)
    if picture is not None:
        draw(result, accuracy, picture)
    print_result(result, as_json, render_audit)


def check_model(name: str | None) -> None:
    """Raises InputError for a model that is not quick to train, before anything is read."""
    from pipelines.models.registry import QUICK

    if name is not None and name not in QUICK:
        raise InputError(
            f"There is no model {name!r} that is quick to train.", f"There are: {', '.join(QUICK)}."
        )


def check_picture(path: Path | None) -> None:
    """Raises InputError for a file that could not be drawn, before anything is read."""
    if path is None:
        return
    if path.suffix.lower() != ".png":
        raise InputError(f"--picture {path} is no PNG.", "Give a name that ends in .png.")
    if not path.parent.is_dir():
        raise InputError(f"--picture {path}: there is no folder {path.parent}.", "Make it first.")


def _stressed(
    direct: Any, result: dict[str, Any], model: str, masks: list[str], test: float
) -> tuple[dict[str, Any], float]:
    """The audit with what a model leans on and how later traffic fares, and its accuracy."""
    tool = {"cnn": "train_cnn"}.get(model, "train_baselines")
    direct.call(tool, masks=masks, **({} if model == "cnn" else {"models": [model]}))
    direct.call("record_requirements")
    (row,) = direct.call("evaluate_models", best=model)["models"]
    result = {**result, "stress": direct.call("stress_model", model=model)}
    try:
        result["later"] = direct.call("compare_later", model=model, masks=masks, test=test)
    except InputError as error:  # a table without times has no later
        result["later"] = None
        result["advice"] = [*result["advice"], f"Later traffic was not tried: {error.message}"]
    return result, row["accuracy"]


def draw(result: dict[str, Any], accuracy: float | None, path: Path) -> None:
    """Draw what each field group gives away into a PNG file."""
    from pipelines.report.data import AuditGroup
    from pipelines.report.pictures import field_groups, save_picture

    shown = [
        AuditGroup(**{key: row[key] for key in AuditGroup.model_fields if key in row})
        for row in result["groups"]
    ]
    save_picture(field_groups(shown, accuracy), path)
