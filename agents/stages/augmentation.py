"""Augmentation: whether synthetic rows help is found out first; what helps is made after that."""

from typing import Any

from agents.look import looked_at
from agents.stages.base import StageRules
from agents.state import Review, State, versions_of
from agents.workbench import Workbench
from pipelines.augment.made_rows import MadeRows

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
    if MAKE in numbers:
        made = MadeRows.model_validate(numbers[MAKE])
        return Review(passed=True, findings=[made.words, *made.notes, made.gate])
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


AUGMENTATION = StageRules(
    name="augmentation", tools=(EXPLORE, MAKE), required=False, facts=_facts, review=_review
)
