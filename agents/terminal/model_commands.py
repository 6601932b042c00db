"""``netloop train`` and ``evaluate``: models outside a run."""

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from agents.terminal.data_commands import Source, mask_list, print_result
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
    WorkerCount,
    Workspace,
)
from pipelines.errors import InputError

train_app = typer.Typer(
    help="Train models on labelled data and score them on held-out rows.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Out = Annotated[
    Path | None, typer.Option("--out", help="Where to put the detector; nowhere if left out.")
]
Detector = Annotated[
    str, typer.Argument(metavar="MODEL", help="A detector's folder, a run's id, or last.")
]


@train_app.command()
def baselines(
    source: Source,
    label: Label = None,
    by: By = None,
    test: TestShare = 0.5,
    masks: Masks = None,
    granularity: Granularity = "flow",
    protocols: Protocols = False,
    seed: Seed = 0,
    out: Out = None,
    workers: WorkerCount = None,
    executor: Executor = "auto",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Train the ladder, from the majority class to gradient boosting.

    Example: netloop train baselines captures/ --label file --out forest
    """
    setting = {
        "source": source,
        "label": label,
        "granularity": granularity,
        "by": by,
        "test": test,
        "protocols": protocols,
    }
    work = {"executor": executor, "workers": workers}
    _train("train_baselines", {}, setting, work, mask_list(masks), seed, out, as_json, workspace)


@train_app.command()
def cnn(
    source: Source,
    label: Label = None,
    by: By = None,
    test: TestShare = 0.5,
    masks: Masks = None,
    granularity: Granularity = "flow",
    protocols: Protocols = False,
    epochs: Annotated[int, typer.Option("--epochs", help="At most; it may stop sooner.")] = 30,
    seed: Seed = 0,
    out: Out = None,
    workers: WorkerCount = None,
    executor: Executor = "auto",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Train the 1-D CNN.

    It reads packet tokens and payload bytes, or a table's columns.

    Example: netloop train cnn captures/ --label file --epochs 20 --out detector
    """
    setting = {
        "source": source,
        "label": label,
        "granularity": granularity,
        "by": by,
        "test": test,
        "protocols": protocols,
    }
    work = {"executor": executor, "workers": workers}
    _train(
        "train_cnn",
        {"epochs": epochs},
        setting,
        work,
        mask_list(masks),
        seed,
        out,
        as_json,
        workspace,
    )


def evaluate(
    detector: Detector,
    source: Source,
    label: Label = None,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Score a detector on other labelled data.

    Example: netloop evaluate detector later-captures/ --label file
    """
    from agents.terminal.direct import Direct
    from agents.terminal.progress import RichProgress
    from agents.terminal.render import render_score

    with RichProgress() as progress:
        direct = Direct(workspace, 0, progress)
        result = direct.call(
            "evaluate_detector",
            detector=str(find_detector(detector, workspace)),
            source=str(source),
            label=label,
        )
    print_result(result, as_json, render_score)


def find_detector(name: str, workspace: Path) -> Path:
    """A detector's folder, given as such or as the run that packed it."""
    from agents.life_cycle import opened
    from agents.terminal.runs_commands import find_run
    from pipelines.store.run import RUN_ID

    if Path(name).is_dir():
        return Path(name)
    if name != "last" and not RUN_ID.fullmatch(name):
        raise InputError(
            f"There is no detector folder {name!r}.", "Give a folder, a run's id, or last."
        )
    run = find_run(name, workspace)
    with opened(run, workspace) as life_cycle:
        digest = life_cycle.state().get("artifacts", {}).get("detector")
    if digest is None:
        raise InputError(
            f"Run {run.id} has packed no detector yet.", f"Go on: netloop runs resume {run.id}"
        )
    return Path(run.store.path(digest))


def _train(
    tool: str,
    params: dict[str, Any],
    setting: dict[str, Any],
    work: dict[str, Any],
    masks: list[str],
    seed: int,
    out: Path | None,
    as_json: bool,
    workspace: Path,
) -> None:
    from agents.terminal.direct import Direct
    from agents.terminal.progress import RichProgress
    from agents.terminal.render import render_models

    if out is not None and out.exists():
        raise InputError(f"--out {out} is there already.", "Name a folder that does not exist yet.")
    with RichProgress() as progress:
        direct = Direct(workspace, seed, progress, **work)
        direct.import_and_split(**setting)
        direct.call("record_requirements")
        direct.call("audit_shortcuts", masks=masks)
        scores = direct.call(tool, masks=masks, **params)["validation"]
        best = max(scores, key=lambda name: scores[name])
        result = direct.call("evaluate_models", best=best)
        if out is not None:
            direct.call("package_detector", model=best)
            shutil.copytree(direct.path("detector"), out)
    print_result(result, as_json, render_models)
