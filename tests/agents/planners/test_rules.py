"""The plans that rules propose from a spec and evidence, and how they change when refused."""

from typing import Any

import pytest

from agents.checkpoints import Plan, Stage, plan_changes
from agents.edits import apply_decision, check_decision
from agents.planners.base import Evidence
from agents.planners.rules import STAGE_RULES, RulePlanner
from agents.planners.rules.plans import param
from agents.spec import Spec
from agents.state import Feedback
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.models.registry import BASELINES
from tools.calls import check_params
from tools.registry import find_tool

SOURCE = {
    "layout": "captures",
    "label": "folder",
    "reason": "each class has a folder",
    "preset": None,
    "classes": [{"name": "Normal", "files": 3, "bytes": 9}, {"name": "c2", "files": 2, "bytes": 9}],
}
DUPLICATES = {"name": "exact_duplicates", "rows": 7, "reason": "said twice", "recommended": True}
FEW_PACKETS = {"name": "few_packets", "rows": 5, "reason": "too short", "recommended": False}
FACTS: dict[Stage, dict[str, Any]] = {
    "requirements": {"source": SOURCE},
    "cleaning": {
        "filters": [DUPLICATES, FEW_PACKETS],
        "kind": "captures",
        "captures_per_class": 2,
        "days": 30.0,
        "group": "flow",
    },
    "augmentation": {"train": {"Normal": 500, "c2": 20}},
    "design": {"rows": 520, "minutes_left": None, "minutes_per_epoch": 0.1, "traffic_lm": None},
    "operation": {"validation": {"random_forest": 0.9, "cnn": 0.8, "majority": 0.1}},
}
NUMBERS = {
    "audit_shortcuts": {"masks": list(DEFAULT_MASKS)},
    "record_requirements": {"benign": ["Normal"]},
}


def evidence(stage: Stage, facts: dict[str, Any] | None = None, **parts: Any) -> Evidence:
    content = {"goal": "Find C2 traffic", "data": {"source": "captures"}, **parts}
    return Evidence(
        stage=stage,
        spec=Spec.model_validate(content),
        facts={**FACTS[stage], **(facts or {})},
        numbers=NUMBERS,
    )


def completed(plan: Plan) -> Plan:
    """As the workbench hands it on: each step's parameters checked and filled up."""
    steps = [
        s.model_copy(update={"params": check_params(find_tool(s.tool), s.params).model_dump()})
        for s in plan.steps
    ]
    return plan.model_copy(update={"steps": steps})


def proposed(stage: Stage, facts: dict[str, Any] | None = None, **parts: Any) -> Plan:
    return completed(RulePlanner().propose(evidence(stage, facts, **parts), None, None))


def revised(stage: Stage, note: str, source: str = "person", **parts: Any) -> tuple[Plan, Plan]:
    before = proposed(stage, **parts)
    feedback = Feedback(source=source, note=note)
    return before, completed(RulePlanner().propose(evidence(stage, **parts), feedback, before))


@pytest.mark.parametrize("stage", STAGE_RULES)
def test_every_parameter_has_its_reason(stage: Stage) -> None:
    raw = RulePlanner().propose(evidence(stage), None, None)
    assert raw.summary
    for step in raw.steps:
        assert set(step.reasons) == set(step.params)
        assert all(step.reasons.values())


def test_requirements_ask_what_only_a_person_knows() -> None:
    plan = proposed("requirements")
    asked = {q.id.split(".")[1]: q.default for q in plan.questions}
    assert asked == {"target": "none", "max_false_positive_rate": "none", "benign": "Normal"}


def test_requirements_do_not_ask_what_the_spec_says() -> None:
    given = {"target": 0.9, "max_false_positive_rate": 0.01, "benign": []}
    plan = proposed("requirements", requirements=given)
    assert plan.questions == []
    assert param(plan, "record_requirements", "target") == 0.9


@pytest.mark.parametrize("wanted", [False, True])
def test_protocols_are_read_where_the_spec_asks_for_them(wanted: bool) -> None:
    data = {"source": "captures", "protocols": wanted, "decode_tunnels": not wanted}
    plan = proposed("requirements", data=data)
    assert param(plan, "import_rows", "protocols") is wanted
    assert param(plan, "import_rows", "decode_tunnels") is not wanted


def test_requirements_read_the_goal() -> None:
    goal = "Find C2 with at least 95% and false alarms under 1%, per packet"
    plan = proposed("requirements", goal=goal)
    assert param(plan, "record_requirements", "target") == 0.95
    assert param(plan, "record_requirements", "max_false_positive_rate") == 0.01
    assert param(plan, "import_rows", "granularity") == "packet"
    assert [q.id for q in plan.questions] == ["record_requirements.benign"]


