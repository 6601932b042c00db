"""``netloop data features``: which derived columns would help a model."""

import sys
from typing import Annotated

import typer

from agents.terminal.data_commands import Source, mask_list
from agents.terminal.options import By, Json, Label, Masks, Seed


def features(
    source: Source,
    expressions: Annotated[
        list[str], typer.Argument(metavar="FEATURE...", help='As "ratio(src_bytes, dst_bytes)".')
    ],
    label: Label = None,
    by: By = None,
    model: Annotated[
        str, typer.Option("--model", help="What is trained with and without each.")
    ] = "hist_gradient_boosting",
    repeats: Annotated[
        int, typer.Option("--repeats", help="Fits of each; 5 or more for a random forest.")
    ] = 1,
    masks: Masks = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Try derived columns on validation rows.

    One is kept only if macro-F1 gains by it beyond its interval, corrected for the number of
    features that are tried. The test side stays unread.

    Example: netloop data features lab "ratio(src2dst_bytes, dst2src_bytes)" --label folder
    """
    from rich.console import Console

    from agents.terminal.findings import print_features
    from agents.terminal.progress import RichProgress
    from agents.terminal.tables import say
    from pipelines.datasets.fields import DEFAULT_MASKS, is_captured
    from pipelines.datasets.sources import load_source
    from pipelines.datasets.splits import make_split
    from pipelines.errors import InputError
    from pipelines.features.choose import choose_features
    from pipelines.features.parse import parse
    from pipelines.models.registry import BASELINES

    if model not in BASELINES:
        raise InputError(
            f"Features are not tried on {model!r}.", f"Choose from {', '.join(BASELINES)}."
        )
    hidden = DEFAULT_MASKS if masks is None else mask_list(masks) or ()
    with RichProgress(Console(stderr=True, markup=False, highlight=False)) as progress:
        rows = load_source(source, label, progress=progress).rows
        proposals = [parse(text, rows.schema, hidden) for text in expressions]
        split = make_split(
            rows, by or ("time" if is_captured(rows.schema) else "row"), 0.5, seed=seed
        )
        train, validation = (rows.take(split.rows_on(side)) for side in ("train", "validation"))
        choice = choose_features(
            train,
            validation,
            proposals,
            model=model,
            masks=hidden,
            seed=seed,
            repeats=repeats,
            progress=progress,
        )
    if as_json:
        sys.stdout.write(choice.model_dump_json() + "\n")
        return
    console = Console(markup=False, highlight=False)
    print_features([outcome.model_dump() for outcome in choice.outcomes], console)
    without, with_kept = choice.macro_f1_without, choice.macro_f1_with
    say(
        console,
        f"{model} on {validation.num_rows:,} validation rows, which chose: macro-F1 {without:.3f} "
        f"without and {with_kept:.3f} with those that were kept.",
        "dim",
    )
