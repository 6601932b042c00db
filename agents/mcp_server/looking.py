"""What a client may look at: runs, plans, events, sources. Nothing here runs a step."""

import json
from pathlib import Path
from typing import Any

from agents.checkpoints import Plan
from agents.mcp_server.holding import held
from pipelines.errors import InputError, NetloopError
from pipelines.store.events import read_events
from pipelines.store.run import RunFolder

MOST_RUNS = 50
MOST_EVENTS = 100


def list_runs(workspace: Path) -> dict[str, Any]:
    """The newest runs, newest first, and how many there are."""
    runs = RunFolder.all(workspace)
    return {"runs": [_line(run) for run in runs[: -MOST_RUNS - 1 : -1]], "total": len(runs)}


def show_run(workspace: Path, name: str) -> dict[str, Any]:
    """What ``netloop runs show --json`` prints. Raises NetloopError if the run is held."""
    from agents.output import run_output

    run = RunFolder.open(workspace, name)
    with held(run, workspace) as life_cycle:
        output = run_output(run, life_cycle.state(), life_cycle.pending())
    return output.model_dump(mode="json")


def show_plan(workspace: Path, name: str) -> dict[str, Any]:
    """The plan that waits, with the digest that names it. Raises InputError if none does."""
    plan = waiting_plan(workspace, name)
    return {"run": name, "digest": plan.digest(), "plan": plan.model_dump(mode="json")}


def waiting_plan(workspace: Path, name: str) -> Plan:
    """The plan that waits for a decision, read without the run's lock."""
    from agents.trail import Trail

    trail = Trail(RunFolder.open(workspace, name))
    if not trail.waits():
        raise InputError(
            f"Run {name} ({trail.record['status']}) has no plan that waits.",
            "show_run tells what it found; resume_run goes on with one that was interrupted.",
        )
    return [*trail.turns.values()][-1].plan


def list_events(workspace: Path, name: str, after: int) -> dict[str, Any]:
    """Events whose number is above ``after``, oldest first, and whether there are more."""
    events = [e for e in read_events(RunFolder.open(workspace, name).events) if e.seq > after]
    shown = [event.model_dump(mode="json", exclude={"v", "run"}) for event in events]
    return {"events": shown[:MOST_EVENTS], "more": len(events) > MOST_EVENTS}


def list_egress(workspace: Path, name: str) -> dict[str, Any]:
    """What left this machine for a run, oldest first. Its words are for a person's eyes only."""
    path = RunFolder.open(workspace, name).path / "egress.jsonl"
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    sent = [found for line in lines if (found := _sent(line)) is not None]
    return {"requests": sent[-MOST_EVENTS:], "total": len(sent), "in_full": str(path)}


def inspect_source(workspace: Path, source: str, label: str | None) -> dict[str, Any]:
    """How a source is laid out, its classes and files. Raises InputError if it is none."""
    from agents.terminal.direct import Direct
    from pipelines.progress import silent

    return Direct(workspace, 0, silent).call("inspect_source", source=source, label=label)


def list_tasks() -> dict[str, Any]:
    """The detection and generation tasks, by their codes."""
    from pipelines.instructions.tasks import TASKS

    return {
        "tasks": [
            {"code": task.code, "name": task.name, "kind": task.kind.value, "about": task.about}
            for task in TASKS
        ]
    }


def list_tools() -> dict[str, Any]:
    """The tools that plans are made of: they run only as steps of an approved plan."""
    from tools.registry import TOOLS

    return {
        "tools": [
            {"name": tool.name, "summary": tool.summary, "risk": tool.risk}
            for tool in TOOLS.values()
        ]
    }


def _line(run: RunFolder) -> dict[str, Any]:
    try:
        record = run.standing()
        return {
            "run": run.id,
            "created": record["created"],
            "status": record["status"],
            "goal": record["spec"]["goal"],
        }
    except (NetloopError, KeyError, TypeError):
        return {"run": run.id, "status": "damaged"}


def _sent(line: bytes) -> dict[str, Any] | None:
    """One request without its body; None for a line that a kill has torn."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    return {name: found[name] for name in found if name not in ("body", "base64")}