def test_the_spec_wins_over_the_goal() -> None:
    plan = proposed("requirements", goal="at least 95%", requirements={"target": 0.5})
    assert param(plan, "record_requirements", "target") == 0.5


def test_requirements_change_as_several_wishes_ask() -> None:
    note = "use 95% as the target and only tolerate 1% false alarms; c2 is benign here"
    before, after = revised("requirements", note)
    assert param(after, "record_requirements", "target") == 0.95
    assert param(after, "record_requirements", "max_false_positive_rate") == 0.01
    assert param(after, "record_requirements", "benign") == ["c2"]
    assert after.questions == []
    assert param(after, "import_rows", "granularity") == param(before, "import_rows", "granularity")


@pytest.mark.parametrize(
    ("note", "packets"), [("too slow", 8), ("look longer at each flow", 32), ("hm", 32)]
)
def test_requirements_that_say_nothing_else_keep_other_packets(note: str, packets: int) -> None:
    before, after = revised("requirements", note)
    assert plan_changes(before, after) == [f"~ import_rows.first_packets: 16 -> {packets}"]


def test_an_unread_note_about_a_table_changes_nothing_and_says_so() -> None:
    facts = {"source": {**SOURCE, "layout": "table"}}
    before = proposed("requirements", facts)
    feedback = Feedback(source="person", note="hm")
    after = RulePlanner().propose(evidence("requirements", facts), feedback, before)
    assert plan_changes(before, after) == []
    assert "no change" in after.summary


def test_a_test_source_is_imported_too() -> None:
    data = {"source": "a", "test": "b"}
    plan = proposed("requirements", {"test": SOURCE}, data=data)
    imports = [s.params for s in plan.steps if s.tool == "import_rows"]
    assert [(p["name"], p["source"]) for p in imports] == [("rows", "a"), ("test_rows", "b")]
    cleaning = proposed("cleaning", data=data)
    assert param(cleaning, "split_rows", "by") == "fixed"


def test_answers_set_parameters() -> None:
    from agents.checkpoints import Decision

    plan = proposed("requirements")
    given = {"record_requirements.target": "90%", "record_requirements.benign": "Normal, c2"}
    decision = Decision(action="approve", plan=plan.digest(), answers=given)
    check_decision(plan, decision)
    done = apply_decision(plan, decision)
    assert param(done, "record_requirements", "target") == 0.9
    assert param(done, "record_requirements", "benign") == ["Normal", "c2"]


def test_cleaning_takes_only_safe_filters_and_masks_identifiers() -> None:
    plan = proposed("cleaning")
    assert param(plan, "clean_rows", "filters") == ["exact_duplicates"]
    assert param(plan, "audit_shortcuts", "masks") == list(DEFAULT_MASKS)


@pytest.mark.parametrize(
    ("facts", "by"),
    [
        ({"captures_per_class": 2}, "time"),
        ({"captures_per_class": 4}, "capture"),
        ({"kind": "table", "captures_per_class": 0}, "row"),
    ],
)
def test_cleaning_proposes_the_split_that_the_data_allows(facts: dict[str, Any], by: str) -> None:
    assert param(proposed("cleaning", facts), "split_rows", "by") == by


@pytest.mark.parametrize(
    ("note", "changes"),
    [
        (
            "split by capture",
            [
                '~ clean_rows.group: "flow" -> "capture"',
                '~ split_rows.by: "time" -> "capture"',
            ],
        ),
        ("20% for test", ["~ split_rows.test: 0.5 -> 0.2"]),
        ("keep all rows", ['~ clean_rows.filters: ["exact_duplicates"] -> []']),
        (
            "use few packets too",
            ['~ clean_rows.filters: ["exact_duplicates"] -> ["exact_duplicates","few_packets"]'],
        ),
        ("I dislike it", ['~ split_rows.by: "time" -> "flow"']),
    ],
)
def test_a_refused_cleaning_plan_changes(note: str, changes: list[str]) -> None:
    assert plan_changes(*revised("cleaning", note)) == changes


def test_a_refused_mask_changes() -> None:
    before, after = revised("cleaning", "mask sizes and unmask ports")
    masks = set(param(before, "audit_shortcuts", "masks"))
    assert set(param(after, "audit_shortcuts", "masks")) == (masks | {"sizes"}) - {"ports"}


def test_augmentation_says_none_and_why() -> None:
    plan = proposed("augmentation")
    assert plan.steps == []
    assert "None." in plan.summary
    assert "c2 (20)" in plan.summary
    _, again = revised("augmentation", "hm")
    assert again.steps == []
    assert again.summary.startswith("Still none: say which generator")


