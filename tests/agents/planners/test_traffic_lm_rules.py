"""What the rules propose of the traffic language model, and how it changes when it is refused."""

from typing import Any

import pytest

from agents.checkpoints import Plan, plan_changes
from agents.planners.base import Evidence
from agents.planners.rules import RulePlanner
from agents.planners.rules.plans import param
from agents.spec import Spec
from agents.state import Feedback
from pipelines.datasets.fields import DEFAULT_MASKS
from tools.calls import check_params
from tools.registry import find_tool

TRY, TRAIN = "try_traffic_lm", "train_traffic_lm"
BOTH = ["traffic_lm_frozen", "traffic_lm_random"]
# An epoch takes a minute, everything else two.
FACTS: dict[str, Any] = {
    "rows": 500,
    "minutes_left": None,
    "minutes_per_epoch": 0.1,
    "traffic_lm": {"besides": 2.0, "each_epoch": 1.0, "measured": False},
}
MEASURED = {"traffic_lm": {**FACTS["traffic_lm"], "measured": True}}


def evidence(facts: dict[str, Any], design: dict[str, Any], **parts: Any) -> Evidence:
    content = {"goal": "Find C2 traffic", "data": {"source": "captures"}, **parts, "design": design}
    return Evidence(
        stage="design",
        spec=Spec.model_validate(content),
        facts={**FACTS, **facts},
        numbers={"audit_shortcuts": {"masks": list(DEFAULT_MASKS)}},
    )


def asked(*others: str, **settings: Any) -> dict[str, Any]:
    """A design that names the language model, and others."""
    given = {"traffic_lm": settings} if settings else {}
    return {"candidates": [*others, "traffic_lm"], **given}


def completed(plan: Plan) -> Plan:
    """As the workbench hands it on: each step's parameters checked and filled up."""
    steps = [
        s.model_copy(update={"params": check_params(find_tool(s.tool), s.params).model_dump()})
        for s in plan.steps
    ]
    return plan.model_copy(update={"steps": steps})


def proposed(design: dict[str, Any], facts: dict[str, Any] | None = None, **parts: Any) -> Plan:
    return completed(RulePlanner().propose(evidence(facts or {}, design, **parts), None, None))


def revised(
    note: str,
    design: dict[str, Any],
    facts: dict[str, Any] | None = None,
    source: str = "person",
    **parts: Any,
) -> tuple[Plan, Plan]:
    before = proposed(design, facts, **parts)
    feedback = Feedback(source=source, note=note)
    seen = evidence(facts or {}, design, **parts)
    return before, completed(RulePlanner().propose(seen, feedback, before))


def tools(plan: Plan) -> list[str]:
    return [step.tool for step in plan.steps]


def both(plan: Plan, name: str) -> Any:
    """A parameter of the try, which has to be that of the training as well."""
    assert param(plan, TRY, name) == param(plan, TRAIN, name)
    return param(plan, TRAIN, name)


def reason(plan: Plan, tool: str, name: str) -> str:
    return next(step.reasons[name] for step in plan.steps if step.tool == tool)


# --- the first plan ------------------------------------------------------------------------------


def test_it_is_not_proposed_unasked() -> None:
    assert tools(proposed({})) == ["train_baselines", "train_cnn"]


def test_it_is_tried_before_it_is_trained_and_after_what_is_quick() -> None:
    plan = proposed(asked("random_forest", "cnn"))
    assert tools(plan) == ["train_baselines", "train_cnn", TRY, TRAIN]
    assert plan.summary.startswith("Train random_forest, cnn, traffic_lm on the same rows")


def test_every_parameter_that_is_set_has_its_reason() -> None:
    design = asked(base="/bases/mine", controls=True)
    for step in RulePlanner().propose(evidence({}, design), None, None).steps:
        assert set(step.reasons) == set(step.params)
        assert all(step.reasons.values())


def test_the_try_has_the_parameters_of_the_training() -> None:
    first, second = proposed(asked(base="/b", method="lora", labels="names", epochs=3)).steps
    assert first.params == {**second.params, "most_minutes": None}
    assert (second.params["base"], second.params["method"]) == ("/b", "lora")
    assert (second.params["labels"], second.params["epochs"]) == ("names", 3)
    assert second.params["masks"] == list(DEFAULT_MASKS)


def test_settings_of_the_spec_are_told_from_the_usual_ones() -> None:
    plan = proposed(asked(method="lora"))
    assert reason(plan, TRAIN, "method") == "set in the spec"
    assert reason(plan, TRAIN, "base").startswith("the one that netloop brings")


@pytest.mark.parametrize(
    ("design", "controls"),
    [
        (asked(), []),
        (asked(controls=True), BOTH),
        ({"candidates": ["traffic_lm_frozen"]}, BOTH[:1]),
        ({"candidates": ["traffic_lm", "traffic_lm_random"]}, BOTH[1:]),
    ],
)
def test_controls_that_were_asked_for(design: dict[str, Any], controls: list[str]) -> None:
    plan = proposed(design)
    assert tools(plan) == [TRY, TRAIN]
    assert both(plan, "controls") == controls


