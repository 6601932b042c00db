"""Augmentation: derived columns that help are kept; whether synthetic rows do is found out before
any is made."""

from typing import Any

from agents.look import looked_at
from agents.stages.base import StageRules
from agents.state import Review, State, versions_of
from agents.workbench import Workbench
from pipelines.augment.made_rows import MadeRows
from pipelines.words import counted

DERIVE, EXPLORE, MAKE = "derive_features", "explore_arms", "augment_rows"


def _facts(bench: Workbench, state: State) -> dict[str, Any]:
    sides = state["numbers"]["split_rows"]["sizes"]
    found: dict[str, Any] = {"train": sides["train"]["classes"]}
    if looked := looked_at(bench.run, len(versions_of(state, "augmentation")) + 1):
        found["look"] = {
            "votes": looked.votes,
            "words": looked.words,
            "judged": looked.judged,
            "verdicts": looked.verdicts,
            "rows": len(looked.right),
            "wrong": looked.right.count(False),
        }
    return found


def _review(bench: Workbench, state: State) -> Review:
    """What was found out, of features first. A generator that helps is proposed next, unless few
    labels are studied: there each draw is a training side of its own."""
    numbers = state["numbers"]
    tried = _tried(numbers[DERIVE]) if DERIVE in numbers else []
    if MAKE in numbers:
        made = MadeRows.model_validate(numbers[MAKE])
        return Review(passed=True, findings=[*tried, made.words, *made.notes, made.gate])
    explored = numbers.get(EXPLORE)
    if explored is None:
        real = "Train, validation and test hold real rows only."
        return Review(passed=True, findings=[*tried, real])
    findings = [*tried]
    findings += [
        f"{found['name']}: {found['words']} {found.get('on_absent', '')}".strip()
        for found in explored["models"]
    ]
    helps = any(found["kind"] == "use" for found in explored["models"])
    if helps and bench.spec.data.sample is None:
        return Review(passed=True, findings=findings, back_to="augmentation")
    return Review(passed=True, findings=findings)


def _tried(found: dict[str, Any]) -> list[str]:
    """Which features are kept; the report and the terminal have a table of all."""
    total = counted(len(found["outcomes"]), "feature")
    lines = [*found["warnings"], f"{len(found['kept'])} of {total} kept."]
    kept = [outcome for outcome in found["outcomes"] if outcome["verdict"] == "kept"]
    for outcome in kept:
        low, high = outcome["ci"]
        gain = f"{outcome['difference']:+.3f} ({low:+.3f} to {high:+.3f})"
        lines.append(f"Models read {outcome['expression']}: {found['model']} gains {gain} by it.")
    return lines


AUGMENTATION = StageRules(
    name="augmentation", tools=(DERIVE, EXPLORE, MAKE), required=False, facts=_facts, review=_review
)
