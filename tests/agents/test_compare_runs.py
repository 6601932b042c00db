"""Two runs side by side, from what their files hold."""

from pathlib import Path
from typing import Any

import pytest

from agents.checkpoints import Decision, Plan, Stage, Step
from agents.compare_runs import Difference, Score, compare_runs
from agents.llm.record import Exchange
from agents.trail import Trail, answer_log
from pipelines.store.events import EventLog
from pipelines.store.run import RunFolder

A, B = "a" * 64, "b" * 64


class Told:
    """A run's files, written as the life cycle writes them."""

    def __init__(self, workspace: Path, status: str = "done", **spec: Any) -> None:
        record = {"spec": {"goal": "tell", "seed": 0, "data": {"sample": None}, **spec}}
        self.run = RunFolder.create(workspace, {**record, "status": status})
        self.log = EventLog(self.run.events, self.run.id)

    def plan(self, stage: Stage, version: int = 1, action: str = "approve", **params: Any) -> None:
        steps = [Step(tool="split_rows", params={"by": "row", **params})]
        plan = Plan(stage=stage, version=version, planner="rules", summary="", steps=steps)
        decision = Decision.model_validate({"action": action, "plan": plan.digest()})
        self.log.append("plan.proposed", plan=plan.model_dump(mode="json"), digest=plan.digest())
        self.log.append("plan.decided", stage=stage, version=version, **decision.model_dump())

    def step(self, step: str, artifacts: dict[str, str], **numbers: Any) -> None:
        self.log.append(
            "step.finished", step=step, tool=step, artifacts=artifacts, numbers=numbers, seconds=6.0
        )

    def tested(self, **scores: float) -> None:
        rows = [
            {"name": name, "macro_f1": score, "ci": [score - 0.1, score + 0.1], "accuracy": 0.5}
            for name, score in scores.items()
        ]
        self.step("evaluate_models", {"evaluation": A}, models=rows)

    def found(self, *lines: str) -> None:
        self.log.append(
            "stage.reviewed", stage="cleaning", findings=[*lines], reading=[], back_to=None
        )


def pair(tmp_path: Path) -> tuple[Told, Told]:
    return Told(tmp_path), Told(tmp_path)


def trails(*told: Told) -> list[Trail]:
    return [Trail(each.run) for each in told]


def test_runs_that_differ_in_nothing_but_the_clock_are_equal(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    for told in (first, second):
        told.plan("cleaning")
        told.step("split_rows", {"split": A})
        told.tested(cnn=0.8)
    second.step("write_report", {})
    first.found("cnn was trained 12 times slower")
    second.found("cnn was trained 13 times slower")
    found = compare_runs(*trails(first, second))
    assert found.equal
    assert [cost.minutes for cost in found.cost] == pytest.approx([0.2, 0.3])
    assert found.findings.a == ["cnn was trained 12 times slower"]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ({"seed": 1}, {"seed": 2}, [("seed", 1, 2)]),
        ({"data": {"x": {"y": 1}}}, {"data": {"x": {"y": [2]}}}, [("data.x.y", 1, [2])]),
        (
            {"budget": {}},
            {"budget": {"minutes": 5}},
            [("budget", {}, None), ("budget.minutes", None, 5)],
        ),
        ({"masks": None}, {}, []),
    ],
)
def test_keys_of_the_spec_that_differ(
    tmp_path: Path, a: dict[str, Any], b: dict[str, Any], expected: list[Any]
) -> None:
    found = compare_runs(*trails(Told(tmp_path, **a), Told(tmp_path, **b)))
    assert [(each.name, each.a, each.b) for each in found.spec] == expected
    assert found.equal == (not expected)


