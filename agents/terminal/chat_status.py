"""Where a run stands and what it has cost, in a few lines."""

from rich.console import Console

from agents.budget import WORDS, What
from agents.checkpoints import STAGES, Plan, Stage
from agents.life_cycle import LifeCycle
from agents.stages.design import validation_scores
from agents.state import State, last_review, spent_gpu_minutes, spent_minutes, versions_of
from agents.terminal.tables import Column, print_table, say
from agents.trail import Trail

_MOST_SCORES = 8


def show_status(life_cycle: LifeCycle, console: Console) -> None:
    """Every stage with what came of it, the newest findings, the scores so far."""
    state, waiting = life_cycle.state(), life_cycle.pending()
    say(console, f"Run {life_cycle.run.id}: {life_cycle.bench.spec.goal}", "bold")
    for stage in STAGES:
        say(console, f"{stage:<13} {_stands(state, stage, waiting)}", indent=2)
    scores = validation_scores(state) if state.get("results") else {}
    if scores:
        say(console, "Macro-F1 on validation so far", "bold")
        columns = [Column("model"), Column("macro-F1", number=True)]
        best = list(scores.items())[:_MOST_SCORES]
        print_table(console, columns, best)


def show_cost(life_cycle: LifeCycle, console: Console) -> None:
    """What was spent of everything that a budget may limit, and what is left."""
    for what, words in WORDS.items():
        spent, limit = spent_of(life_cycle, what), limit_of(life_cycle, what)
        if limit is None and not spent and what != "minutes":
            continue
        rest = "no limit"
        if limit is not None:
            rest = f"{_amount(what, max(limit - spent, 0))} left of {limit:,g}"
        say(console, f"{_amount(what, spent)} {words}; {rest}", indent=2)


def spent_of(life_cycle: LifeCycle, what: What) -> float:
    """How much of one kind a run has spent, in all its sittings."""
    if what == "minutes":
        return spent_minutes(life_cycle.state())
    if what == "gpu_minutes":
        return spent_gpu_minutes(life_cycle.state())
    return float(getattr(Trail(life_cycle.run).cost(), what))


def limit_of(life_cycle: LifeCycle, what: What) -> float | None:
    """What the run may spend of one kind; None is as much as it takes."""
    limit: float | None = getattr(life_cycle.bench.spec.budget, what)
    return limit


def _amount(what: What, value: float) -> str:
    """``0.25`` minutes, ``12`` requests, ``0.0134`` dollars."""
    digits = {"minutes": 2, "gpu_minutes": 2, "money": 4}
    return f"{value:,.{digits.get(what, 0)}f}"


def _stands(state: State, stage: Stage, waiting: Plan | None) -> str:
    """``done (version 2): 2,000 rows of 10 classes were read.``"""
    if waiting is not None and waiting.stage == stage:
        return f"waits for your decision (version {waiting.version})"
    past = versions_of(state, stage)
    if not past:
        return "to come"
    decided = past[-1].decision
    if decided is not None and decided.action == "skip":
        return "skipped"
    found = last_review(state, stage)
    if found is None:
        return f"begun (version {past[-1].plan.version})"
    return f"done (version {past[-1].plan.version}): {' '.join(found[1].findings)}"
