"""``netloop tune task``: a language model that names the classes of labelled data."""

from typing import Annotated, Any, Literal

import typer

from agents.terminal.data_commands import Source, mask_list
from agents.terminal.model_commands import Out, train_and_test
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
from agents.terminal.tokenizer_commands import BaseName


def command(
    source: Source,
    label: Label = None,
    base: BaseName = "traffic-nano",
    method: Annotated[
        Literal["auto", "full", "lora", "prefix"],
        typer.Option("--method", help="auto is full for small bases, lora for larger ones."),
    ] = "auto",
    task: Annotated[
        str, typer.Option("--task", help="Code of the task that the prompt names, as MTD.")
    ] = "NONE",
    labels: Annotated[
        Literal["tokens", "names"],
        typer.Option("--labels", help="Answer with a reserved token a class, or with its name."),
    ] = "tokens",
    most_tokens: Annotated[
        int, typer.Option("--most-tokens", help="Tokens of a row; what says least goes.")
    ] = 126,
    epochs: Annotated[int, typer.Option("--epochs", help="At most; it may stop sooner.")] = 5,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="The highest; chosen if left out.")
    ] = None,
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Less memory, slower.")
    ] = False,
    four_bit: Annotated[
        bool, typer.Option("--four-bit", help="Load the base in 4 bits (on a CUDA device).")
    ] = False,
    controls: Annotated[
        bool, typer.Option("--controls", help="Also from random weights, and the base untuned.")
    ] = False,
    ladder: Annotated[
        bool, typer.Option("--ladder", help="Also the baselines, on the same split.")
    ] = False,
    cnn: Annotated[bool, typer.Option("--cnn", help="Also the CNN, on the same split.")] = False,
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
    """Tune a base to name the classes of labelled data.

    Every model is scored on the same held-out rows. --out packs the language model.

    Example: netloop tune task captures/ --label file --ladder --cnn --out detector
    """
    from pipelines.instructions import task_of

    calls: dict[str, dict[str, Any]] = {
        "train_traffic_lm": {
            "base": base,
            "method": method,
            "task": task_of(task).code,
            "labels": labels,
            "most_tokens": most_tokens,
            "epochs": epochs,
            "learning_rate": learning_rate,
            "gradient_checkpointing": gradient_checkpointing,
            "four_bit": four_bit,
            "controls": controls,
        }
    }
    if ladder:
        calls["train_baselines"] = {}
    if cnn:
        calls["train_cnn"] = {}
    setting = {
        "source": source,
        "label": label,
        "granularity": granularity,
        "by": by,
        "test": test,
        "protocols": protocols,
    }
    work = {"executor": executor, "workers": workers}
    train_and_test(
        calls, setting, work, mask_list(masks), seed, out, as_json, workspace, packed="traffic_lm"
    )
