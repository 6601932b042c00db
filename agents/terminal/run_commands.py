"""``netloop run`` and ``netloop chat``: a life cycle from a spec, or from a conversation."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.terminal.options import DEFAULT_WORKSPACE, Json, Offline, Workspace
from pipelines.errors import InputError, NetloopError

if TYPE_CHECKING:
    from agents.spec import Spec

Approve = Annotated[
    str,
    typer.Option("--approve", help="ask (a person), auto (yes), or a policy file."),
]


def run(
    spec: Annotated[Path, typer.Argument(help="The spec, a YAML file.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, for example data.split.test=0.3")
    ] = None,
    approve: Approve = "ask",
    as_json: Json = False,
    offline: Offline = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Walk the life cycle that a spec describes.

    Example: netloop run examples/quickstart.yaml --approve auto --json
    """
    from agents.spec_file import load_spec

    raise typer.Exit(start(load_spec(spec, changes), workspace, approve, as_json))


def chat(
    goal: Annotated[str | None, typer.Argument(help="What to detect, in a sentence.")] = None,
    offline: Offline = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Talk a life cycle through, one plan at a time.

    Without a goal, a run that waits is offered to go on with.

    Example: netloop chat "Tell the applications in these captures apart"
    """
    from rich.console import Console

    from agents.spec import Spec
    from agents.terminal.session import at_terminal, walk

    if not at_terminal():
        raise InputError(
            "netloop chat needs a terminal to talk at.",
            "Without one: netloop run SPEC.yaml --approve auto",
        )
    from agents.terminal.chat_prompt import TerminalPrompt
    from agents.terminal.chat_start import Opening

    console = Console(stderr=True, markup=False, highlight=False)
    try:
        begun = Opening(workspace, console, TerminalPrompt(workspace)).begin(goal)
    except (EOFError, KeyboardInterrupt):
        sys.stderr.write("Nothing was started.\n")
        raise typer.Exit(130) from None
    if isinstance(begun, Spec):
        raise typer.Exit(start(begun, workspace, "ask", as_json=False, talk=True))
    raise typer.Exit(walk(begun, workspace, "ask", as_json=False, talk=True))


def start(spec: "Spec", workspace: Path, approve: str, as_json: bool, talk: bool = False) -> int:
    """Begin a new run; what cannot work is refused before anything is made."""
    from agents.life_cycle import create_run
    from agents.policy import load_policy
    from agents.terminal.session import walk
    from pipelines.datasets.sources import describe_source

    if approve not in ("ask", "auto"):
        load_policy(Path(approve))
        approve = str(Path(approve).resolve())
    describe_source(Path(spec.data.source), spec.data.label)
    if spec.data.test is not None:
        describe_source(Path(spec.data.test), spec.data.label)
    record = create_run(workspace, spec, approve)
    sys.stderr.write(f"Run {record.id} in {record.path.parent}\n")
    try:
        return walk(record, workspace, approve, as_json, talk=talk)
    except NetloopError as error:
        if "netloop runs" not in error.mend:
            hint = f"What was done is kept. Go on with: netloop runs resume {record.id}"
            error.mend = f"{error.mend} {hint}".strip()
        raise