@pytest.mark.parametrize(("rows", "left", "said"), [(9000, None, True), (9000, 60, False)])
def test_a_person_with_many_rows_and_time_is_told_of_it(
    rows: int, left: float | None, said: bool
) -> None:
    summary = proposed({}, {"rows": rows, "minutes_left": left}).summary
    assert ("language model" in summary) is said
    assert "language model" not in proposed({}, {"rows": 500}).summary


def test_a_study_of_few_labels_leaves_it_out_and_says_so() -> None:
    data = {"source": "t", "sample": {"per_class": 10, "draws": 20}}
    plan = proposed(asked("random_forest"), data=data)
    assert param(plan, "study_few_labels", "models") == ["random_forest"]
    assert "Without traffic_lm" in plan.summary
    before, after = revised("try the language model too", asked("random_forest", "cnn"), data=data)
    assert "traffic_lm" not in param(after, "study_few_labels", "models")
    assert before.steps[0].params["models"] == ["random_forest", "cnn"]


# --- the budget ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "measured", "epochs"),
    [
        (None, False, 8),  # no budget
        (100, False, 8),
        (10, False, 4),  # six of ten minutes, less two
        (10, True, 4),
        (5, True, 1),
        (5, False, 3),  # a guess is not enough to go so low
        (1, True, 1),
    ],
)
def test_epochs_fit_into_the_budget(left: float | None, measured: bool, epochs: int) -> None:
    price = {"traffic_lm": {**FACTS["traffic_lm"], "measured": measured}}
    plan = proposed(asked(), {"minutes_left": left, **price})
    assert both(plan, "epochs") == epochs
    assert reason(plan, TRY, "epochs") == reason(plan, TRAIN, "epochs")


def test_fewer_epochs_are_never_silent() -> None:
    plan = proposed(asked(), {"minutes_left": 10})
    assert reason(plan, TRAIN, "epochs") == (
        "fit into 6.0 of the 10.0 minutes that are left of the budget"
    )
    plan = proposed(asked(), {"minutes_left": 5})
    assert "fewer fit into the budget" in reason(plan, TRAIN, "epochs")


def test_epochs_of_the_spec_are_kept_and_the_try_judges_them() -> None:
    plan = proposed(asked(epochs=50), {"minutes_left": 10})
    assert both(plan, "epochs") == 50
    assert param(plan, TRY, "most_minutes") == 7.5
    assert "10.0 minutes" in reason(plan, TRY, "most_minutes")


def test_without_a_budget_the_try_refuses_nothing() -> None:
    plan = proposed(asked())
    assert param(plan, TRY, "most_minutes") is None
    assert reason(plan, TRY, "most_minutes") == "the run has no budget"


def test_a_base_without_a_price_is_proposed_as_it_is() -> None:
    """Pricing the plan says what is wrong with it."""
    plan = proposed(asked(base="/nowhere"), {"minutes_left": 10, "traffic_lm": None})
    assert both(plan, "epochs") == 8


def test_a_cnn_beside_it_takes_less_of_the_budget() -> None:
    alone = proposed({"candidates": ["cnn"]}, {"minutes_left": 4})
    beside = proposed(asked("cnn"), {"minutes_left": 4})
    assert param(alone, "train_cnn", "epochs") == 20
    assert param(beside, "train_cnn", "epochs") == 10
    assert "a quarter of the 4.0 minutes" in reason(beside, "train_cnn", "epochs")


# --- what a person asks for ----------------------------------------------------------------------


@pytest.mark.parametrize("note", ["try the language model", "add the traffic lm", "use traffic_lm"])
def test_it_is_added_when_a_person_says_so(note: str) -> None:
    before, after = revised(note, {})
    assert tools(after) == [*tools(before), TRY, TRAIN]
    assert "traffic_lm" in after.summary


@pytest.mark.parametrize("note", ["no traffic lm", "without the language model", "drop traffic_lm"])
def test_it_is_dropped_when_a_person_says_so(note: str) -> None:
    _, after = revised(note, asked("random_forest"))
    assert tools(after) == ["train_baselines"]


def test_only_the_language_model() -> None:
    _, after = revised("only the language model", asked("baselines", "cnn"))
    assert tools(after) == [TRY, TRAIN]


def test_what_else_was_set_stays_when_another_model_goes() -> None:
    before, after = revised("no cnn", asked("cnn", base="/b", epochs=5))
    assert after.steps == before.steps[1:]


@pytest.mark.parametrize(
    ("note", "name", "value"),
    [
        ("use lora", "method", "lora"),
        ("tune it by p-tuning", "method", "prefix"),
        ("full tuning please", "method", "full"),
        ("with controls", "controls", BOTH),
        ("add the frozen base", "controls", BOTH[:1]),
        ("5 epochs", "epochs", 5),
        ("fewer epochs", "epochs", 4),
        ("train longer", "epochs", 16),
        ("hm", "epochs", 4),
    ],
)
def test_its_parameters_change_as_a_person_asks(note: str, name: str, value: object) -> None:
    before, after = revised(note, asked("random_forest", "cnn"))
    assert both(after, name) == value
    assert {line.split(".")[0] for line in plan_changes(before, after)} == {
        f"~ {TRY}",
        f"~ {TRAIN}",
    }
    assert note in reason(after, TRAIN, name)


