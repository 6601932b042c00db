"""Synthetic rows by rules: none unasked, a study first, then what the study found to help."""

from typing import Any

import pytest

from agents.checkpoints import Plan
from agents.planners.base import Evidence
from agents.planners.llm import augmentation as by_model
from agents.planners.llm.proposals import AugmentationSaid
from agents.planners.rules import RulePlanner
from agents.planners.rules.plans import param
from agents.spec import Spec
from agents.state import Feedback
from agents.wall.names import Names
from pipelines.augment.names import PLAIN
from pipelines.errors import InputError
from tools.calls import check_params
from tools.registry import find_tool

USE = {
    "name": "cnn", "kind": "use", "arm": "smote", "amount": 4.0, "screened": True,
    "gain": 0.03, "ci": [0.01, 0.05], "words": "Use smote.",
}  # fmt: skip
NONE = {
    "name": "random_forest", "kind": "none", "arm": None, "amount": None, "screened": False,
    "gain": 0.0, "ci": [-0.01, 0.005], "words": "No benefit.",
}  # fmt: skip


def evidence(*explored: dict[str, Any], rarest: int = 30, **spec: Any) -> Evidence:
    numbers: dict[str, Any] = {
        "audit_shortcuts": {"masks": ["ports"]},
        "record_requirements": {"metric": "accuracy"},
    }
    if explored:
        numbers["explore_arms"] = {"models": list(explored)}
    content = {"goal": "Find it", "data": {"source": "captures"}, **spec}
    return Evidence(
        stage="augmentation",
        spec=Spec.model_validate(content),
        facts={"train": {"a": 500, "b": rarest}},
        numbers=numbers,
    )


def proposed(found: Evidence) -> Plan:
    return checked(RulePlanner().propose(found, None, None))


def revised(found: Evidence, note: str, source: Any = "person") -> Plan:
    feedback = Feedback(source=source, note=note)
    return checked(RulePlanner().propose(found, feedback, proposed(found)))


def checked(plan: Plan) -> Plan:
    """Its parameters are those of its tools."""
    for step in plan.steps:
        check_params(find_tool(step.tool), step.params)
    return plan


def test_none_unasked_and_how_to_ask() -> None:
    plan = proposed(evidence())
    assert plan.steps == []
    assert plan.summary.startswith("None. Label more rows of b (30)")
    assert 'Say "try synthetic rows"' in plan.summary


def test_a_spec_that_asks_gets_its_study() -> None:
    asked = {"arms": ["smote", "copula"], "amounts": [4, 1], "per_class": 5, "draws": 8}
    plan = proposed(evidence(augmentation={**asked, "models": ["knn"], "screened": True}))
    assert [step.tool for step in plan.steps] == ["explore_arms"]
    assert plan.steps[0].params == {
        "arms": ["smote", "copula"], "amounts": [1.0, 4.0], "models": ["knn"], "per_class": 5,
        "draws": 8, "metric": "accuracy", "screened": True, "within": False, "masks": ["ports"],
    }  # fmt: skip


FAMILIES = {"category": ["r2l", "u2r"]}


def with_absent(**more: Any) -> dict[str, Any]:
    return {"data": {"source": "t", "sample": {"per_class": 10, "absent": FAMILIES}}, **more}


@pytest.mark.parametrize("within", [False, True])
def test_absent_families_stand_in_the_plan(within: bool) -> None:
    """Whoever approves sees them; the spec names them in one place for both studies."""
    plan = proposed(evidence(**with_absent(augmentation={"within": within})))
    assert param(plan, "explore_arms", "absent") == FAMILIES
    assert plan.steps[0].reasons["absent"] == "set in the spec: never learned from"
    assert plan.summary.endswith(" Never learned from: category r2l, u2r.")


def test_absent_families_stay_where_a_person_asks_for_other_arms() -> None:
    plan = revised(evidence(**with_absent()), "compare smote and the copula")
    assert param(plan, "explore_arms", "absent") == FAMILIES
    made = revised(evidence(USE, **with_absent()), "take smote")
    assert param(made, "augment_rows", "absent") == FAMILIES


def test_a_model_that_plans_does_not_take_absent_families_away() -> None:
    found = evidence(**with_absent(augmentation={}))
    said = AugmentationSaid(
        judgement="Copies first.",
        features=[],
        generators=["duplicates"],
        rows_per_real_row=2,
        label_more=[],
    )
    plan = checked(by_model.amended(proposed(found), said, found, Names({"class": ["a", "b"]})))
    assert param(plan, "explore_arms", "arms") == ["duplicates"]
    assert param(plan, "explore_arms", "absent") == FAMILIES


def test_a_draw_leaves_rows_that_play_further_labels() -> None:
    plan = proposed(evidence(augmentation={"per_class": 40}))
    assert param(plan, "explore_arms", "per_class") == 15, "half of the rarest class"


def test_a_spec_may_ask_for_a_choice_within_the_labelled_rows() -> None:
    plan = proposed(evidence(augmentation={"within": True}))
    assert param(plan, "explore_arms", "within") is True
    assert plan.steps[0].reasons["within"] == "set in the spec"
    assert plan.summary == (
        "Find out first: 6 generators, by cross-validation within the 530 labelled rows of the "
        "train side."
    )


@pytest.mark.parametrize(
    ("common", "rarest", "within"),
    [(60, 19, True), (60, 20, False), (481, 19, True), (482, 19, False), (60, 2, True)],
)
def test_too_few_rows_for_draws_are_compared_within(common: int, rarest: int, within: bool) -> None:
    found = evidence(augmentation={"per_class": 10})
    found.facts["train"].update(a=common, b=rarest)
    plan = proposed(found)
    assert param(plan, "explore_arms", "within") is within
    assert (f": b has {rarest} rows, too few for draws." in plan.summary) is within
    if within:
        assert plan.steps[0].reasons["within"] == f"b has {rarest} rows"


