"""Augmentation: whether synthetic rows would help. "None, and why" is a proposal."""

from typing import Any

from agents.stages.base import StageRules
from agents.state import Review, State
from agents.workbench import Workbench


def _facts(bench: Workbench, state: State) -> dict[str, Any]:
    sides = state["numbers"]["split_rows"]["sizes"]
    return {"train": sides["train"]["classes"]}


def _review(bench: Workbench, state: State) -> Review:
    return Review(passed=True, findings=["Train, validation and test hold real rows only."])


AUGMENTATION = StageRules(
    name="augmentation", tools=(), required=False, facts=_facts, review=_review
)
