"""Design: which models are trained. They are chosen by validation; the test side stays unread."""

from typing import Any

from agents.stages.base import StageRules
from agents.state import Review, State, versions_of
from agents.workbench import Workbench

MOST_TRIALS = 2


def _facts(bench: Workbench, state: State) -> dict[str, Any]:
    return {
        "split": state["numbers"]["split_rows"]["sizes"],
        "trials": len(versions_of(state, "design")),
    }


def validation_scores(state: State) -> dict[str, float]:
    """Model -> its validation macro-F1 (out-of-fold in a few-label study), best first."""
    numbers = state.get("numbers", {})
    scores: dict[str, float] = {}
    for tool in ("train_baselines", "train_cnn", "study_few_labels"):
        scores |= numbers.get(tool, {}).get("validation", {})
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def _review(bench: Workbench, state: State) -> Review:
    scores = validation_scores(state)
    best, score = next(iter(scores.items()))
    trained = [state["numbers"].get(tool, {}) for tool in ("train_baselines", "train_cnn")]
    warnings = dict.fromkeys(line for found in trained for line in found.get("warnings", []))
    findings = [*warnings, f"{best} is best on validation: macro-F1 {score:.3f}."]
    target = state["numbers"]["record_requirements"]["target"]
    if target is None or score >= target or bench.spec.data.sample is not None:
        return Review(passed=True, findings=findings)
    findings.append(f"That is below the target of {target:g}.")
    again = _another_trial_fits(bench, state)
    return Review(passed=False, findings=findings, back_to="design" if again else None)


def _another_trial_fits(bench: Workbench, state: State) -> bool:
    if "train_cnn" not in state["numbers"] or len(versions_of(state, "design")) >= MOST_TRIALS:
        return False
    spent = [r.seconds / 60 for name, r in state["results"].items() if "train_cnn" in name]
    left = bench.evidence("design", {}, state).minutes_left
    return left is None or left > 3 * max(spent)


DESIGN = StageRules(
    name="design",
    tools=("train_baselines", "train_cnn", "study_few_labels"),
    required=True,
    facts=_facts,
    review=_review,
)
