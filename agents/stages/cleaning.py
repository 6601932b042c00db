"""Cleaning: which rows stay, how train and test are kept apart, and whether a shortcut gives them away."""

from typing import Any

from agents.stages.base import StageRules
from agents.state import Review, State
from agents.workbench import Workbench
from pipelines.datasets.fields import DEFAULT_MASKS


def _facts(bench: Workbench, state: State) -> dict[str, Any]:
    return bench.look("propose_filters", {}, state)


def _review(bench: Workbench, state: State) -> Review:
    split, audit = state["numbers"]["split_rows"], state["numbers"]["audit_shortcuts"]
    findings = [f"{split['groups_on_two_sides']} of {split['groups']:,} split groups are on two sides."]
    if split["groups_on_two_sides"]:
        return Review(passed=False, findings=[*findings, "Split again."], back_to="cleaning")
    findings += split["warnings"]
    open_groups = sorted({row["group"] for row in audit["fields"] if row["verdict"] == "shortcut" and not row["masked"]})
    identifiers = [group for group in open_groups if group in DEFAULT_MASKS]
    if identifiers and bench.spec.data.masks is None:
        findings.append(f"Identifiers give the label away: mask {', '.join(identifiers)}.")
        return Review(passed=False, findings=findings, back_to="cleaning")
    if open_groups:
        findings.append(
            f"One field alone comes at least half-way to a perfect score: look at {', '.join(open_groups)}"
            " in the audit before you believe any model."
        )
    return Review(passed=not open_groups, findings=findings)


CLEANING = StageRules(
    name="cleaning",
    tools=("clean_rows", "split_rows", "audit_shortcuts"),
    required=True,
    facts=_facts,
    review=_review,
)
