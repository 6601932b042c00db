"""Augmentation by rules: the features that the spec names are tried; then synthetic rows: none, and
why, or a study where one is asked for, and then what it found."""

import re
from collections.abc import Sequence
from typing import Any

from agents.checkpoints import Plan
from agents.planners.base import Evidence
from agents.planners.rules import features
from agents.planners.rules.plans import RULES, absent_of, param, step, summarised, with_params
from agents.spec import AugmentationSpec
from agents.state import Feedback
from pipelines.augment.names import ARMS, DOUBTS
from pipelines.words import counted

FEW = 50
# Of a class: two to draw, and two to play further labels.
FEWEST = 4
# And without draws: one to learn from and one to judge by.
FEWEST_WITHIN = 2
# Each fold learns from all labelled rows: with more of them, draws of few tell it sooner.
MOST_WITHIN = 500
JUDGED = r"\bas (i|we) (have )?judged\b"
MAKE = "augment_rows"
ASKED = r"\b(synthetic|augment\w*|generat\w+|artificial|made-up|more rows|compare|explore|try)\b"


def propose(evidence: Evidence) -> Plan:
    """What the study found to help; the study if the spec names one; else none, and why.

    Before that the features of the spec are tried, once.
    """
    if "explore_arms" in evidence.numbers:
        return _found(evidence)
    asked = evidence.spec.augmentation
    plan = _none(evidence) if asked is None else study(evidence, asked, "set in the spec")
    return features.proposed(evidence, plan)


def revise(evidence: Evidence, plan: Plan, feedback: Feedback) -> Plan:
    """A study of the generators that a person names, or of all; the arm itself after a study; the
    same rows as a person judged them, after a look.

    Features in a person's words are tried; those that were to be tried stay unless refused.
    """
    if feedback.source == "review":
        return propose(evidence)
    if changed := features.revised(evidence, plan, feedback.note):
        return changed
    return features.carried(plan, _revised(evidence, plan, feedback))


def _revised(evidence: Evidence, plan: Plan, feedback: Feedback) -> Plan:
    note = feedback.note.lower().replace("llm evolved", "llm_evolved")
    named = [name for name in ARMS if re.search(rf"\b{name}\b", note)]
    why = f"asked for: {feedback.note.strip()}"
    look = evidence.facts.get("look")
    if look and param(plan, MAKE, "arm") and re.search(JUDGED, note):
        return with_params(
            plan,
            MAKE,
            votes=(look["votes"], look["words"]),
            judged=(look["judged"], look["verdicts"]),
        )
    if named and "explore_arms" in evidence.numbers:
        return make(evidence, named[0], why)
    if named or re.search(ASKED, note):
        return study(evidence, with_arms(evidence, named), why)
    return summarised(
        _none(evidence),
        "Still none: say which generator to try, or that synthetic rows shall be compared. "
        f"They are: {', '.join(ARMS)}.",
    )


def with_arms(evidence: Evidence, arms: Sequence[str]) -> AugmentationSpec:
    """The study of the spec, or an ordinary one, of these arms; of its own if none are named."""
    settings = evidence.spec.augmentation or AugmentationSpec()
    return settings.model_copy(update={"arms": [*arms]}) if arms else settings


def study(evidence: Evidence, settings: AugmentationSpec, why: str) -> Plan:
    """Compare arms on draws that leave half of the rarest class to play further labels.

    Where few rows are labelled, too few of a class for such draws, within the labelled rows.
    """
    rows, requirements = evidence.facts["train"], evidence.numbers["record_requirements"]
    name, rarest = min(rows.items(), key=lambda item: item[1])
    labelled = sum(rows.values())
    few = rarest < 2 * settings.per_class and labelled <= MOST_WITHIN
    within = settings.within or few
    if rarest < (FEWEST_WITHIN if within else FEWEST):
        words = f"None. {name} has {counted(rarest, 'row')} to learn from: too few to study."
        return Plan(stage="augmentation", planner=RULES, summary=f"{words} Label more of it.")
    absent, families = absent_of(evidence)
    per_class = max(2, min(settings.per_class, rarest // 2))
    explored = step(
        "explore_arms",
        arms=(settings.arms, why),
        amounts=(settings.amounts, "each holds the rows of the smaller ones"),
        models=(settings.models, "what would be trained with them"),
        per_class=(per_class, "rows of a class, drawn from train; the others play more labels"),
        draws=(settings.draws, "all arms meet the same ones"),
        metric=(requirements["metric"], "as the requirements say"),
        screened=(settings.screened, "whether rows are also left out whose label is doubted"),
        within=(within, f"{name} has {counted(rarest, 'row')}" if few else why),
        masks=(evidence.numbers["audit_shortcuts"]["masks"], "as the audit decided"),
        **absent,
    )
    generators = counted(len(settings.arms), "generator")
    summary = (
        f"Find out first: {generators} and more real rows, over {settings.draws} draws of "
        f"{per_class} rows a class, judged on validation rows.{families}"
    )
    if within:
        too_few = f": {name} has {counted(rarest, 'row')}, too few for draws" if few else ""
        summary = (
            f"Find out first: {generators}, by cross-validation within the {labelled:,} labelled "
            f"rows of the train side{too_few}.{families}"
        )
    return Plan(stage="augmentation", planner=RULES, summary=summary, steps=[explored])


def make(evidence: Evidence, arm: str, why: str, amount: float | None = None) -> Plan:
    """Make rows by an arm: as many, and screened, as the study found best, if it did.

    How hard they are filtered a person may have said, who looked at such rows; what they said of
    each is heeded.
    """
    explored = evidence.numbers["explore_arms"]["models"]
    known = [found for found in explored if found["arm"] == arm]
    best = max(known, key=_sureness) if known else {"amount": 1.0, "screened": False}
    times = amount or best["amount"]
    votes = DOUBTS if best["screened"] else None
    look = evidence.facts.get("look")
    made = step(
        MAKE,
        arm=(arm, why),
        amount=(times, "the surest amount of the study" if known and not amount else why),
        votes=(look["votes"], look["words"]) if look else (votes, "as it was compared"),
        judged=(look["judged"], look["verdicts"]) if look else (None, "nobody looked at any"),
        masks=(evidence.numbers["audit_shortcuts"]["masks"], "as the audit decided"),
        **absent_of(evidence)[0],
    )
    rows = round(times * sum(evidence.facts["train"].values()))
    summary = f"Make {rows:,} rows by {arm}, for training only. {_verdicts(explored)}"
    return Plan(stage="augmentation", planner=RULES, summary=summary, steps=[made])


def _found(evidence: Evidence) -> Plan:
    """The surest arm of the model that gains by it; none if no model does."""
    explored = evidence.numbers["explore_arms"]["models"]
    gains = [found for found in explored if found["kind"] == "use"]
    if not gains:
        summary = f"None. {_verdicts(explored)}"
        return Plan(stage="augmentation", planner=RULES, summary=summary)
    best = max(gains, key=_sureness)
    return make(evidence, best["arm"], f"it surely gains for {best['name']}")


def _sureness(found: dict[str, Any]) -> float:
    return float(found["ci"][0])


def _verdicts(explored: list[dict[str, Any]]) -> str:
    return " ".join(f"{found['name']}: {found['words']}" for found in explored)


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
