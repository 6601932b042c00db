"""``netloop train`` and ``evaluate``: models outside a run."""

import shutil
from collections.abc import Mapping
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
    calls: dict[str, dict[str, Any]] = {"train_baselines": {}}
    train_and_test(calls, setting, work, mask_list(masks), seed, out, as_json, workspace)


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
    calls = {"train_cnn": {"epochs": epochs}}
    train_and_test(calls, setting, work, mask_list(masks), seed, out, as_json, workspace)


def evaluate(
    detector: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A detector's folder, a run's id, last; or instructions: how well a base names "
            "the tasks of SOURCE, a JSONL file.",
        ),
    ],
    source: Source,
    label: Label = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="With instructions: the base to score.",
            show_default="traffic-nano",
        ),
    ] = None,
    relabel: Annotated[
        bool,
        typer.Option("--relabel", help="With instructions: mend TrafficLLM's wrong labels."),
    ] = False,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Score a detector on other labelled data.

    With the word instructions, score a base instead; a detector called so is ./instructions.

    Example: netloop evaluate detector later-captures/ --label file

    Example: netloop evaluate instructions asked.jsonl --model qwen-traffic
    """
    if detector == "instructions":
        _evaluate_instructions(source, base or "traffic-nano", relabel, as_json)
        return
    if base or relabel:
        raise InputError(
            "--model and --relabel belong to instructions, not to a detector.",
            "Example: netloop evaluate instructions asked.jsonl --model qwen-traffic",
        )
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


def _evaluate_instructions(file: Path, base: str, relabel: bool, as_json: bool) -> None:
    from agents.terminal.progress import RichProgress
    from agents.terminal.render_lm import render_tasks
    from agents.terminal.tune_commands import file_instructions
    from pipelines.models.traffic_lm.classifier import extended_base
    from pipelines.models.traffic_lm.instruction_tuning import evaluate_instructions
    from pipelines.models.traffic_lm.settings import TrafficLmSettings

    rows = file_instructions(file, relabel)
    with RichProgress() as progress:
        judged = extended_base(TrafficLmSettings(base=base))
        score = evaluate_instructions(judged, rows, progress)
    print_result({"base": base, **score.model_dump()}, as_json, render_tasks)


def find_detector(name: str, workspace: Path) -> Path:
    """A detector's folder, given as such or as the run that packed it."""
    if Path(name).is_dir():
        return Path(name)
    from agents.life_cycle import opened  # langgraph, which a folder has no need of
    from agents.terminal.runs_commands import find_run
    from pipelines.store.run import RUN_ID

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


def train_and_test(
    calls: Mapping[str, dict[str, Any]],
    setting: dict[str, Any],
    work: dict[str, Any],
    masks: list[str],
    seed: int,
    out: Path | None,
    as_json: bool,
    workspace: Path,
    packed: str | None = None,
) -> None:
    """Split and audit a source, call the tools that train, score all models on the test side.

    ``out`` is for the model ``packed``, or for the one that validation prefers. Of the processes
    that torchrun starts, all train the first tool's models; what follows is the main one's.
    """
    from agents.terminal.direct import Direct
    from agents.terminal.new_folder import check_new, is_main_process, make_new
    from agents.terminal.progress import RichProgress
    from agents.terminal.render import render_models

    if out is not None:
        check_new(out)
    with RichProgress() as progress:
        direct = Direct(workspace, seed, progress, **work)
        direct.import_and_split(**setting)
        direct.call("record_requirements")
        direct.call("audit_shortcuts", masks=masks)
        scores: dict[str, float] = {}
        for tool, params in calls.items():
            scores |= direct.call(tool, masks=masks, **params)["validation"]
            if not is_main_process():
                raise typer.Exit
        best = max(scores, key=lambda name: scores[name])
        result = direct.call("evaluate_models", best=best)
        if out is not None:
            direct.call("package_detector", model=packed or best)
            detector = direct.path("detector")
            make_new(out, lambda folder: shutil.copytree(detector, folder, dirs_exist_ok=True))
    print_result(result, as_json, render_models)
