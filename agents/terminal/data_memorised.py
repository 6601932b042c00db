"""``netloop data memorised``: whether the planner's language model has seen the table before."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.terminal.options import DEFAULT_WORKSPACE, Json, Offline, Workspace

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.augment.memorisation import Memorisation


def memorised(
    spec: Annotated[Path, typer.Argument(help="The spec, a YAML file.")],
    rows: Annotated[
        int, typer.Option("--rows", min=5, max=1000, help="Rows that it is asked about.")
    ] = 20,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value, for example llm_sees=redacted"),
    ] = None,
    as_json: Json = False,
    offline: Offline = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Find out whether the language model has seen the table.

    It reads the first half of rows of the train side and is asked for the rest. If it gives more
    back than the nearest other row would, what it writes may be copies of test rows.

    Example: netloop data memorised spec.yaml --rows 20 --set llm_sees=redacted
    """
    from rich.console import Console

    from agents.life_cycle import create_run
    from agents.llm.settings import llm_settings
    from agents.planners.choose import planner_of
    from agents.planners.llm import LLMPlanner
    from agents.planners.llm.memorised import check_sees
    from agents.spec_file import load_spec
    from agents.terminal.progress import RichProgress
    from pipelines.augment.memorisation import Quiz
    from pipelines.datasets.fields import DEFAULT_MASKS
    from pipelines.datasets.sources import describe_source
    from pipelines.errors import InputError

    given = load_spec(spec, changes)
    check_sees(given.llm_sees)
    describe_source(Path(given.data.source), given.data.label)
    if given.planner == "rules" or llm_settings(workspace) is None:
        raise InputError(
            "There is no language model to ask: none is configured, or the spec plans by rules.",
            "Name one: export NETLOOP_MODEL=... OPENAI_BASE_URL=...; planner: auto or llm.",
        )
    run = create_run(workspace, given, "ask")
    planner = planner_of(run, workspace)
    assert isinstance(planner, LLMPlanner)  # as there is one to ask
    sys.stderr.write(f"Run {run.id} in {run.path.parent}\n")
    with RichProgress(Console(stderr=True, markup=False, highlight=False)) as progress:
        train, masks = _train_side(run, workspace, progress)
        if given.llm_sees == "redacted":
            masks = sorted({*masks, *DEFAULT_MASKS})
        quiz = Quiz(train, masks, rows, given.seed)
        completer = planner.completer(given.llm_sees)
        found = quiz.judge(completer.complete(quiz.halves(), progress))
    if as_json:
        printed = {"run": run.id, "ended": completer.ended, **found.model_dump(mode="json")}
        sys.stdout.write(json.dumps(printed) + "\n")
        return
    console = Console(markup=False, highlight=False)
    render_memorisation(found, completer.ended, console)
    console.print(f"What it read: netloop egress {run.id}", soft_wrap=True)


def _train_side(run: Any, workspace: Path, progress: Any) -> tuple[Any, list[str]]:
    """The rows to train on and the masks, as the rules' plans of the spec make them."""
    from agents.checkpoints import STAGES, Decision, Plan
    from agents.life_cycle import opened
    from agents.policy import approve_all
    from pipelines.errors import NetloopError
    from tools.sides import split_sides

    def decide(plan: Plan) -> Decision | None:
        later = STAGES.index(plan.stage) > STAGES.index("cleaning")
        return None if later or plan.gate else approve_all(plan)  # a leak does not matter here

    with opened(run, workspace, progress) as life_cycle:
        life_cycle.advance(decide)
        state = life_cycle.state()
        if "split" not in state["artifacts"]:
            raise NetloopError(
                f"Run {run.id} stopped before the rows were split.",
                f"See why: netloop runs show {run.id}",
            )
        (train,) = split_sides(life_cycle.bench.context(dict(state["artifacts"])), "train")
    return train, state["numbers"]["audit_shortcuts"]["masks"]


def render_memorisation(found: "Memorisation", ended: str, console: "Console") -> None:
    """Who was right how often, and the verdict."""
    from agents.terminal.tables import Column, print_table, say
    from pipelines.words import counted

    columns = [Column("who answers"), Column("cells right", number=True)]
    shares = {
        "the model": found.model,
        "the nearest other row": found.nearest,
        "each column's mode": found.modes,
    }
    print_table(console, columns, [[who, f"{share:.1%}"] for who, share in shares.items()])
    if found.judged < found.wanted:
        why = ended or "The train side has no more."
        say(console, f"{found.judged:,} of {counted(found.wanted, 'row')} judged. {why}", "yellow")
    if found.unusable:
        say(console, f"{counted(found.unusable, 'answer')} of no use, which count as wrong.")
    say(
        console,
        f"Better than the best of the others in {counted(found.better, 'row')}, worse in "
        f"{found.worse:,} (p = {found.p_value:.3g}); {found.completed:,} of {found.unique:,} rows "
        "whose hidden half no other row has, given back whole.",
    )
    say(console, found.words, "red" if found.knows else "")
