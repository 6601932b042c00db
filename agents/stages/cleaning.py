"""Cleaning: which rows stay, how sides are kept apart, whether a shortcut gives the label away."""

import json
from typing import Any

from agents.stages.base import StageRules
from agents.state import Review, State
from agents.workbench import Workbench
from pipelines.datasets.group_names import group_of_split
from pipelines.words import counted
from tools.cleaning import EXAMPLES
from tools.spec import ToolResult


def _facts(bench: Workbench, state: State) -> dict[str, Any]:
    return {"group": _group(bench), **_look(bench, state).numbers}


def filters_with_examples(bench: Workbench, state: State) -> dict[str, Any]:
    """The filters that planners are told of, and rows of each, which only a person may see."""
    found = _look(bench, state)
    shown = bench.run.store.path(found.artifacts["filter_examples"]) / EXAMPLES
    return {**found.numbers, "examples": json.loads(shown.read_text())}


def _look(bench: Workbench, state: State) -> ToolResult:
    return bench.looked("propose_filters", {"group": _group(bench)}, state)


def _group(bench: Workbench) -> str:
    return group_of_split(bench.spec.data.split.by or "flow")


def _review(bench: Workbench, state: State) -> Review:
    split, audit = state["numbers"]["split_rows"], state["numbers"]["audit_shortcuts"]
    findings = [
        f"{split['groups_on_two_sides']} of {split['groups']:,} split groups are on two sides."
    ]
    if split["groups_on_two_sides"]:
        return Review(passed=False, findings=[*findings, "Split again."], back_to="cleaning")
    findings += split["warnings"] + audit["advice"]
    if audit["verdict"] != "leaking":
        return Review(passed=audit["verdict"] == "trustworthy", findings=findings)
    asked_for, accepted = bench.spec.data.masks, bench.spec.data.accept_shortcuts
    return Review(
        passed=False,
        findings=findings,
        back_to=None if accepted else "cleaning",
        gate=_gate(audit["reasons"]),
        person_only=asked_for is not None and bool(audit["mend"]["masks"]),
        override=accepted or "",
        by="spec" if accepted else "",
    )


def _gate(reasons: list[str]) -> str:
    """The worst reason, and how many more there are."""
    others = len(reasons) - 1
    more = f" ({counted(others, 'more reason')} in the audit.)" if others else ""
    return f"{reasons[0]}{more}"


CLEANING = StageRules(
    name="cleaning",
    tools=("clean_rows", "split_rows", "audit_shortcuts"),
    required=True,
    facts=_facts,
    review=_review,
)
