"""``netloop tokenizer``: give a base model tokens for traffic."""

from pathlib import Path
from typing import Annotated

import typer

from agents.terminal.options import Json

app = typer.Typer(
    help="Teach a tokenizer to write traffic in few tokens.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Captures = Annotated[
    list[Path], typer.Argument(metavar="CAPTURES", help="Captures, or folders of them.")
]
BaseName = Annotated[
    str, typer.Option("--base", help="traffic-nano, a folder, or a name on the hub.")
]
BaseOut = Annotated[Path, typer.Option("--out", help="A new folder, for a base model.")]


@app.callback()
def tokenizer() -> None:
    """Teach a tokenizer to write traffic in few tokens."""


@app.command()
def train(
    captures: Captures,
    base: BaseName,
    out: BaseOut,
    size: Annotated[
        int, typer.Option("--size", min=1, help="Traffic tokens to learn, at most.")
    ] = 4096,
    least: Annotated[
        int, typer.Option("--least", min=1, help="How often a token must occur.")
    ] = 20,
    held_out: Annotated[
        int,
        typer.Option("--held-out", min=2, help="One capture in so many is kept to count on."),
    ] = 10,
    as_json: Json = False,
) -> None:
    """Learn traffic tokens on captures and give them to a base.

    What the base has stays as it is. Prints tokens a flow before and after, counted on captures
    that were kept apart. Tune the new base before use: netloop tune instructions.

    Example: netloop tokenizer train captures/ --base ./Qwen3-0.6B --out qwen-traffic
    """
    from agents.terminal.data_commands import print_result
    from agents.terminal.new_folder import check_new, make_new
    from agents.terminal.progress import RichProgress
    from agents.terminal.render_lm import render_tokens, warning
    from pipelines.models.traffic_lm.base import load_base, save_base
    from pipelines.models.traffic_lm.tokenizer_report import divided, teach_traffic
    from pipelines.represent.corpus import traffic_corpus

    check_new(out)
    with RichProgress() as progress:
        taught = load_base(base)
        corpus = traffic_corpus(captures, progress=progress, warn=warning(progress))
        learned, judged = divided(corpus, held_out)
        report = teach_traffic(taught, learned, judged, size=size, least=least, progress=progress)
        make_new(out, lambda folder: save_base(folder, taught.model, taught.tokenizer))
    result = {
        **report.model_dump(),
        "share_of_fields": report.share_of_fields,
        "learned_flows": len(learned),
        "out": str(out.resolve()),
    }
    print_result(result, as_json, render_tokens)
