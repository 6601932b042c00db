"""``netloop augment``: what synthetic rows of each generator do for models, and a verdict."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.terminal.options import DEFAULT_WORKSPACE, Json, Offline, Workspace

if TYPE_CHECKING:
    from agents.spec import Spec
    from pipelines.report.exploration_page import StudyOnPage
    from pipelines.store.run import RunFolder


def augment(
    spec: Annotated[Path, typer.Argument(help="The spec, a YAML file.")],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value, for example augmentation.draws=12"),
    ] = None,
    as_json: Json = False,
    offline: Offline = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Find out whether synthetic rows help, which, and how many.

    Walks the run of the spec up to what the study found, and leaves it there: nothing is decided
    by this. Arms are compared on validation rows; the test side stays unread. A file of several
    specs (with --- between them) is studied spec by spec; one page shows all.

    Example: netloop augment examples/nsl_kdd_augmentation.yaml
    """
    from rich.console import Console

    from agents.spec import AugmentationSpec
    from agents.spec_file import load_specs
    from agents.terminal.render_augment import render_exploration
    from agents.terminal.tables import say
    from pipelines.report.exploration import draw_exploration
    from pipelines.report.exploration_page import render_studies
    from pipelines.store.files import write_atomic

    console = Console(markup=False, highlight=False)
    studies = []
    for given in load_specs(spec, changes):
        if given.augmentation is None:
            given = given.model_copy(update={"augmentation": AugmentationSpec()})
        run, study = _explored(given, workspace)
        studies.append(study)
        pictures = draw_exploration(study.found, run.path)
        page = run.path / "augmentation.html"
        write_atomic(page, render_studies(studies))  # of all so far: the next one may fail
        if as_json:
            told = {"run": run.id, **study.found.model_dump(mode="json")}
            told |= {"asked": study.asked, "tokens": study.tokens}
            sys.stdout.write(json.dumps({**told, "pictures": [*map(str, pictures)]}) + "\n")
            sys.stdout.flush()
            continue
        say(console, study.goal, "bold")
        render_exploration(study.found, console)
        for path in pictures:
            console.print(f"Picture: {path}", soft_wrap=True)
        console.print(f"Go on with it: netloop runs resume {run.id}", soft_wrap=True)
    if not as_json:
        console.print(f"Page: {page}", soft_wrap=True)


def _explored(spec: "Spec", workspace: Path) -> "tuple[RunFolder, StudyOnPage]":
    """The run and its study. Raises NetloopError if it did not come to one."""
    from rich.console import Console

    from agents.checkpoints import STAGES, Decision, Plan
    from agents.life_cycle import create_run, opened
    from agents.planners.choose import planner_of
    from agents.policy import approve_all
    from agents.terminal.progress import RichProgress
    from agents.trail import Trail
    from agents.workbench import Drained
    from pipelines.augment.findings import Exploration
    from pipelines.datasets.sources import describe_source
    from pipelines.errors import NetloopError
    from pipelines.report.exploration_page import StudyOnPage

    def decide(plan: Plan) -> Decision | None:
        later = STAGES.index(plan.stage) > STAGES.index("augmentation")
        made = any(step.tool == "augment_rows" for step in plan.steps)
        return None if later or made else approve_all(plan)

    describe_source(Path(spec.data.source), spec.data.label)
    run = create_run(workspace, spec, "ask")
    sys.stderr.write(f"Run {run.id} in {run.path.parent}\n")
    console = Console(stderr=True, markup=False, highlight=False)
    try:
        with RichProgress(console) as progress, opened(run, workspace, progress) as life_cycle:
            life_cycle.bench.planner = planner_of(run, workspace)
            life_cycle.advance(decide)
            digest = life_cycle.state()["artifacts"].get("exploration")
    except KeyboardInterrupt:
        raise Drained(
            f"The study of run {run.id} was interrupted.",
            f"Rows that a model wrote are kept. Go on: netloop runs resume {run.id}",
        ) from None
    if digest is None:
        raise NetloopError(
            f"Run {run.id} stopped before the study of synthetic rows.",
            f"See why: netloop runs show {run.id}",
        )
    cost = Trail(run).cost()
    content = (run.store.path(digest) / "exploration.json").read_bytes()
    return run, StudyOnPage(
        run=run.id,
        goal=spec.goal,
        source=Path(spec.data.source).name,
        found=Exploration.model_validate_json(content),
        asked=cost.llm_calls,
        tokens=cost.tokens,
    )
