"""Design: which models are trained. They are chosen by validation; the test side stays unread."""

from typing import Any

from agents.checkpoints import Plan
from agents.stages.base import StageRules
from agents.state import Review, State
from agents.workbench import Workbench
from pipelines.errors import InputError

MOST_TRIALS = 2
# Twice the width is four times the work of a convolution, and there are twice the epochs.
TRIAL_GROWTH = 8


def _facts(bench: Workbench, state: State) -> dict[str, Any]:
    sizes = state["numbers"]["split_rows"]["sizes"]
    rows = sizes["train"]["rows"] + sizes["validation"]["rows"]
    return {
        "minutes_left": bench.minutes_left(state),
        "minutes_per_epoch": bench.rates.minutes("train_cnn", rows),
    }


def validation_scores(state: State) -> dict[str, float]:
    """Model -> its validation macro-F1 (out-of-fold in a few-label study), best first."""
    scores: dict[str, float] = {}
    for name, result in state["results"].items():  # oldest first, as the artefacts were made
        if name.startswith("design/"):
            scores |= result.numbers["validation"]
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def _review(bench: Workbench, state: State) -> Review:
    scores = validation_scores(state)
    best, score = next(iter(scores.items()))
    trained = [state["numbers"].get(tool, {}) for tool in ("train_baselines", "train_cnn")]
    warnings = dict.fromkeys(line for found in trained for line in found.get("warnings", []))
    findings = [*warnings, f"{best} is best on validation: macro-F1 {score:.3f}."]
    findings += _unaudited(state)
    wanted = state["numbers"]["record_requirements"]
    target, judged = wanted["target"], wanted["metric"] == "macro_f1"
    if target is None or score >= target or not judged or bench.spec.data.sample is not None:
        return Review(passed=True, findings=findings)
    findings.append(f"That is below the target of {target:g}.")
    again = _another_trial_fits(bench, state)
    return Review(passed=False, findings=findings, back_to="design" if again else None)


def _check(plan: Plan, state: State) -> None:
    """Models see no leak that the audit found under a mask: the gate was not asked about it."""
    from pipelines.audit.audit import Audit, leaks_under

    found = Audit.model_validate(state["numbers"]["audit_shortcuts"])
    for step in plan.steps:
        if leaks := leaks_under(found, step.params["masks"]):
            raise InputError(
                f"{step.tool}.masks would show models what the audit took for hidden. {leaks[0]}",
                "Leave it masked; or begin a run whose spec names data.masks, and says why in "
                "data.accept_shortcuts.",
            )


def _unaudited(state: State) -> list[str]:
    """The audit calls a field masked by the masks of cleaning: it does not speak of others."""
    audited = set(state["numbers"]["audit_shortcuts"]["masks"])
    plan = state["plan"]
    assert plan is not None
    seen = sorted({name for step in plan.steps for name in audited - set(step.params["masks"])})
    return [f"Models saw {', '.join(seen)}, which the audit counts as masked."] if seen else []


def _another_trial_fits(bench: Workbench, state: State) -> bool:
    trials = [r for name, r in state["results"].items() if name.endswith(" train_cnn")]
    if not 0 < len(trials) < MOST_TRIALS:
        return False
    left = bench.minutes_left(state)
    return left is None or left > TRIAL_GROWTH * trials[-1].seconds / 60


DESIGN = StageRules(
    name="design",
    tools=("train_baselines", "train_cnn", "study_few_labels"),
    required=True,
    facts=_facts,
    review=_review,
    check=_check,
)