def test_plans_are_compared_version_by_version_in_the_order_of_the_stages(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    first.plan("requirements")
    first.plan("cleaning", 1, "reject", test=0.5)
    first.plan("cleaning", 2, test=0.4)
    second.plan("requirements")
    second.plan("cleaning", 1, test=0.3)
    second.plan("augmentation", 1, "skip")
    found = compare_runs(*trails(first, second))
    assert [plan.plan for plan in found.plans] == ["cleaning/1", "cleaning/2", "augmentation/1"]
    changed, only_a, only_b = found.plans
    assert changed.changes == ["~ split_rows.test: 0.5 -> 0.3"]
    assert (changed.a, changed.b) == (["reject (person)"], ["approve (person)"])
    assert (only_a.a, only_a.b) == (["approve (person)"], None)
    assert (only_b.a, only_b.b) == (None, ["skip (person)"])
    assert not found.equal


def test_versions_are_ordered_as_numbers(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    for version in range(1, 12):
        first.plan("design", version, "reject")
    found = compare_runs(*trails(first, second))
    assert [plan.plan for plan in found.plans][-2:] == ["design/10", "design/11"]


def test_rows_and_hashes(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    for told, rows, digest in ((first, 80, A), (second, 90, B)):
        told.plan("cleaning")
        told.step("import_rows", {"rows": A}, rows=100)
        told.step("clean_rows", {"clean_rows": digest}, rows=rows)
        sizes = {"train": {"rows": rows - 20}, "test": {"rows": 20}}
        told.step("split_rows", {"split": digest}, sizes=sizes)
    second.step("package_detector", {"detector": B})
    found = compare_runs(*trails(first, second))
    assert found.sizes == [
        Difference(name="rows after cleaning", a=80, b=90),
        Difference(name="rows of train", a=60, b=70),
    ]
    assert found.artifacts == [
        Difference(name="clean_rows", a=A, b=B),
        Difference(name="split", a=A, b=B),
        Difference(name="detector", a=None, b=B),
    ]


def test_scores_with_their_difference(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    first.tested(cnn=0.5, knn=0.7, majority=0.3)
    second.tested(cnn=0.75, lookup=0.6, majority=0.3)
    found = compare_runs(*trails(first, second))
    assert [(each.model, each.difference) for each in found.scores] == [
        ("cnn", 0.25),
        ("knn", None),
        ("lookup", None),
    ]
    assert found.scores[1].a == Score(macro_f1=0.7, ci=(0.7 - 0.1, 0.7 + 0.1))
    assert found.scores[1].b is None


@pytest.mark.parametrize(("other", "same"), [(A, True), (B, False)])
def test_scores_of_other_rows_are_said_to_be(tmp_path: Path, other: str, same: bool) -> None:
    first, second = pair(tmp_path)
    for told, split in ((first, A), (second, other)):
        told.step("split_rows", {"split": split})
        told.tested(cnn=0.5)
    assert compare_runs(*trails(first, second)).same_test is same


def test_few_label_studies_with_another_seed_were_tested_on_other_rows(tmp_path: Path) -> None:
    told = Told(tmp_path), Told(tmp_path), Told(tmp_path, seed=1)
    for each in told:
        rows = [{"name": "knn", "macro_f1": 0.5, "ci": [0.4, 0.6]}]
        each.step("study_few_labels", {"few_labels": A}, models=rows)
    first, second, third = trails(*told)
    assert compare_runs(first, second).same_test is True
    assert compare_runs(first, third).same_test is False


def test_runs_that_were_not_tested_are_not_compared_by_rows(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    first.tested(cnn=0.5)
    assert compare_runs(*trails(first, second)).same_test is None


def test_another_end_is_a_difference(tmp_path: Path) -> None:
    found = compare_runs(*trails(Told(tmp_path, "paused"), Told(tmp_path)))
    assert (found.equal, found.status) == (False, ("paused", "done"))


def test_what_the_planners_model_cost(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    exchange = Exchange(
        number=1,
        at="2026-11-20T18:19:24.000+00:00",
        place="design/1/propose",
        attempt=1,
        model="double",
        method="json_schema",
        request_sha256=A,
        tokens_in=90,
    )
    log = answer_log(second.run)
    log.write(exchange)
    log.write(exchange.model_copy(update={"tokens_out": 10, "money": 0.5, "fault": None}))
    none, one = compare_runs(*trails(first, second)).cost
    assert (none.llm_calls, none.tokens, none.money) == (0, 0, 0)
    assert (one.llm_calls, one.tokens, one.money) == (1, 100, 0.5)


def test_a_result_that_was_taken_again_is_counted_once(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.step("split_rows", {"split": A})
    told.log.append(
        "step.reused", step="split_rows", tool="x", artifacts={"split": A}, numbers={}, seconds=6.0
    )
    assert Trail(told.run).cost().minutes == pytest.approx(0.1)
