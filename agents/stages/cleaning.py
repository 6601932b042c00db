"""Cleaning: which rows stay, how sides are kept apart, whether a shortcut gives the label away."""

from typing import Any

from agents.stages.base import StageRules
from agents.state import Review, State
from agents.workbench import Workbench
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.group_names import group_of_split


def _facts(bench: Workbench, state: State) -> dict[str, Any]:
    group = group_of_split(bench.spec.data.split.by or "flow")
    return {"group": group, **bench.look("propose_filters", {"group": group}, state)}


def _review(bench: Workbench, state: State) -> Review:
    split, audit = state["numbers"]["split_rows"], state["numbers"]["audit_shortcuts"]
    findings = [
        f"{split['groups_on_two_sides']} of {split['groups']:,} split groups are on two sides."
    ]
    if split["groups_on_two_sides"]:
        return Review(passed=False, findings=[*findings, "Split again."], back_to="cleaning")
    findings += split["warnings"]
    open_groups = sorted(
        {
            row["group"]
            for row in audit["fields"]
            if row["verdict"] == "shortcut" and not row["masked"]
        }
    )
    identifiers = [group for group in open_groups if group in DEFAULT_MASKS]
    if identifiers and bench.spec.data.masks is None:
        findings.append(f"Identifiers give the label away: mask {', '.join(identifiers)}.")
        return Review(passed=False, findings=findings, back_to="cleaning")
    return Review(passed=not open_groups, findings=findings + audit["advice"])


CLEANING = StageRules(
    name="cleaning",
    tools=("clean_rows", "split_rows", "audit_shortcuts"),
    required=True,
    facts=_facts,
    review=_review,
)
