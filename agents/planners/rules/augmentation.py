"""Augmentation by rules: none, and why."""

from agents.checkpoints import Plan
from agents.planners.base import Evidence
from agents.planners.rules.plans import RULES, summarised
from agents.state import Feedback

FEW = 50


def propose(evidence: Evidence) -> Plan:
    """No synthetic rows; says what would help instead."""
    rows = evidence.facts["train"]
    few = {name: count for name, count in rows.items() if count < FEW}
    sample = evidence.spec.data.sample
    if sample is not None:
        reason = (
            f"The study is about {sample.per_class} real rows a class; on public tables as many "
            "real rows again gain more than synthetic ones."
        )
    elif few:
        names = ", ".join(f"{name} ({count})" for name, count in sorted(few.items())[:5])
        reason = (
            f"Label more rows of {names} instead: real rows gain more, and none of them is wrong."
        )
    else:
        reason = f"Every class has {min(rows.values())} rows or more; class weights do the rest."
    return Plan(stage="augmentation", planner=RULES, summary=f"None. {reason}")


def revise(evidence: Evidence, plan: Plan, feedback: Feedback) -> Plan:
    """Still none: there is no generator to propose; the summary says so."""
    return summarised(
        propose(evidence),
        "Still none: no generator is installed that could be judged on your data. "
        "Approve to go on with real rows, or abort and add labelled rows.",
    )
