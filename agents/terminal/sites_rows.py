"""Synthetic rows for ``netloop sites``: a language model is asked within a run of its own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.budget import BudgetSpent
from agents.terminal.egress_command import read_egress
from pipelines.errors import InputError, NetloopError

if TYPE_CHECKING:
    from pipelines.deploy.made import Augmentation
    from pipelines.deploy.study import Asked
    from pipelines.store.run import RunFolder


@contextmanager
def augmented(
    arm: str | None,
    amount: float | None,
    content: dict[str, Any],
    changes: list[str] | None,
    workspace: Path,
) -> "Iterator[Augmentation | None]":
    """What trainers add to their rows, for the time of a comparison; nothing without an ``arm``.

    ``content`` is the spec of the run that keeps what a language model was asked; plain generators
    need none. Raises InputError for an arm or an amount that cannot be, for a spec that cannot be
    read, and without a model where the arm wants one.
    """
    from agents.life_cycle import create_run
    from agents.llm.settings import llm_settings
    from agents.planners.choose import planner_of
    from agents.planners.llm import LLMPlanner
    from agents.spec_file import apply_change, parse_spec
    from pipelines.augment.arms import no_author
    from pipelines.augment.names import ROUNDS
    from pipelines.datasets.sources import describe_source
    from pipelines.deploy.made import Augmentation

    if arm is None:
        if amount is not None or changes:
            raise InputError("--amount and --set belong to --augment.", "Example: --augment smote")
        yield None
        return
    plain = Augmentation(arm, 1.0 if amount is None else amount)
    if arm not in ROUNDS:
        yield plain
        return
    for change in changes or []:
        apply_change(content, change)
    spec = parse_spec(content, "--set")
    if spec.planner == "rules" or llm_settings(workspace) is None:
        raise no_author(arm)
    describe_source(Path(spec.data.source), spec.data.label)
    run = create_run(workspace, spec, "ask")
    sys.stderr.write(f"Run {run.id} in {run.path.parent}\n")
    planner = planner_of(run, workspace)
    assert isinstance(planner, LLMPlanner)  # as there is one to ask
    try:
        with run.locked():
            yield replace(plain, author=planner.author(spec.llm_sees), spent=partial(asked_of, run))
    except NetloopError as error:
        run.update(
            status="budget" if isinstance(error, BudgetSpent) else "failed", error=error.message
        )
        if isinstance(error, BudgetSpent):
            error.mend = f"Allow more: --set budget.{error.what}={2 * error.limit or 1:g}"
        raise
    run.update(status="done")


def asked_of(run: "RunFolder") -> "Asked":
    """What the run's language model was asked so far: its record, and the bytes that left."""
    from agents.llm.record import AnswerLog
    from pipelines.deploy.study import Asked

    exchanges = AnswerLog(run.answers).exchanges
    return Asked(
        requests=len(exchanges),
        tokens_in=sum(exchange.tokens_in for exchange in exchanges),
        tokens_out=sum(exchange.tokens_out for exchange in exchanges),
        bytes_sent=sum(sent["bytes"] for sent in read_egress(run.egress)),
        minutes=sum(exchange.seconds for exchange in exchanges) / 60,
    )
