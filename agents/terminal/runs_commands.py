"""``netloop runs``: look at runs, take them up again, answer the plan that waits."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.terminal.options import DEFAULT_WORKSPACE, Json, Offline, Workspace
from pipelines.errors import InputError

if TYPE_CHECKING:
    from pipelines.store.run import RunFolder

app = typer.Typer(
    help="Look at runs, resume them, answer the plan that waits.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Run = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or last.")]
Note = Annotated[str, typer.Option("--note", help="Kept with the decision.")]


@app.command("list")
def list_runs(as_json: Json = False, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """All runs of the workspace, oldest first.

    Example: netloop runs list
    """
    from rich.console import Console

    from agents.terminal.render import render_runs
    from pipelines.store.run import RunFolder

    records = [run.standing() for run in RunFolder.all(workspace)]
    if as_json:
        sys.stdout.write(json.dumps(records) + "\n")
    else:
        render_runs(records, Console(markup=False, highlight=False))


@app.command()
def show(run: Run, as_json: Json = False, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """What a run has found so far, and the plan that waits.

    Example: netloop runs show last
    """
    from rich.console import Console

    from agents.life_cycle import opened
    from agents.output import run_output
    from agents.terminal import session

    folder = find_run(run, workspace)
    with opened(folder, workspace) as life_cycle:
        output = run_output(folder, life_cycle.state(), life_cycle.pending())
    session.show(output, workspace, Console(stderr=True, markup=False, highlight=False), as_json)


@app.command()
def resume(
    run: Run,
    approve: Annotated[
        str | None, typer.Option("--approve", help="ask, auto or a policy; as before if left out.")
    ] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option("--budget", help="Allow more, for example minutes=60."),
    ] = None,
    as_json: Json = False,
    offline: Offline = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Go on with a run that stopped, for whatever reason.

    It may have paused, failed, been killed or used its budget up. Finished steps are not repeated.

    Example: netloop runs resume last --budget minutes=60
    """
    from agents.terminal.session import walk

    folder = find_run(run, workspace)
    _allow_more(folder, workspace, budget or [])
    how = approve or folder.read()["approve"]
    raise typer.Exit(walk(folder, workspace, how, as_json))


@app.command()
def approve(
    run: Run,
    answers: Annotated[
        list[str] | None,
        typer.Option(
            "--answer", help="step.parameter=value: the answer to a question of the plan."
        ),
    ] = None,
    override: Annotated[
        str | None,
        typer.Option("--override", help="Why to go on with the leak that the audit found."),
    ] = None,
    note: Note = "",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Say yes to the plan that waits.

    The run goes on to the next one. Where the audit stopped the plan before, --override goes on
    with that one instead, and the report says so on its first line.

    Example: netloop runs approve last --answer record_requirements.target=0.9
    """
    given = dict(_pair(text) for text in answers or [])
    if override is not None and not override.strip():
        raise InputError("--override needs a reason.", "The report prints it on its first line.")
    _decide(
        run,
        workspace,
        as_json,
        action="approve",
        answers=given,
        note=note,
        override=override or "",
    )


@app.command()
def reject(
    run: Run,
    reason: Annotated[str, typer.Option("--reason", help="Why; the next version answers it.")],
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Say no to the plan that waits, and why.

    A changed version is proposed, with the difference.

    Example: netloop runs reject last --reason "only the forest, no cnn"
    """
    _decide(run, workspace, as_json, action="reject", note=reason)


@app.command()
def edit(
    run: Run,
    changes: Annotated[list[str], typer.Argument(help="step.parameter=value ...")],
    note: Note = "",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Change parameters of the plan that waits.

    The edited version waits for its own yes.

    Example: netloop runs edit last split_rows.test=0.3
    """
    from agents.edits import read_value

    edits = {name: read_value(value) for name, value in map(_pair, changes)}
    _decide(run, workspace, as_json, action="edit", edits=edits, note=note)


@app.command()
def abort(
    run: Run,
    reason: Annotated[str, typer.Option("--reason", help="Kept with the decision.")] = "",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Refuse the plan that waits and end the run.

    Example: netloop runs abort last --reason "wrong captures"
    """
    _decide(run, workspace, as_json, action="abort", note=reason)


def report(run: Run, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Write a run's HTML report again and print its path.

    Example: netloop report last
    """
    from agents.life_cycle import opened

    folder = find_run(run, workspace)
    with opened(folder, workspace) as life_cycle:
        path = life_cycle.write_report()
    sys.stdout.write(f"{path}\n")


def find_run(name: str, workspace: Path) -> Any:
    """The folder of a run by id; ``last`` is the newest."""
    from pipelines.store.run import RunFolder

    if name != "last":
        return RunFolder.open(workspace, name)
    runs = RunFolder.all(workspace)
    if not runs:
        raise InputError(f"There are no runs in {workspace}.", "Begin one: netloop run SPEC.yaml")
    return runs[-1]


def _decide(run: str, workspace: Path, as_json: bool, **parts: Any) -> None:
    """Answer the waiting plan, then go on as a run with nobody else to ask: to the next pause."""
    from pydantic import ValidationError

    from agents.checkpoints import Decision, Plan
    from agents.terminal.session import walk

    folder = find_run(run, workspace)

    def first(plan: Plan) -> Decision:
        try:
            return Decision(plan=plan.digest(), **parts)
        except ValidationError as error:
            wrong = error.errors()[0]
            raise InputError(f"{wrong['loc'][0]}: {wrong['msg'].lower()}.") from error

    raise typer.Exit(walk(folder, workspace, _after(folder.read()["approve"]), as_json, first))


def _allow_more(folder: "RunFolder", workspace: Path, changes: list[str]) -> None:
    """Set limits of the run's budget, each given as what=limit."""
    from agents.budget import WORDS
    from agents.edits import read_value
    from agents.life_cycle import opened

    if not changes:
        return
    with opened(folder, workspace) as life_cycle:
        for change in changes:
            what, equals, limit = change.partition("=")
            if not equals:
                raise InputError(f"--budget {change!r} is not what=limit.", "Example: minutes=60")
            if what not in WORDS:
                raise InputError(
                    f"No budget is called {what!r}.", f"There are: {', '.join(WORDS)}."
                )
            life_cycle.raise_budget(what, read_value(limit))


def _after(approve: str) -> str:
    """Who decides the plans after an answered one: as the run was started, but a person only
    through ``runs approve`` again, so that one command answers one plan."""
    return "nobody" if approve == "ask" else approve


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or "." not in name:
        raise InputError(f"{text!r} is not step.parameter=value.", "Example: split_rows.test=0.3")
    return name, value
