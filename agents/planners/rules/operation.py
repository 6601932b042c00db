"""Operation by rules: test once, pack the model that validation chose, report."""

from agents.checkpoints import Plan
from agents.planners.base import Evidence
from agents.planners.rules.notes import MODEL_WORDS, read_note
from agents.planners.rules.plans import RULES, step, summarised, with_params
from agents.state import Feedback


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
        lean = step("stress_model", model=(best, "what its score leans on, in the report"))
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
    why = f"asked for: {wishes.words}"
    plan = with_params(plan, "package_detector", model=(chosen, why))
    plan = with_params(plan, "evaluate_models", best=(chosen, why))
    plan = with_params(plan, "stress_model", model=(chosen, why))
    return summarised(plan, f"Pack {chosen} instead (validation macro-F1 {scores[chosen]:.3f}).")
