"""Augmentation: whether synthetic rows help is found out first; what helps is made after that."""

from typing import Any

from agents.look import looked_at
from agents.stages.base import StageRules
from agents.state import Review, State, versions_of
from agents.workbench import Workbench

EXPLORE, MAKE = "explore_arms", "augment_rows"


def _facts(bench: Workbench, state: State) -> dict[str, Any]:
    sides = state["numbers"]["split_rows"]["sizes"]
    found: dict[str, Any] = {"train": sides["train"]["classes"]}
    if looked := looked_at(bench.run, len(versions_of(state, "augmentation")) + 1):
        found["look"] = {"votes": looked.votes, "words": looked.words}
    return found


def _review(bench: Workbench, state: State) -> Review:
    """What was found out. A generator that helps is proposed next, unless few labels are studied:
    there each draw is a training side of its own."""
    numbers = state["numbers"]
    if made := numbers.get(MAKE):
        return Review(passed=True, findings=[_made(made), *made["notes"], made["gate"]])
    explored = numbers.get(EXPLORE)
    if explored is None:
        return Review(passed=True, findings=["Train, validation and test hold real rows only."])
    findings = [
        f"{found['name']}: {found['words']} {found.get('on_absent', '')}".strip()
        for found in explored["models"]
    ]
    helps = any(found["kind"] == "use" for found in explored["models"])
    if helps and bench.spec.data.sample is None:
        return Review(passed=True, findings=findings, back_to="augmentation")
    return Review(passed=True, findings=findings)


def _made(made: dict[str, Any]) -> str:
    out = made["screened_out"]
    doubted = f"; {out:,} others bore a label that is doubted" if out else ""
    return (
        f"{made['rows']:,} rows made by {made['arm']} stand beside {made['train_rows']:,} real "
        f"ones on the train side{doubted}. Validation and test hold real rows only."
    )


AUGMENTATION = StageRules(
    name="augmentation", tools=(EXPLORE, MAKE), required=False, facts=_facts, review=_review
)
