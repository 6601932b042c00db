"""Augmentation by rules: none, and why; a study where one is asked for; and then what it found."""

import re
from typing import Any

from agents.checkpoints import Plan
from agents.planners.base import Evidence
from agents.planners.rules.plans import RULES, step, summarised
from agents.state import Feedback
from pipelines.augment.names import AMOUNTS, ARMS, PLAIN
from pipelines.words import counted

FEW = 50
# Draws within the train side: as many rows as a person would label first.
PER_CLASS = 10
# Of a class: two to draw, and two to play further labels.
FEWEST = 4
ASKED = r"\b(synthetic|augment\w*|generat\w+|artificial|made-up|more rows|compare|explore|try)\b"


def propose(evidence: Evidence) -> Plan:
    """What the study found to help; the study if the spec names one; else none, and why."""
    if "explore_arms" in evidence.numbers:
        return _found(evidence)
    asked = evidence.spec.augmentation
    if asked is None:
        return _none(evidence)
    return _study(evidence, asked.arms, "set in the spec")


def revise(evidence: Evidence, plan: Plan, feedback: Feedback) -> Plan:
    """A study of the generators that a person names, or of all; the arm itself after a study."""
    if feedback.source == "review":
        return propose(evidence)
    note = feedback.note.lower().replace("llm evolved", "llm_evolved")
    named = [name for name in ARMS if re.search(rf"\b{name}\b", note)]
    why = f"asked for: {feedback.note.strip()}"
    if named and "explore_arms" in evidence.numbers:
        return _make(evidence, named[0], _amount(evidence, named[0]), why)
    if named or re.search(ASKED, note):
        return _study(evidence, named or None, why)
    return summarised(
        _none(evidence),
        "Still none: say which generator to try, or that synthetic rows shall be compared. "
        f"They are: {', '.join(ARMS)}.",
    )


def _none(evidence: Evidence) -> Plan:
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
    tell = 'Say "try synthetic rows" to find out for these data.'
    return Plan(stage="augmentation", planner=RULES, summary=f"None. {reason} {tell}")


def _study(evidence: Evidence, arms: list[str] | None, why: str) -> Plan:
    spec, rows = evidence.spec.augmentation, evidence.facts["train"]
    name, rarest = min(rows.items(), key=lambda item: item[1])
    if rarest < FEWEST:
        words = f"None. {name} has {counted(rarest, 'row')} to learn from: too few to study."
        return Plan(stage="augmentation", planner=RULES, summary=f"{words} Label more of it.")
    chosen = arms or list(PLAIN)
    asked = spec.per_class if spec else PER_CLASS
    per_class = max(2, min(asked, rarest // 2))  # the rest plays further labels
    draws = spec.draws if spec else 20
    amounts = spec.amounts if spec else list(AMOUNTS)
    masks = evidence.numbers["audit_shortcuts"]["masks"]
    study = step(
        "explore_arms",
        arms=(chosen, why),
        amounts=(amounts, "set in the spec" if spec else "from a quarter of the real rows to 8:1"),
        models=(
            spec.models if spec else ["random_forest", "cnn"],
            "set in the spec" if spec else "the usual winner, and one that is short of rows",
        ),
        per_class=(per_class, "rows of a class, drawn from train; the others play more labels"),
        draws=(draws, "all arms meet the same ones"),
        metric=(evidence.numbers["record_requirements"]["metric"], "as the requirements say"),
        screened=(spec.screened if spec else False, "set in the spec" if spec else "not asked for"),
        masks=(masks, "as the audit decided"),
    )
    summary = (
        f"Find out first: {counted(len(chosen), 'generator')} and more real rows, over "
        f"{draws} draws of {per_class} rows a class, judged on validation rows."
    )
    return Plan(stage="augmentation", planner=RULES, summary=summary, steps=[study])


def _found(evidence: Evidence) -> Plan:
    """The surest arm of the model that gains by it; none if no model does."""
    models = evidence.numbers["explore_arms"]["models"]
    gains = [found for found in models if found["verdict"] == "use"]
    if not gains:
        words = " ".join(f"{found['name']}: {found['words']}" for found in models)
        return Plan(stage="augmentation", planner=RULES, summary=f"None. {words}")
    best = max(gains, key=lambda found: found["ci"][0])
    why = f"it surely gains for {best['name']}"
    return _make(evidence, best["arm"], best["amount"], why)


def _make(evidence: Evidence, arm: str, amount: float, why: str) -> Plan:
    name, _, screened = arm.partition(", ")
    made = step(
        "augment_rows",
        arm=(name, why),
        amount=(amount, "the amount at which it was surest"),
        screened=(bool(screened), "as it was compared"),
        masks=(evidence.numbers["audit_shortcuts"]["masks"], "as the audit decided"),
    )
    rows = round(amount * sum(evidence.facts["train"].values()))
    words = [f"{found['name']}: {found['words']}" for found in _models(evidence)]
    summary = f"Make {rows:,} rows by {name}, for training only. {' '.join(words)}"
    return Plan(stage="augmentation", planner=RULES, summary=summary, steps=[made])


def _models(evidence: Evidence) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = evidence.numbers["explore_arms"]["models"]
    return found


def _amount(evidence: Evidence, arm: str) -> float:
    """The amount at which the study recommends an arm; as many rows as there are real ones else."""
    known = [found["amount"] for found in _models(evidence) if found["arm"] == arm]
    return float(known[0]) if known else 1.0
