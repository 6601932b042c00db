"""Operation: the test side is read once, the chosen model is packed, the report is written."""

from typing import Any

from agents.stages.base import StageRules
from agents.stages.design import validation_scores
from agents.state import Review, State
from agents.workbench import Workbench


def _facts(bench: Workbench, state: State) -> dict[str, Any]:
    return {"validation": validation_scores(state)}


def _review(bench: Workbench, state: State) -> Review:
    wanted = state["numbers"]["record_requirements"]
    tested = state["numbers"].get("evaluate_models") or state["numbers"]["study_few_labels"]
    packed = state["numbers"]["package_detector"]["model"]
    best = next(row for row in tested["models"] if row["name"] == packed)
    findings, passed = [], True
    if packed != tested["best"]:
        findings.append(f"You packed {packed}; validation chose {tested['best']}.")
    reached, target = best[wanted["metric"]], wanted["target"]
    if target is not None:
        passed = reached >= target
        verb = "reaches" if passed else "misses"
        findings.append(
            f"{best['name']} {verb} the target: "
            f"{wanted['metric']} {reached:.3f}, wanted {target:g}."
        )
    limit, alarms = wanted["max_false_positive_rate"], best.get("false_positive_rate")
    if limit is not None and alarms is None:
        passed = False
        findings.append(f"False positives were not measured; tolerated are {limit:g}.")
    elif limit is not None and alarms > limit:
        passed = False
        findings.append(f"False positives at a recall of 0.9: {alarms:.4f}, tolerated {limit:g}.")
    longest, pace = wanted["max_latency_ms"], best.get("rows_per_second")
    if longest is not None and pace is None:
        passed = False
        findings.append(f"The time of a verdict was not measured; tolerated are {longest:g} ms.")
    elif longest is not None and 1000 / pace > longest:
        passed = False
        findings.append(
            f"A verdict took {1000 / pace:.3g} ms on this machine, tolerated {longest:g}."
        )
    return Review(passed=passed, findings=findings)


OPERATION = StageRules(
    name="operation",
    tools=("evaluate_models", "stress_model", "package_detector", "write_report"),
    required=True,
    facts=_facts,
    review=_review,
)
