"""What one rule matches: names, risks, parameters and costs; and never too much."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.checkpoints import Plan, Step
from agents.policy import Bounds, Rule, acts_outside, as_yaml, in_words, risk_of
from tools.registry import TOOLS

MakePlan = Callable[..., Plan]
MakeStep = Callable[..., Step]


def rule(**parts: Any) -> Rule:
    return Rule.model_validate({"decide": "approve", **parts})


@pytest.mark.parametrize(
    ("parts", "matches"),
    [
        ({}, True),
        ({"stage": "design"}, True),
        ({"stage": "des*", "tool": "train_*"}, True),
        ({"stage": "cleaning"}, False),
        ({"tool": "train_baselines"}, False),
        ({"tool": "TRAIN_CNN"}, False),
        ({"risk": ["read"]}, False),
        ({"risk": ["read", "train"]}, True),
        ({"max_minutes": 9.9}, False),
        ({"max_minutes": 10}, True),
        ({"max_memory_mb": 899}, False),
        ({"max_memory_mb": 900}, True),
        ({"max_rows": 7128}, False),
        ({"max_rows": 7129}, True),
        ({"max_llm_calls": 1}, False),
        ({"max_llm_calls": 2}, True),
        ({"max_tokens": 499}, False),
        ({"max_tokens": 500}, True),
        ({"max_money": 0}, False),
        ({"max_money": 0.02}, True),
        ({"params": {"epochs": {"max": 29}}}, False),
        ({"params": {"epochs": {"max": 30}}}, True),
        ({"params": {"epochs": {"min": 31}}}, False),
        ({"params": {"epochs": {"min": 30, "max": 30}}}, True),
        ({"params": {"epochs": {"max": 30}, "channels": {"max": 32}}}, False),
        ({"params": {"draws": {"max": 30}}}, False),
    ],
)
def test_what_a_rule_matches(
    plan: MakePlan, step: MakeStep, parts: dict[str, Any], matches: bool
) -> None:
    costs = {"minutes": 10, "memory_mb": 900, "rows": 7129}
    asked = {"llm_calls": 2, "tokens": 500, "money": 0.02}
    one = step("train_cnn", **costs, **asked, epochs=30, channels=64)
    assert rule(**parts).matches(plan("design", one), one) is matches


def test_a_price_that_nobody_knows_is_over_every_limit(plan: MakePlan, step: MakeStep) -> None:
    unknown = step("train_cnn")
    assert unknown.estimate.rows is None
    assert not rule(max_rows=10**12).matches(plan("design", unknown), unknown)
    assert rule(max_rows=10**12).objection(unknown) == "nobody knows its rows"


@pytest.mark.parametrize(
    ("bounds", "value", "objection"),
    [
        ({"max": 30}, 30, ""),
        ({"max": 30}, 30.5, "is 30.5, more than 30"),
        ({"min": 0.1}, 0.05, "is 0.05, less than 0.1"),
        ({"max": 30}, None, "is null, which is no number"),
        ({"max": 30}, "7", 'is "7", which is no number'),
        ({"max": 30}, True, "is true, which is no number"),
        ({"in": ["a", "b"]}, "b", ""),
        ({"in": ["a", "b"]}, "c", 'is "c", not one of ["a","b"]'),
        ({"in": ["a", "b"]}, ["b", "a"], ""),
        ({"in": ["a", "b"]}, ["b", "c"], 'is ["b","c"], not one of ["a","b"]'),
        ({"in": ["a", "b"]}, [], 'is [], not one of ["a","b"]'),
        ({"in": [["a", "b"]]}, ["a", "b"], ""),
        ({"in": [["a", "b"]]}, ["a"], 'is ["a"], not one of [["a","b"]]'),
        ({"in": [[]]}, [], ""),
        ({"in": [None]}, None, ""),
        ({"in": [True]}, 1, "is 1, not one of [true]"),
        ({"in": [1]}, True, "is true, not one of [1]"),
        ({"in": [0.5, 1]}, 1.0, ""),
        ({"in": [5, 50], "max": 30}, 50, "is 50, more than 30"),
        ({"in": [{"name": "x"}]}, {"name": "x"}, ""),
    ],
)
def test_bounds(bounds: dict[str, Any], value: Any, objection: str) -> None:
    assert Bounds.model_validate(bounds).objection(value) == objection


@pytest.mark.parametrize(
    ("parts", "approves"),
    [
        ({}, False),
        ({"tool": "detect_*"}, False),
        ({"tool": "detect_live"}, False),
        ({"tool": "detect_*", "risk": ["deploy"]}, False),
        ({"risk": ["deploy"]}, False),
        ({"tool": "detect_live", "risk": ["read"]}, False),
        ({"tool": "detect_live", "risk": ["deploy"]}, True),
    ],
)
def test_what_acts_outside_is_approved_only_by_name_and_risk(
    plan: MakePlan, step: MakeStep, parts: dict[str, Any], approves: bool
) -> None:
    live = step("detect_live")
    assert rule(**parts).matches(plan("operation", live), live) is approves


@pytest.mark.parametrize("decide", ["ask", "refuse"])
def test_a_blanket_no_covers_what_acts_outside(plan: MakePlan, step: MakeStep, decide: str) -> None:
    live = step("detect_live")
    assert rule(decide=decide).matches(plan("operation", live), live)


def test_risk_is_the_graver_of_what_the_plan_and_the_tool_say(
    plan: MakePlan, step: MakeStep
) -> None:
    claimed = step("detect_live").model_copy(update={"risk": "read"})
    assert risk_of(claimed) == "deploy"
    assert acts_outside(plan("operation", step("write_report"), claimed))
    assert risk_of(step("train_cnn").model_copy(update={"risk": "deploy"})) == "deploy"
    assert not acts_outside(plan("design", step("train_cnn")))


def test_sending_data_out_counts_as_acting_outside(plan: MakePlan, step: MakeStep) -> None:
    export = step("export_flows")
    assert export.risk == "write"
    assert acts_outside(plan("operation", export))
    assert not rule(risk=["write"]).matches(plan("operation", export), export)


def test_every_tool_that_deploys_acts_outside(plan: MakePlan, step: MakeStep) -> None:
    for name, tool in TOOLS.items():
        if tool.risk == "deploy":
            assert acts_outside(plan("operation", step(name)))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({}, "approve every step of any stage, but nothing that acts outside the run's folder"),
        ({"decide": "refuse"}, "refuse every step of any stage"),
        ({"decide": "ask", "tool": "train_*"}, "ask about train_* of any stage"),
        ({"stage": "c*", "tool": "none"}, "approve a plan without steps of stages called c*"),
        (
            {"tool": "detect_live", "risk": ["deploy"]},
            "approve detect_live of any stage if its risk is deploy",
        ),
        (
            {
                "stage": "design",
                "tool": "train_cnn",
                "params": {"epochs": {"max": 30}, "masks": {"in": ["ports", "ttl"]}},
                "max_minutes": 30.0,
                "max_rows": 7129,
            },
            "approve train_cnn of the design stage if epochs is at most 30 and masks is "
            '"ports" or "ttl" and it costs at most 30 min, 7,129 rows',
        ),
        (
            {"tool": "split_rows", "params": {"test": {"min": 0.1, "max": 0.5}}},
            "approve split_rows of any stage if test is at least 0.1 and at most 0.5",
        ),
        (
            {"tool": "split_rows", "params": {"test": {"min": 0.5, "max": 0.5}}},
            "approve split_rows of any stage if test is 0.5",
        ),
    ],
)
def test_rules_in_words(parts: dict[str, Any], words: str) -> None:
    assert in_words(rule(**parts)) == words


def test_a_rule_as_yaml_says_only_what_it_says() -> None:
    narrow = rule(stage="design", params={"epochs": {"max": 30}, "base": {"in": [None]}})
    assert as_yaml(narrow) == (
        "{stage: design, params: {epochs: {max: 30}, base: {in: [null]}}, decide: approve}"
    )
