"""``netloop run`` and ``netloop chat``: a life cycle from a spec, or from a conversation."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.terminal.options import DEFAULT_WORKSPACE, Json, Workspace
from pipelines.errors import InputError, NetloopError
from pipelines.visible import visible

if TYPE_CHECKING:
    from agents.spec import Spec
    from agents.terminal.session import Prompt

Approve = Annotated[
    str, typer.Option("--approve", help="ask (a person), auto (yes to all), or a policy file.")
]


def run(
    spec: Annotated[Path, typer.Argument(help="The spec, a YAML file.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, for example data.split.test=0.3")
    ] = None,
    approve: Approve = "ask",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Walk the life cycle that a spec describes.

    Example: netloop run examples/quickstart.yaml --approve auto --json
    """
    from agents.spec import load_spec

    raise typer.Exit(start(load_spec(spec, changes), workspace, approve, as_json))


def chat(
    goal: Annotated[str | None, typer.Argument(help="What to detect, in a sentence.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Talk a life cycle through, one plan at a time.

    Example: netloop chat "Tell the applications in these captures apart"
    """
    from agents.spec import parse_spec
    from agents.terminal.session import at_terminal, terminal_prompt

    if not at_terminal():
        raise InputError(
            "netloop chat needs a terminal to talk at.",
            "Without one: netloop run SPEC.yaml --approve auto",
        )
    prompt = terminal_prompt()
    try:
        goal = goal or _ask(prompt, "What do you want to detect?")
        data = _ask_data(prompt)
    except (EOFError, KeyboardInterrupt):
        sys.stderr.write("Nothing was started.\n")
        raise typer.Exit(130) from None
    spec = parse_spec({"goal": goal, "data": data}, "your answers")
    raise typer.Exit(start(spec, workspace, "ask", as_json=False))


def start(spec: "Spec", workspace: Path, approve: str, as_json: bool) -> int:
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
        return walk(record, workspace, approve, as_json)
    except NetloopError as error:
        if "netloop runs" not in error.mend:
            hint = f"What was done is kept. Go on with: netloop runs resume {record.id}"
            error.mend = f"{error.mend} {hint}".strip()
        raise


def _ask_data(prompt: "Prompt") -> dict[str, str]:
    """Ask for a source and where its class comes from, until both fit each other."""
    from pipelines.datasets.sources import describe_source, find_source

    while True:
        typed = _ask(prompt, "Where are the labelled captures (a folder) or the table (a CSV)?")
        source = str(Path(typed).expanduser())
        try:
            find_source(Path(source))
        except InputError as error:
            sys.stderr.write(f"{visible(str(error), 1000)}\n")
            continue
        try:
            proposed = describe_source(Path(source)).label
        except InputError as error:
            sys.stderr.write(f"{visible(str(error), 1000)}\n")
            proposed = ""
        label = prompt(
            "Where does the class come from: file, folder, a column, a labels.csv?"
            f" [{visible(proposed)}]\n> "
        ).strip()
        try:
            return {
                "source": source,
                "label": describe_source(Path(source), label or proposed).label,
            }
        except InputError as error:
            sys.stderr.write(f"{visible(str(error), 1000)}\n")


def _ask(prompt: "Prompt", text: str) -> str:
    while not (answer := prompt(f"{text}\n> ").strip()):
        pass
    return answer
