"""Decisions in a run's events: on disk before the graph has them, found again after a kill."""

from pathlib import Path

from agents.checkpoints import Decision, Plan
from pipelines.store.events import EventLog, read_events

# What may stand behind a decision that nobody has acted on yet.
BESIDE = ("run.", "budget.", "gate.")


def write_decision(events: EventLog, plan: Plan, decision: Decision) -> None:
    """Keep what was decided on a plan, and apart that a gate was overridden."""
    events.append("plan.decided", stage=plan.stage, version=plan.version, **decision.model_dump())
    if decision.override:
        events.append(
            "gate.overridden",
            stage=plan.stage,
            found=plan.gate,
            reason=decision.override,
            by=decision.by,
        )


def written_decision(events: Path, plan: Plan) -> Decision | None:
    """The decision on a plan that was written down last and that a kill kept from the graph."""
    last = next((e for e in reversed(read_events(events)) if not e.type.startswith(BESIDE)), None)
    if last is None or last.type != "plan.decided" or last.data["plan"] != plan.digest():
        return None
    return Decision.model_validate({name: last.data[name] for name in Decision.model_fields})
