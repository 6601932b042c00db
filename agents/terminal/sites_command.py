"""``netloop sites``: where to learn and where to judge, if traffic is seen at several sites."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from agents.terminal.data_commands import Source, mask_list
from agents.terminal.options import (
    DEFAULT_WORKSPACE,
    Json,
    Label,
    Masks,
    Offline,
    Seed,
    TestShare,
    Workspace,
)


def sites(
    source: Source,
    label: Label = None,
    by: Annotated[
        str,
        typer.Option(
            "--by", help="What tells sites apart: a column, capture, host, day, or classes."
        ),
    ] = "classes",
    count: Annotated[
        int | None, typer.Option("--count", help="How many sites; 4 of classes.")
    ] = None,
    model: Annotated[str, typer.Option("--model", help="What each site or the hub trains.")] = (
        "random_forest"
    ),
    delay: Annotated[float, typer.Option("--delay", help="Of a link, one way, in ms.")] = 20.0,
    mbit: Annotated[float, typer.Option("--mbit", help="Of a link, in Mbit/s.")] = 100.0,
    batch: Annotated[int, typer.Option("--batch", help="Rows judged at once.")] = 32,
    test: TestShare = 0.3,
    masks: Masks = None,
    seed: Seed = 0,
    augment: Annotated[
        str | None,
        typer.Option(
            "--augment", help="Whoever trains adds rows of this generator: smote, llm, ..."
        ),
    ] = None,
    amount: Annotated[
        float | None,
        typer.Option("--amount", help="Synthetic rows to each real one.", show_default="1"),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="For a generator that asks a language model: llm_sees=redacted, "
            "budget.llm_calls=200",
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Where to draw it as SVG.")
    ] = None,
    as_json: Json = False,
    offline: Offline = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Compare three layouts of several sites.

    Real processes learn and judge over shaped links of this machine.
    centralised: rows go to a hub. distributed: each site on its own. hybrid: models are shared.
    With --augment, what a language model costs each of them is compared as well.

    Example: netloop sites lab --label folder --count 3 --mbit 10

    Example: netloop sites lab --label folder --augment llm --amount 4 --set budget.llm_calls=200
    """
    from rich.console import Console

    from agents.terminal.progress import RichProgress
    from agents.terminal.sites_rows import augmented
    from pipelines.datasets.fields import DEFAULT_MASKS
    from pipelines.datasets.sources import load_source
    from pipelines.deploy.compare import compare
    from pipelines.deploy.link import Link
    from pipelines.deploy.picture import picture as drawn
    from pipelines.deploy.picture import table
    from pipelines.deploy.sites import CLASSES, shard_sites
    from pipelines.store.files import write_atomic

    spec = {
        "goal": "Compare layouts of several sites",
        "data": {"source": str(source), "label": label},
        "seed": seed,
    }
    rows_made = augmented(augment, amount, spec, changes, workspace)
    console = Console(stderr=True, markup=False, highlight=False)
    link = Link(delay_ms=delay, mbit=mbit)
    with rows_made as augmentation, RichProgress(console) as progress:
        rows = load_source(source, label, progress=progress).rows
        many = 4 if count is None and by == CLASSES else count
        shared = shard_sites(rows, by, many, seed)
        study = compare(
            rows,
            sites=shared,
            test=test,
            model=model,
            masks=DEFAULT_MASKS if masks is None else mask_list(masks) or (),
            seed=seed,
            link=link,
            batch=batch,
            augment=augmentation,
            progress=progress,
        )
    if picture is not None:
        write_atomic(picture, drawn(study))
    if as_json:
        sys.stdout.write(study.model_dump_json() + "\n")
    else:
        sys.stdout.write("\n".join(table(study)) + "\n")
