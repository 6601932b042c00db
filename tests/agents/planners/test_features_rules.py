"""Features by rules: the spec's are tried first, a person's words add some or take all away."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from agents.checkpoints import Plan
from agents.planners.base import Evidence
from agents.planners.rules import RulePlanner
from agents.planners.rules.plans import param
from agents.spec import Spec
from agents.state import Feedback
from pipelines.datasets.fields import field
from pipelines.errors import InputError
from pipelines.store.rows import write_rows

DERIVE, EXPLORE = "derive_features", "explore_arms"
RATIO = "ratio(sent, received)"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Two numbers, a port and a word."""
    schema = pa.schema(
        [
            field("sent", pa.int64(), "sizes"),
            field("received", pa.int64(), "sizes"),
            field("port", pa.int64(), "ports"),
        ]
    )
    folder = tmp_path / "rows"
    folder.mkdir()
    write_rows(folder, pa.table([[1, 2], [3, 4], [5, 6]], schema=schema))
    return folder


def evidence(rows: Path, done: bool = False, **spec: Any) -> Evidence:
    numbers: dict[str, Any] = {
        "audit_shortcuts": {"masks": ["ports"]},
        "record_requirements": {"metric": "accuracy"},
    }
    if done:
        numbers[DERIVE] = {"kept": []}
    content = {"goal": "Find it", "data": {"source": "captures"}, **spec}
    return Evidence(
        stage="augmentation",
        spec=Spec.model_validate(content),
        facts={"train": {"a": 500, "b": 30}},
        numbers=numbers,
        rows=rows,
    )


def proposed(found: Evidence) -> Plan:
    return RulePlanner().propose(found, None, None)


def told(found: Evidence, before: Plan, note: str) -> Plan:
    return RulePlanner().propose(found, Feedback(source="person", note=note), before)


def tools(plan: Plan) -> list[str]:
    return [step.tool for step in plan.steps]


def test_nothing_is_tried_unasked(rows: Path) -> None:
    assert tools(proposed(evidence(rows))) == []


def test_features_of_the_spec_are_tried_before_anything_else(rows: Path) -> None:
    plan = proposed(evidence(rows, features=[RATIO, "log(sent)"]))
    assert tools(plan) == [DERIVE]
    assert param(plan, DERIVE, "expressions") == [RATIO, "log(sent)"]
    assert param(plan, DERIVE, "masks") == ["ports"]
    assert plan.steps[0].reasons["expressions"] == "set in the spec"
    assert plan.summary.startswith("Try 2 features on validation rows first. No synthetic rows. ")
    both = proposed(evidence(rows, features=[RATIO], augmentation={}))
    assert tools(both) == [DERIVE, EXPLORE]


@pytest.mark.parametrize(
    ("candidates", "model", "repeats"),
    [
        (["baselines", "cnn"], "hist_gradient_boosting", 1),
        (["cnn"], "hist_gradient_boosting", 1),
        (["majority"], "hist_gradient_boosting", 1),
        (["majority", "logistic_regression"], "logistic_regression", 1),
        (["knn", "random_forest", "cnn"], "random_forest", 5),
    ],
)
def test_the_strongest_of_the_ladder_tries_them(
    rows: Path, candidates: list[str], model: str, repeats: int
) -> None:
    plan = proposed(evidence(rows, features=[RATIO], design={"candidates": candidates}))
    assert (param(plan, DERIVE, "model"), param(plan, DERIVE, "repeats")) == (model, repeats)


def test_they_are_tried_once(rows: Path) -> None:
    assert tools(proposed(evidence(rows, done=True, features=[RATIO]))) == []
    again = proposed(evidence(rows, done=True, features=[RATIO], augmentation={}))
    assert tools(again) == [EXPLORE]


def test_auto_needs_a_language_model(rows: Path) -> None:
    plan = proposed(evidence(rows, features="auto"))
    assert tools(plan) == []
    assert plan.notes == ["Features are proposed by a language model, and none plans here."]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ratio(sent, recieved)", "The spec's features: There is no column 'recieved'"),
        ("log(port)", "masked with the group 'ports'"),
    ],
)
def test_a_feature_that_the_rows_do_not_allow_ends_the_plan(
    rows: Path, text: str, said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        proposed(evidence(rows, features=[text]))
    assert "begin anew" in caught.value.mend
    assert caught.value.excerpt.splitlines()[0] == f"  {text}"


@pytest.mark.parametrize(
    ("note", "wanted"),
    [
        ("try ratio(sent, received)", [RATIO]),
        ("also log(sent) and and(gt(sent, 1), lt(received, 5)) please", [
            "log(sent)", "and(gt(sent, 1), lt(received, 5))",
        ]),
        ("ratio(sent, log(received", ["ratio(sent, log(received"]),
    ],
)  # fmt: skip
def test_a_persons_words_hold_features(rows: Path, note: str, wanted: list[str]) -> None:
    """One that is not whole is tried too: it is refused where steps are priced, with the reason."""
    found = evidence(rows)
    plan = told(found, proposed(found), note)
    assert tools(plan) == [DERIVE]
    assert param(plan, DERIVE, "expressions") == wanted
    assert plan.steps[0].reasons["expressions"] == f"asked for: {note}"
    more = told(found, plan, "abs(sent)")
    assert param(more, DERIVE, "expressions") == [*wanted, "abs(sent)"]
    assert more.summary.count("on validation rows first") == 1


@pytest.mark.parametrize(
    "note", ["no features", "Without derived columns, please", "skip the features"]
)
def test_a_person_takes_them_away(rows: Path, note: str) -> None:
    found = evidence(rows, features=[RATIO], augmentation={})
    plan = told(found, proposed(found), note)
    assert tools(plan) == [EXPLORE]
    assert plan.summary.startswith("No feature is tried. Find out first")


def test_words_about_rows_leave_features_alone(rows: Path) -> None:
    found = evidence(rows, features=[RATIO])
    plan = told(found, proposed(found), "compare smote and copula")
    assert tools(plan) == [DERIVE, EXPLORE]
    assert param(plan, EXPLORE, "arms") == ["smote", "copula"]
    assert tools(told(found, plan, "I do not know")) == [DERIVE]
