"""Operation by rules: test once, pack the model that validation chose, report."""

from agents.checkpoints import Plan, Step
from agents.planners.base import Evidence
from agents.planners.rules.notes import MODEL_WORDS, read_note
from agents.planners.rules.plans import RULES, step, summarised, with_params
from agents.state import Feedback

# A language model scores a row in milliseconds, and shuffling asks about each row many times.
SLOW_ROWS, SLOW_DRAWS = 200, 2
SLOW = "traffic_lm"


def propose(evidence: Evidence) -> Plan:
    """Evaluate on the test side, package, report."""
    scores = evidence.facts["validation"]
    best, score = next(iter(scores.items()))
    how = f"best on validation: macro-F1 {score:.3f}"
    steps = [
        step(
            "package_detector",
            model=(best, how),
            benign=(evidence.numbers["record_requirements"]["benign"], "as recorded"),
        ),
        step("write_report"),
    ]
    if evidence.spec.data.sample is None:
        test = step("evaluate_models", best=(best, how))
        lean = _lean(best, "what its score leans on, in the report")
        steps = [test, lean, *steps]
    return Plan(
        stage="operation",
        planner=RULES,
        summary=f"Read the test side once, pack {best} as the detector, write the report.",
        steps=steps,
    )


def revise(evidence: Evidence, plan: Plan, feedback: Feedback) -> Plan:
    """Another model for the detector: the one named, else the next best on validation."""
    wishes, scores = read_note(feedback.note), evidence.facts["validation"]
    now = next(s.params["model"] for s in plan.steps if s.tool == "package_detector")
    named = [m for m in scores if m in wishes.only | wishes.add and m in MODEL_WORDS]
    others = [m for m in scores if m != now and m not in wishes.drop]
    chosen = (named or others or [now])[0]
    plan = packing(plan, chosen, f"asked for: {wishes.words}")
    return summarised(plan, f"Pack {chosen} instead (validation macro-F1 {scores[chosen]:.3f}).")


def packing(plan: Plan, model: str, why: str) -> Plan:
    """The plan with another model as the detector."""
    plan = with_params(plan, "package_detector", model=(model, why))
    plan = with_params(plan, "evaluate_models", best=(model, why))
    steps = [_lean(model, why) if s.tool == "stress_model" else s for s in plan.steps]
    return plan.model_copy(update={"steps": steps})


def _lean(model: str, why: str) -> Step:
    """The stress of a model, with as few rows and draws as a slow one has time for."""
    if not model.startswith(SLOW):
        return step("stress_model", model=(model, why))
    few = "a language model is slow: enough to see what it leans on, not how much to a hundredth"
    return step("stress_model", model=(model, why), rows=(SLOW_ROWS, few), draws=(SLOW_DRAWS, few))
