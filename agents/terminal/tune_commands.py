"""``netloop tune``: the traffic language model, from its base to a task."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.terminal import tune_task
from agents.terminal.data_commands import print_result
from agents.terminal.options import DEFAULT_WORKSPACE, Json, Seed, Workspace
from agents.terminal.tokenizer_commands import BaseName, BaseOut, Captures
from pipelines.errors import InputError

if TYPE_CHECKING:
    from agents.terminal.progress import RichProgress
    from pipelines.instructions import Instruction
    from pipelines.models.traffic_lm.instruction_tuning import InstructionTuned
    from pipelines.models.traffic_lm.pretrain import Pretrained
    from pipelines.represent.traffic_text import RowText

tune_app = typer.Typer(
    help="Tune a language model: to traffic, to instructions, to a task.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Relabel = Annotated[
    bool, typer.Option("--relabel", help="Mend the wrong labels of TrafficLLM's release.")
]


@tune_app.command("base")
def tune_base(
    captures: Captures,
    out: BaseOut,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help="Passes.", show_default="those of traffic-nano"),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Make a small base from nothing, as traffic-nano was made.

    It learns the flows of unlabelled captures, and instructions. Killed, it goes on where it was
    when the same command is given again.

    Example: netloop tune base captures/ --out nano
    """
    from agents.terminal.new_folder import check_new
    from agents.terminal.progress import RichProgress
    from agents.terminal.render_lm import render_pretrained, warning
    from pipelines.models.traffic_lm.model_card import write_pretraining_card
    from pipelines.models.traffic_lm.pretrain import SETTINGS, pretrain

    check_new(out)
    settings = SETTINGS.model_copy(update={"epochs": epochs or SETTINGS.epochs})
    made_from = ["base", *_hashes(captures), settings.model_dump(), seed]
    with RichProgress() as progress:
        checkpoints = _checkpoints(workspace, made_from, progress)
        made = pretrain(
            captures,
            settings=settings,
            seed=seed,
            checkpoints=checkpoints,
            progress=progress,
            warn=warning(progress),
        )
        named = [str(source) for source in captures]
        _keep(
            out,
            made,
            checkpoints,
            lambda folder: write_pretraining_card(folder, made, named, settings, seed),
        )
    result = {
        "captures": made.captures,
        "flows": made.flows,
        "tokens": made.tokens,
        "epochs": len(made.curve),
        "losses": [epoch.loss for epoch in made.curve],
        "untrained_loss": _known(made.untrained_loss),
        "held_out_loss": _known(made.held_out_loss),
        "out": str(out.resolve()),
    }
    print_result(result, as_json, render_pretrained)


