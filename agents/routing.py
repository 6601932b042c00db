"""Where a stage goes from a decision: what is kept of it, and which node comes next."""

from typing import Any

from agents import state as _state  # noqa: F401  (sets strict msgpack before langgraph is imported)

# isort: split
from langgraph.types import Command

from agents.checkpoints import Decision, PlanRecord
from agents.edits import apply_decision
from agents.stages import StageRules
from agents.state import Feedback, State, last_review, plan_in


def route(state: State, decision: Decision, rules: StageRules) -> Command[Any]:
    """What follows from a decision; the same question again if it answers another plan."""
    plan = plan_in(state)
    if decision.plan != plan.digest() or (decision.action == "skip" and rules.required):
        return Command(goto="approve")  # it answers another plan, or may not be: ask again
    record = PlanRecord(plan=plan, decision=decision)
    update: State = {"history": {plan.place: record}, "feedback": None, "back_to": None}
    if decision.override:
        return _overridden(state, decision, update)
    if decision.action == "ask":
        return Command(goto="answer", update={**update, "question": decision.note})
    if decision.action == "reject":
        update["feedback"] = Feedback(source="person", note=decision.note)
        return Command(goto="propose", update=update)
    if decision.action == "abort":
        return Command(goto="close", update={**update, "outcome": "refused"})
    if decision.action == "skip":
        return Command(goto="close", update=update)
    if decision.action == "edit":
        return Command(goto="edit", update=update)
    return Command(goto="execute", update={**update, "plan": apply_decision(plan, decision)})


def _overridden(state: State, decision: Decision, update: State) -> Command[Any]:
    """Go on with what was made before the gate: this plan, which would mend it, does not run."""
    found = last_review(state, plan_in(state).stage)
    if found is None or not found[1].gate or decision.by != "person":
        return Command(goto="approve")
    name, review = found
    accepted = review.model_copy(
        update={"override": decision.override, "by": decision.by, "back_to": None}
    )
    return Command(goto="close", update={**update, "reviews": {name: accepted}})
