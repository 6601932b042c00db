"""``netloop runs replay``, ``fork`` and ``diff``: a run again, another way on, two side by side."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.terminal.options import DEFAULT_WORKSPACE, Json, Workspace
from agents.terminal.runs_commands import Run, find_run
from pipelines.errors import InputError, NetloopError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

    from agents.checkpoints import Stage

Other = Annotated[str, typer.Argument(metavar="OTHER", help="The other run's id, or last.")]


class Stopped(NetloopError):
    """The person stopped it with Ctrl-C."""

    exit_code = 130


def replay(run: Run, as_json: Json = False, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Do a finished or paused run again, in a new run, and compare.

    Decisions and a language model's answers are taken from its record; plans are proposed and
    steps are run anew, without network. Exit code 0 if every plan and every artefact is the same,
    else 1.

    Example: netloop runs replay last
    """
    from agents.retrace import replay as repeat
    from agents.terminal.progress import RichProgress
    from agents.terminal.render_compare import render_replay

    source = find_run(run, workspace)
    try:
        with RichProgress(_stderr()) as progress:
            report = repeat(source, workspace, progress)
    except KeyboardInterrupt:
        words = "What was done is a run of its own: go on with it (netloop runs resume last)."
        raise Stopped(f"The replay of run {source.id} was interrupted.", words) from None
    if as_json:
        _print_json(report)
    else:
        render_replay(report, _stdout())
    raise typer.Exit(0 if report.equal else 1)


def fork(
    run: Run,
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="STAGE[/VERSION]",
            help="The plan to go back to: design, or design/2; the newest of the stage if left "
            "out.",
        ),
    ],
    approve: Annotated[
        str, typer.Option("--approve", help="ask (a person), auto (yes to all), or a policy file.")
    ] = "ask",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Go back to a plan of a run and decide it anew, in a new run.

    What was done before it is taken over, not done again; the old run stays as it is.

    Example: netloop runs fork last --at design
    """
    from agents.policy import load_policy
    from agents.retrace import fork as retrace
    from agents.terminal.progress import RichProgress
    from agents.terminal.session import walk

    if approve not in ("ask", "auto"):
        load_policy(Path(approve))
        approve = str(Path(approve).resolve())
    source = find_run(run, workspace)
    stage, version = _plan(at)
    try:
        with RichProgress(_stderr()) as progress:
            forked = retrace(source, workspace, stage, version, progress, approve)
    except KeyboardInterrupt:
        raise Stopped(f"Run {source.id} was not forked: interrupted.") from None
    sys.stderr.write(f"Run {forked.id} in {forked.path.parent}, forked from {source.id}\n")
    raise typer.Exit(walk(forked, workspace, approve, as_json))


def diff(
    run: Run, other: Other, as_json: Json = False, workspace: Workspace = DEFAULT_WORKSPACE
) -> None:
    """Compare two runs.

    Specs, plans and decisions, data, scores with intervals, findings and cost.

    Example: netloop runs diff 20261120-181924-1f9a last
    """
    from agents.compare_runs import compare_runs
    from agents.terminal.render_compare import render_comparison
    from agents.trail import Trail

    found = compare_runs(*(Trail(find_run(name, workspace)) for name in (run, other)))
    if as_json:
        _print_json(found)
    else:
        render_comparison(found, _stdout())


def _plan(text: str) -> "tuple[Stage, int | None]":
    """``design/2`` or ``design``."""
    from agents.checkpoints import STAGES

    stage, slash, version = text.partition("/")
    if stage not in STAGES or (slash and not (version.isascii() and version.isdigit())):
        raise InputError(
            f"--at {text!r} names no plan.", f"Stages: {', '.join(STAGES)}. Example: --at design/2"
        )
    return stage, int(version) if slash else None


def _print_json(found: "BaseModel") -> None:
    sys.stdout.write(json.dumps(found.model_dump(mode="json")) + "\n")


def _stdout() -> "Console":
    from rich.console import Console

    return Console(markup=False, highlight=False)


def _stderr() -> "Console":
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False)