@pytest.mark.parametrize(
    ("note", "left"), [("without controls", []), ("no traffic_lm_random", BOTH[:1])]
)
def test_controls_are_dropped(note: str, left: list[str]) -> None:
    _, after = revised(note, asked(controls=True))
    assert both(after, "controls") == left
    assert tools(after) == [TRY, TRAIN]


def test_words_that_name_the_cnn_are_about_the_cnn() -> None:
    before, after = revised("fewer epochs for the cnn", asked("cnn"))
    assert plan_changes(before, after) == ["~ train_cnn.epochs: 30 -> 15"]


def test_added_with_fewer_epochs() -> None:
    _, after = revised("try the language model, with fewer epochs and with lora", {})
    assert (both(after, "epochs"), both(after, "method")) == (4, "lora")
    assert param(after, "train_cnn", "epochs") == 30


def test_words_about_tuning_say_nothing_where_it_is_not_trained() -> None:
    _, after = revised("use lora", {"candidates": ["random_forest", "knn"]})
    assert tools(after) == ["train_baselines"]
    assert "no change in your words" in after.summary


# --- after the try has refused -------------------------------------------------------------------


@pytest.mark.parametrize("note", ["fewer epochs", "that is too slow", "hm"])
def test_as_many_epochs_as_fit_by_the_rate_that_was_measured(note: str) -> None:
    facts = {"minutes_left": 12, **MEASURED}
    _, after = revised(note, asked("random_forest", epochs=50), facts)
    assert both(after, "epochs") == 5
    assert "As many epochs of traffic_lm as fit into the budget: 5" in after.summary
    assert reason(after, TRAIN, "epochs").startswith("fit into 7.2 of the 12.0 minutes")


def test_it_is_left_out_where_not_one_epoch_fits() -> None:
    facts = {"minutes_left": 4, **MEASURED}
    _, after = revised("fewer epochs", asked("random_forest", epochs=50), facts)
    assert tools(after) == ["train_baselines"]
    assert "Without traffic_lm: not one of its epochs fits" in after.summary


def test_the_only_model_is_not_left_out() -> None:
    _, after = revised("fewer epochs", asked(epochs=50), {"minutes_left": 4, **MEASURED})
    assert both(after, "epochs") == 1


def test_a_guess_leaves_nothing_out() -> None:
    _, after = revised("fewer epochs", asked("random_forest", epochs=50), {"minutes_left": 4})
    assert both(after, "epochs") == 25


def test_an_epoch_less_is_still_one() -> None:
    _, after = revised("fewer epochs", asked("random_forest", epochs=1))
    assert both(after, "epochs") == 1


def test_a_bigger_cnn_does_not_train_it_again() -> None:
    note = "0.8 is below the target of 0.9"
    _, after = revised(note, asked("random_forest", "cnn"), source="review")
    assert tools(after) == ["train_cnn"]


# --- operation -----------------------------------------------------------------------------------


def operation(note: str | None, scores: dict[str, float]) -> Plan:
    seen = Evidence(
        stage="operation",
        spec=Spec.model_validate({"goal": "Find C2 traffic", "data": {"source": "captures"}}),
        facts={"validation": scores},
        numbers={"record_requirements": {"benign": []}},
    )
    plan = RulePlanner().propose(seen, None, None)
    if note is not None:
        plan = RulePlanner().propose(seen, Feedback(source="person", note=note), completed(plan))
    return completed(plan)


def test_a_language_model_is_asked_about_few_rows() -> None:
    plan = operation(None, {"traffic_lm": 0.9, "random_forest": 0.8})
    assert param(plan, "stress_model", "rows") == 200
    assert param(plan, "stress_model", "draws") == 2
    assert "slow" in reason(plan, "stress_model", "rows")


def test_others_are_asked_about_all_rows() -> None:
    plan = operation(None, {"random_forest": 0.9, "traffic_lm": 0.8})
    assert param(plan, "stress_model", "rows") is None
    assert param(plan, "stress_model", "draws") == 5


@pytest.mark.parametrize(
    ("note", "best", "model", "rows"),
    [
        ("use the language model", "random_forest", "traffic_lm", 200),
        ("use the forest", "traffic_lm", "random_forest", None),
        ("use traffic_lm_random", "random_forest", "traffic_lm_random", 200),
    ],
)
def test_another_model_is_asked_about_as_many_rows_as_suit_it(
    note: str, best: str, model: str, rows: int | None
) -> None:
    names = ("random_forest", "traffic_lm", "traffic_lm_random")
    scores = dict.fromkeys(sorted(names, key=lambda name: name != best), 0.5)
    plan = operation(note, scores)
    assert param(plan, "package_detector", "model") == model
    assert param(plan, "stress_model", "model") == model
    assert param(plan, "stress_model", "rows") == rows