def test_a_single_row_cannot_be_compared_within() -> None:
    plan = proposed(evidence(rarest=1, augmentation={"within": True}))
    assert plan.steps == []
    assert plan.summary.startswith("None. b has 1 row to learn from")


@pytest.mark.parametrize(("rarest", "steps"), [(1, 0), (3, 0), (4, 1)])
def test_a_class_of_single_rows_cannot_be_studied(rarest: int, steps: int) -> None:
    plan = revised(evidence(rarest=rarest), "try smote")
    assert len(plan.steps) == steps
    if not steps:
        assert plan.summary.startswith(f"None. b has {rarest} row")


@pytest.mark.parametrize(
    ("note", "arms"),
    [
        ("try synthetic rows", list(PLAIN)),
        ("augment the data please", list(PLAIN)),
        ("compare smote and the copula", ["smote", "copula"]),
        ("what about llm evolved rows", ["llm_evolved"]),
        ("let a llm write some", ["llm"]),
    ],
)
def test_a_person_asks_in_words(note: str, arms: list[str]) -> None:
    plan = revised(evidence(), note)
    assert sorted(param(plan, "explore_arms", "arms")) == sorted(arms)
    assert plan.steps[0].reasons["arms"] == f"asked for: {note}"


def test_other_words_say_what_can_be_asked_for() -> None:
    plan = revised(evidence(), "hmm")
    assert plan.steps == []
    assert plan.summary.startswith("Still none: say which generator")


def test_what_helps_is_made_as_it_was_compared() -> None:
    plan = proposed(evidence(NONE, USE))
    assert [step.tool for step in plan.steps] == ["augment_rows"]
    assert plan.steps[0].params == {
        "arm": "smote", "amount": 4.0, "votes": 2, "judged": None, "masks": ["ports"],
    }  # fmt: skip
    assert plan.summary.startswith("Make 2,120 rows by smote, for training only.")
    assert plan.steps[0].reasons["arm"] == "it surely gains for cnn"


def test_the_surest_model_decides() -> None:
    surer = {**USE, "name": "knn", "arm": "copula", "amount": 1.0, "ci": [0.02, 0.03]}
    assert param(proposed(evidence(USE, surer)), "augment_rows", "arm") == "copula"


def test_none_if_nothing_helps() -> None:
    plan = proposed(evidence(NONE))
    assert plan.steps == []
    assert plan.summary == "None. random_forest: No benefit."


def test_a_person_may_have_another_generator_than_the_study_found() -> None:
    plan = revised(evidence(NONE, USE), "use jitter instead")
    assert plan.steps[0].params["arm"] == "jitter"
    assert plan.steps[0].params["amount"] == 1.0
    assert plan.steps[0].params["votes"] is None


@pytest.mark.parametrize("votes", [1, 3, None])
def test_what_a_person_saw_of_the_rows_sets_the_filter(votes: int | None) -> None:
    found = evidence(NONE, USE)
    found.facts["look"] = looked = {
        "votes": votes, "words": "Most were wrong.", "judged": "0" * 64, "verdicts": "of 20 rows 9",
    }  # fmt: skip
    plan = proposed(found)
    assert param(plan, "augment_rows", "votes") == votes
    assert param(plan, "augment_rows", "judged") == looked["judged"]
    assert plan.steps[0].reasons["votes"] == "Most were wrong."
    assert plan.steps[0].reasons["judged"] == "of 20 rows 9"


def test_after_the_study_the_review_asks_anew() -> None:
    plan = revised(evidence(NONE, USE), "cnn: Use smote.", source="review")
    assert param(plan, "augment_rows", "arm") == "smote"


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"arms": ["gan"]}, "no generator, did you mean"),
        ({"models": ["traffic_lm"]}, "no model that learns in seconds"),
        ({"amounts": [0]}, "above 0"),
        ({"draws": 5}, "greater than or equal to 6"),
        ({"rows": 5}, "Extra inputs"),
    ],
)
def test_a_spec_with_a_slip(part: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        evidence(augmentation=part)


# --- by a language model -------------------------------------------------------------------------


def said(found: Evidence, **parts: Any) -> Plan:
    given = {
        "judgement": "Because.", "features": [], "generators": [], "rows_per_real_row": 0,
        "label_more": [],
    }  # fmt: skip
    answer = AugmentationSaid.model_validate({**given, **parts})
    return checked(by_model.amended(proposed(found), answer, found, Names({"class": ["a", "b"]})))


def test_a_models_generator_is_compared_before_a_row_is_made() -> None:
    plan = said(evidence(), generators=["copula", "llm"], rows_per_real_row=4)
    assert [step.tool for step in plan.steps] == ["explore_arms"]
    assert sorted(param(plan, "explore_arms", "arms")) == ["copula", "llm"]
    assert plan.summary == "Because."


def test_a_model_that_repeats_the_default_changes_nothing() -> None:
    found = evidence(USE)
    default = by_model.default(proposed(found), found, Names({}))
    assert default == {
        "features": [],
        "generators": ["smote"],
        "rows_per_real_row": 4.0,
        "label_more": [],
    }
    assert said(found, **default).steps == proposed(found).steps


def test_a_model_may_say_none() -> None:
    plan = said(evidence(USE), label_more=["class_1"])
    assert plan.steps == []
    assert plan.summary == "None. Because. Label more rows of b (30)."


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [({"rows_per_real_row": 2}, "it is 0"), ({"label_more": ["class_3"]}, "no such name")],
)
def test_what_a_model_cannot_say(parts: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        said(evidence(), **parts)