@tune_app.command("instructions")
def tune_to_instructions(
    out: BaseOut,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE.jsonl", help="Instructions; netloop's own if left out."),
    ] = None,
    base: BaseName = "traffic-nano",
    traffic: Annotated[
        list[Path] | None,
        typer.Option("--traffic", help="Captures to learn beside them; may be repeated."),
    ] = None,
    epochs: Annotated[
        int, typer.Option("--epochs", min=1, help="At most; it may stop sooner.")
    ] = 6,
    relabel: Relabel = False,
    seed: Seed = 0,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Tune a base to name the task that a sentence asks for.

    A base without traffic tokens gets those of traffic-nano; give it --traffic to learn them.
    Killed, it goes on where it was when the same command is given again.

    Example: netloop tune instructions --base ./Qwen3-0.6B --traffic captures/ --out qwen-traffic
    """
    from agents.terminal.new_folder import check_new
    from agents.terminal.progress import RichProgress
    from agents.terminal.render_lm import render_instructed, warning
    from pipelines.models.traffic_lm.base import NANO, NANO_FOLDER, load_base
    from pipelines.models.traffic_lm.instruction_tuning import tune_instructions
    from pipelines.models.traffic_lm.model_card import write_tuning_card

    check_new(out)
    if file is None and relabel:
        raise InputError(
            "--relabel mends the labels of a file, and none is given.", "Leave it out."
        )
    rows = own_instructions(seed) if file is None else file_instructions(file, relabel)
    with RichProgress() as progress:
        started = load_base(base)
        flows = _flows(traffic or [], progress)
        asked = [[row.text, row.task] for row in rows]
        made_from = ["instructions", started.fingerprint, asked, [*map(str, flows)], epochs, seed]
        checkpoints = _checkpoints(workspace, made_from, progress)
        tuned = tune_instructions(
            started,
            rows,
            traffic=flows,
            epochs=epochs,
            seed=seed,
            checkpoints=checkpoints,
            progress=progress,
            warn=warning(progress),
        )
        _keep(
            out,
            tuned,
            checkpoints,
            lambda folder: write_tuning_card(
                folder,
                NANO_FOLDER if base == NANO else Path(base),
                tuned,
                len(rows),
                len(flows),
                seed,
            ),
        )
    result = {
        "base": base,
        "rows": len(rows),
        "flows": len(flows),
        "epochs": len(tuned.curve),
        "best_macro_f1": max(epoch.validation_macro_f1 or 0.0 for epoch in tuned.curve),
        "curve": [epoch.model_dump() for epoch in tuned.curve],
        "out": str(out.resolve()),
    }
    print_result(result, as_json, render_instructed)


tune_app.command("task")(tune_task.command)


def own_instructions(seed: int) -> "list[Instruction]":
    """netloop's own instructions, without those that a base of this seed was pre-trained on."""
    from pipelines.instructions import instruction_set

    return [row for place, row in enumerate(instruction_set(seed)) if place % 3]


def file_instructions(file: Path, relabel: bool) -> "list[Instruction]":
    """The instructions of a file, their labels mended if that is wanted."""
    from pipelines.instructions import read_instructions
    from pipelines.instructions.release import relabelled

    rows = read_instructions(file)
    return relabelled(rows) if relabel else rows


def _flows(captures: Sequence[Path], progress: "RichProgress") -> "list[RowText]":
    """The flows of captures, equal ones once."""
    from agents.terminal.render_lm import warning
    from pipelines.represent.corpus import traffic_corpus

    if not captures:
        return []
    corpus = traffic_corpus(captures, progress=progress, warn=warning(progress))
    return list({str(text): text for texts in corpus.values() for text in texts}.values())


def _hashes(captures: Iterable[Path]) -> Iterator[str]:
    """What is in the captures, to tell a training on them from others."""
    from pipelines.datasets.captures import find_captures
    from pipelines.store.files import hash_file

    for source in captures:
        found = find_captures(source)
        yield from map(hash_file, found.files.values() if found else ())


def _checkpoints(workspace: Path, made_from: Sequence[Any], progress: "RichProgress") -> Path:
    """Where a training that is made from this goes on if it was killed."""
    from agents.terminal.tables import say
    from pipelines.models.traffic_lm.checkpoints import WHOLE
    from pipelines.store.files import canonical_json, hash_text

    folder = workspace / "checkpoints" / hash_text(canonical_json(made_from))[:16]
    if any(folder.glob(WHOLE)):
        say(progress.console, "This training was begun before: it goes on from its checkpoint.")
    return folder


def _keep(
    out: Path,
    made: "Pretrained | InstructionTuned",
    checkpoints: Path,
    write_card: Callable[[Path], object],
) -> None:
    """Write a new base with its card; then its checkpoints have done their work."""
    from agents.terminal.new_folder import is_main_process, make_new
    from pipelines.models.traffic_lm.base import save_base
    from pipelines.models.traffic_lm.checkpoints import discard

    def fill(folder: Path) -> None:
        save_base(folder, made.model, made.tokenizer)
        write_card(folder)

    make_new(out, fill)
    if is_main_process():
        discard(checkpoints)


def _known(number: float) -> float | None:
    """JSON knows no NaN."""
    return number if math.isfinite(number) else None