def test_design_trains_the_ladder_and_the_cnn() -> None:
    plan = proposed("design")
    assert param(plan, "train_baselines", "models") == list(BASELINES)
    assert param(plan, "train_cnn", "masks") == list(DEFAULT_MASKS)


@pytest.mark.parametrize(
    ("candidates", "tools"),
    [
        (["cnn"], ["train_cnn"]),
        (["random_forest"], ["train_baselines"]),
        (["majority", "cnn"], ["train_baselines", "train_cnn"]),
    ],
)
def test_design_trains_what_the_spec_names(candidates: list[str], tools: list[str]) -> None:
    plan = proposed("design", design={"candidates": candidates})
    assert [step.tool for step in plan.steps] == tools


@pytest.mark.parametrize(
    ("note", "tools"),
    [
        ("no cnn", ["train_baselines"]),
        ("only the cnn", ["train_cnn"]),
        ("drop the baselines", ["train_cnn"]),
    ],
)
def test_design_drops_what_is_refused(note: str, tools: list[str]) -> None:
    _, after = revised("design", note)
    assert [step.tool for step in after.steps] == tools


@pytest.mark.parametrize(
    ("note", "epochs"), [("faster", 15), ("longer", 60), ("7 epochs", 7), ("no idea", 15)]
)
def test_design_changes_its_effort(note: str, epochs: int) -> None:
    _, after = revised("design", note)
    assert param(after, "train_cnn", "epochs") == epochs


def test_a_trial_below_the_target_is_followed_by_a_bigger_one() -> None:
    before, after = revised("design", "0.8 is below the target of 0.9", source="review")
    assert [step.tool for step in after.steps] == ["train_cnn"]
    assert param(after, "train_cnn", "channels") == 2 * param(before, "train_cnn", "channels")


def test_few_labels_become_a_study() -> None:
    data = {"source": "t", "sample": {"per_class": 10, "draws": 20}}
    plan = proposed("design", data=data)
    assert [step.tool for step in plan.steps] == ["study_few_labels"]
    assert param(plan, "study_few_labels", "models") == [*BASELINES, "cnn"]
    before, after = revised("design", "without the cnn", data=data)
    assert param(after, "study_few_labels", "models") == list(BASELINES)
    assert plan_changes(before, after)


def test_few_labels_with_absent_families_say_so_in_the_plan() -> None:
    absent = {"category": ["probe", "r2l"], "attack": ["rootkit"]}
    sample = {"per_class": 10, "draws": 20, "absent": absent}
    data = {"source": "t", "sample": sample}
    plan = proposed("design", data=data)
    assert param(plan, "study_few_labels", "absent") == absent
    assert plan.steps[0].reasons["absent"] == "set in the spec: never learned from"
    assert "Never learned from: category probe, r2l; attack rootkit." in plan.summary
    _, after = revised("design", "without the cnn", data=data)
    assert param(after, "study_few_labels", "absent") == absent
    without = proposed("design", data={"source": "t", "sample": {"per_class": 10}})
    assert "Never learned from" not in without.summary
    assert param(without, "study_few_labels", "absent") == {}, "by default"


def test_operation_packs_what_validation_chose() -> None:
    plan = proposed("operation")
    assert param(plan, "package_detector", "model") == "random_forest"
    tools = [s.tool for s in plan.steps]
    assert tools == ["evaluate_models", "stress_model", "package_detector", "write_report"]
    assert param(plan, "stress_model", "model") == "random_forest"


@pytest.mark.parametrize(
    ("note", "model"), [("use the cnn", "cnn"), ("another one", "cnn"), ("no cnn", "majority")]
)
def test_operation_packs_another_when_refused(note: str, model: str) -> None:
    _, after = revised("operation", note)
    assert param(after, "package_detector", "model") == model
    assert param(after, "evaluate_models", "best") == model


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("why these masks?", "they name hosts"),
        ("why is the validation so small?", "to choose and to stop by"),
        ("why?", "train on earlier flows"),
    ],
)
def test_why_is_answered_from_the_reasons(question: str, said: str) -> None:
    plan = proposed("cleaning")
    assert said in RulePlanner().answer(evidence("cleaning"), plan, question)


def test_a_test_source_is_not_given_up_for_words_that_say_nothing() -> None:
    before, after = revised("cleaning", "hmm, no", data={"source": "captures", "test": "later"})
    assert param(before, "split_rows", "by") == param(after, "split_rows", "by") == "fixed"
    assert after.summary != before.summary
