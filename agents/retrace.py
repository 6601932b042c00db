"""Walking a run again: to check that it comes to the same, or to go another way from a plan on.

A replay proposes and works anew, and takes only decisions and a language model's answers from the
record. A fork takes everything from it, so that nothing is computed or asked twice. Neither writes
into the run that it retraces, or waits for its lock.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.checkpoints import Decision, Plan, Stage
from agents.life_cycle import LifeCycle, create_run, opened
from agents.look import looks_to_take_over, take_over_looks
from agents.planners.base import Planner
from agents.planners.choose import planner_of
from agents.recorded import RecordedPlans, recorded_decisions
from agents.replay_report import ReplayReport, replay_report
from agents.spec import Spec
from agents.state import FLOW_VERSION
from agents.take_over import take_over_answers, take_over_calls
from agents.trail import Trail
from pipelines.errors import InputError, NetloopError
from pipelines.progress import Progress, silent
from pipelines.store.run import RunFolder

# The planner of a run: its folder, the workspace, whether only recorded answers may be used.
PlannerOf = Callable[[RunFolder, Path, bool], Planner]
ENDED = ("done", "target_missed", "refused")


def replay(
    source: RunFolder,
    workspace: Path,
    progress: Progress = silent,
    planner_of: PlannerOf = planner_of,
) -> ReplayReport:
    """Repeat a run that ended or waits, in a new run, as long as the same plans are proposed.

    Raises InputError for a run that stopped in the middle of a step.
    """
    trail = _trail_of(source)
    if trail.record["status"] not in ENDED and not trail.waits():
        raise InputError(
            f"Run {source.id} ({trail.record['status']}) has not ended, and no plan of it waits.",
            f"Take it to an end first: netloop runs resume {source.id}",
        )
    run = _begin(trail, workspace, "ask", replay_of=source.id)
    take_over_answers(source, run, [*trail.turns])
    run.workspace = run.path  # captures are read again too, not taken from the workspace's shards
    with opened(run, workspace, progress, planner_of(run, workspace, True)) as life_cycle:
        try:
            life_cycle.advance(recorded_decisions([*trail.turns.values()]))
        except NetloopError:
            pass  # it is on record: the run failed as its source did, or that is the difference
        finally:
            shutil.rmtree(run.path / "shards", ignore_errors=True)
    return replay_report(trail, Trail(run))


def fork(
    source: RunFolder,
    workspace: Path,
    stage: Stage,
    version: int | None = None,
    progress: Progress = silent,
    approve: str = "ask",
    planner_of: PlannerOf = planner_of,
) -> RunFolder:
    """A new run that has come as far as the plan ``stage/version`` of another, which waits again.

    The newest version, if none is named. Raises InputError if there is no such plan, NetloopError
    if the way there cannot be walked again; then nothing is left of the new run.
    """
    trail = _trail_of(source)
    target = _target(trail, stage, version)
    origin = {"run": source.id, "stage": target.stage, "version": target.version}
    origin["test_read"] = _test_read(trail)
    run = _begin(trail, workspace, approve, target, forked_from=origin)
    try:
        take_over_calls(source, run)
        way = [turn.plan.place for turn in trail.before(target.place)]
        take_over_answers(source, run, way, target.place)
        planner = RecordedPlans(trail, planner_of(run, workspace, True))
        with opened(run, workspace, progress, planner) as life_cycle:
            _walk_to(target, trail, life_cycle)
    except BaseException:
        shutil.rmtree(run.path)
        raise
    return run


def _trail_of(source: RunFolder) -> Trail:
    trail = Trail(source)
    if trail.record.get("flow_version") != FLOW_VERSION:
        raise NetloopError(
            f"Run {source.id} was made by another version of netloop's graph.",
            "Start it again from its spec.",
        )
    return trail


def _begin(
    trail: Trail, workspace: Path, approve: str, target: Plan | None = None, **origin: Any
) -> RunFolder:
    looks = looks_to_take_over(trail.run, target)  # may raise, before there is a run
    run = create_run(workspace, Spec.model_validate(trail.record["spec"]), approve)
    try:
        take_over_looks(looks, trail.run, run)
        run.update(**origin)
    except BaseException:
        shutil.rmtree(run.path)
        raise
    return run


def _target(trail: Trail, stage: Stage, version: int | None) -> Plan:
    known = [turn.plan for turn in trail.turns.values()]
    wanted = [p for p in known if p.stage == stage and version in (None, p.version)]
    if not wanted:
        place = stage if version is None else f"{stage}/{version}"
        raise InputError(
            f"Run {trail.run.id} has no plan {place}.",
            f"It has: {', '.join(plan.place for plan in known) or 'none yet'}.",
        )
    return wanted[-1]


def _test_read(trail: Trail) -> bool:
    """Whether whoever forks it may have seen scores of the test side, its own or inherited."""
    return bool(trail.tested()) or trail.record.get("forked_from", {}).get("test_read", False)


def _walk_to(target: Plan, trail: Trail, life_cycle: LifeCycle) -> None:
    recorded = recorded_decisions(trail.before(target.place))

    def decide(plan: Plan) -> Decision | None:
        _check_same(target, trail, life_cycle)
        return recorded(plan)

    try:
        life_cycle.advance(decide)
    except InputError:  # a plan that failed says so again, and waits
        if life_cycle.pending() is None:
            raise
    pending = life_cycle.pending()
    if pending is None or pending.digest() != target.digest():
        came_to = "its end" if pending is None else pending.place
        raise _strayed(target, trail, f"the way now leads to {came_to}")


def _check_same(target: Plan, trail: Trail, life_cycle: LifeCycle) -> None:
    """A step whose inputs have changed ran anew: stop before the next one does."""
    for (step, name), digest in Trail(life_cycle.run).made.items():
        if trail.made.get((step, name)) != digest:
            raise _strayed(target, trail, f"{step} now makes another {name}")


def _strayed(target: Plan, trail: Trail, why: str) -> NetloopError:
    return NetloopError(
        f"Run {trail.run.id} cannot be retraced to {target.place}: {why}.",
        "The data or netloop has changed since. Begin anew from a spec: netloop run SPEC.yaml",
    )
