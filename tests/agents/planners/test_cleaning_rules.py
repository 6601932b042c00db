"""How the rules read filters: the safe ones in the plan, what speaks for the others beside it."""

from typing import Any

import pytest

from agents.checkpoints import Decision, Plan
from agents.edits import apply_decision
from agents.planners.base import Evidence
from agents.planners.rules import RulePlanner
from agents.planners.rules.plans import param
from agents.spec import Spec
from agents.state import Feedback
from tools.calls import check_params
from tools.registry import find_tool

SAFE = {"name": "small_classes", "rows": 2, "reason": "too few", "recommended": True}
JUDGED = {
    "name": "label_errors",
    "rows": 31,
    "reason": "models disagree",
    "recommended": False,
    "precision": 0.914,
    "effect": {"macro_f1_with": 0.81, "macro_f1_without": 0.8},
    "classes_lost": [],
}
WIDE = {
    "name": "few_packets",
    "rows": 900,
    "reason": "too short",
    "recommended": False,
    "precision": None,
    "effect": {"macro_f1_with": 0.7, "macro_f1_without": 0.72},
    "classes_lost": ["a", "b"],
}


def evidence(**facts: Any) -> Evidence:
    known = {
        "filters": [SAFE, JUDGED, WIDE],
        "not_tried": ["near_duplicates"],
        "kind": "captures",
        "captures_per_class": 2,
        "days": 30.0,
        "group": "flow",
    }
    spec = Spec.model_validate({"goal": "Find it", "data": {"source": "captures"}})
    numbers = {
        "audit_shortcuts": {
            "masks": [],
            "mend": {"masks": [], "filters": ["near_duplicates", "exact_duplicates"]},
        }
    }
    return Evidence(stage="cleaning", spec=spec, facts={**known, **facts}, numbers=numbers)


def completed(plan: Plan) -> Plan:
    steps = [
        s.model_copy(update={"params": check_params(find_tool(s.tool), s.params).model_dump()})
        for s in plan.steps
    ]
    return plan.model_copy(update={"steps": steps})


def proposed() -> Plan:
    return completed(RulePlanner().propose(evidence(), None, None))


def revised(note: str, before: Plan, source: str = "person") -> list[Any]:
    feedback = Feedback(source=source, note=note)
    after = completed(RulePlanner().propose(evidence(), feedback, before))
    filters: list[Any] = param(after, "clean_rows", "filters")
    return filters


def test_safe_filters_are_in_the_plan_and_others_are_offered_with_their_effect() -> None:
    plan = proposed()
    assert param(plan, "clean_rows", "filters") == ["small_classes"]
    assert "label_errors (31, 91% rightly, macro-F1 +0.010)" in plan.summary
    assert "few_packets (900, macro-F1 -0.020, 2 classes lost)" in plan.summary


def test_filters_that_were_not_tried_can_be_asked_for() -> None:
    assert revised("use near duplicates too", proposed()) == ["near_duplicates", "small_classes"]


def edited() -> Plan:
    """The plan after a person gave a filter parameters of its own."""
    plan = proposed()
    chosen = ["small_classes", {"name": "few_packets", "params": {"packets": 3}}]
    edits = {"clean_rows.filters": chosen}
    return apply_decision(plan, Decision(action="edit", plan=plan.digest(), edits=edits))


def test_a_person_sets_the_parameters_of_a_filter() -> None:
    assert param(edited(), "clean_rows", "filters") == [
        "small_classes",
        {"name": "few_packets", "params": {"packets": 3}},
    ]


@pytest.mark.parametrize(
    ("note", "filters"),
    [
        (
            "label errors as well",
            [{"name": "few_packets", "params": {"packets": 3}}, "label_errors", "small_classes"],
        ),
        ("not few packets", ["small_classes"]),
        ("keep all rows", []),
    ],
)
def test_filters_with_parameters_are_known_by_their_names(note: str, filters: list[Any]) -> None:
    assert revised(note, edited()) == filters


def test_the_audit_adds_filters_that_exist_for_these_rows() -> None:
    assert revised("copies on both sides", edited(), source="review") == [
        "small_classes",
        {"name": "few_packets", "params": {"packets": 3}},
        "near_duplicates",
    ]


def week(days: float = 7) -> dict[str, Any]:
    return {"name": "old_rows", "params": {"days": days}}


def answered(note: str, **facts: Any) -> Plan:
    known = evidence(**facts)
    return completed(RulePlanner().propose(known, Feedback(source="person", note=note), proposed()))


@pytest.mark.parametrize(
    ("spanned", "said"),
    [
        (30.0, "Keep the newest 7 of 30 days. Set 2 rows aside"),
        (2.25, "These rows span 2.25 days, so all of them are recent. Set 2 rows aside"),
    ],
)
def test_only_the_last_week(spanned: float, said: str) -> None:
    plan = answered("use only the last week", days=spanned)
    assert param(plan, "clean_rows", "filters") == [week(), "small_classes"]
    assert plan.summary.startswith(said)
    reason = next(step.reasons["filters"] for step in plan.steps if step.tool == "clean_rows")
    assert reason == "asked for: use only the last week"


def test_the_days_are_changed_and_taken_back() -> None:
    plan = answered("use only the last week")
    assert revised("only the last two weeks, rather", plan) == [week(14), "small_classes"]
    assert revised("no old rows please", plan) == ["small_classes"]
    assert revised("keep all rows", plan) == []
    assert revised("label errors as well", plan) == ["label_errors", week(), "small_classes"]


def test_nothing_is_recent_where_nothing_has_a_time() -> None:
    plan = answered("use only the last week", kind="table", captures_per_class=0, days=None)
    assert param(plan, "clean_rows", "filters") == ["small_classes"]
    assert plan.summary.startswith("These rows have no times, so none of them is recent. Set 2")
    assert param(plan, "split_rows", "by") == "time", "the split stays: it was not asked about"


def test_the_filter_named_without_its_days_keeps_a_week() -> None:
    edits = {"clean_rows.filters": ["old_rows"]}
    plan = proposed()
    plan = apply_decision(plan, Decision(action="edit", plan=plan.digest(), edits=edits))
    after = RulePlanner().propose(
        evidence(), Feedback(source="person", note="split by capture"), plan
    )
    assert "Keep the newest 7 of 30 days." in after.summary
