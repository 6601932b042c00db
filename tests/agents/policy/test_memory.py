"""Rules of "always" and "never": narrow, kept safely, taken back by number."""

import datetime
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.checkpoints import Decision, Plan, Step
from agents.life_cycle import create_run, opened
from agents.policy import (
    Policy,
    Remembered,
    Rule,
    as_yaml,
    path_of,
    remember,
    remembered,
    revoke,
    rule_like,
)
from agents.spec import Spec
from pipelines.errors import InputError
from pipelines.store.events import read_events

MakePlan = Callable[..., Plan]
MakeStep = Callable[..., Step]
COSTS = {"minutes": 3.2, "memory_mb": 900, "rows": 7129}
GIVEN: dict[str, Any] = {**COSTS, "epochs": 30, "channels": 64, "masks": ["ports", "ttl"]}


def rule(**parts: Any) -> Rule:
    return Rule.model_validate({"decide": "approve", **parts})


def found(workspace: Path) -> Remembered:
    policy = remembered(workspace)
    assert policy is not None
    return policy


class TestRuleLike:
    @pytest.mark.parametrize(
        ("changed", "same"),
        [
            ({}, True),
            ({"epochs": 29}, True),
            ({"epochs": 31}, False),
            ({"channels": 65}, False),
            ({"masks": ["ports"]}, False),
            ({"masks": []}, False),
            ({"masks": ["ttl", "ports"]}, False),
            ({"minutes": 4}, True),
            ({"minutes": 4.1}, False),
            ({"memory_mb": 901}, False),
            ({"rows": 7130}, False),
            ({"rows": None}, False),
            ({"llm_calls": 1}, False),
            ({"tokens": 1}, False),
            ({"money": 0.01}, False),
        ],
    )
    def test_always_covers_no_more_than_was_approved(
        self, plan: MakePlan, step: MakeStep, changed: dict[str, Any], same: bool
    ) -> None:
        seen, later = step("train_cnn", **GIVEN), step("train_cnn", **{**GIVEN, **changed})
        always = rule_like(plan("design", seen), seen, "approve")
        assert always.matches(plan("design", later), later) is same

    @pytest.mark.parametrize(
        ("changed", "same"),
        [
            ({}, True),
            ({"epochs": 31, "channels": 65}, True),
            ({"epochs": 29}, False),
            ({"masks": ["ports"]}, False),
            ({"minutes": 4000, "memory_mb": 1, "rows": None, "money": 5}, True),
        ],
    )
    def test_never_covers_no_less_than_was_refused(
        self, plan: MakePlan, step: MakeStep, changed: dict[str, Any], same: bool
    ) -> None:
        seen, later = step("train_cnn", **GIVEN), step("train_cnn", **{**GIVEN, **changed})
        never = rule_like(plan("design", seen), seen, "refuse")
        assert never.matches(plan("design", later), later) is same

    @pytest.mark.parametrize("verdict", ["approve", "refuse"])
    @pytest.mark.parametrize(
        ("name", "value", "other"),
        [
            ("by", "time", "flow"),
            ("test", 0.5, 0.4),
            ("target", None, 0.9),
            ("protocols", False, True),
            ("columns", {"host": "a"}, {"host": "b"}),
        ],
    )
    def test_a_choice_is_the_same_or_it_is_another(
        self, plan: MakePlan, step: MakeStep, name: str, value: Any, other: Any, verdict: Any
    ) -> None:
        seen, later = step("split_rows", **{name: value}), step("split_rows", **{name: other})
        like = rule_like(plan("cleaning", seen), seen, verdict)
        assert like.matches(plan("cleaning", seen), seen)
        assert not like.matches(plan("cleaning", later), later)

    def test_another_stage_tool_risk_or_parameter_is_another_thing(
        self, plan: MakePlan, step: MakeStep
    ) -> None:
        seen = step("train_cnn", **GIVEN)
        always = rule_like(plan("design", seen), seen, "approve")
        assert not always.matches(plan("operation", seen), seen)
        for other in (
            step("train_baselines", **GIVEN),
            seen.model_copy(update={"risk": "write"}),
            step("train_cnn", epochs=30, channels=64),
        ):
            assert not always.matches(plan("design", other), other)

    def test_an_empty_plan(self, plan: MakePlan, step: MakeStep) -> None:
        nothing = plan("augmentation")
        like = rule_like(nothing, None, "approve")
        assert Policy(rules=[like]).decide(nothing) is not None
        some = plan("augmentation", step("write_report"))
        assert not like.matches(some, some.steps[0])

    @pytest.mark.parametrize("verdict", ["approve", "refuse"])
    @pytest.mark.parametrize("tool", ["detect_live", "export_flows"])
    def test_nothing_is_remembered_of_what_acts_outside(
        self, plan: MakePlan, step: MakeStep, tool: str, verdict: Any
    ) -> None:
        outside = step(tool)
        with pytest.raises(InputError, match="acts outside"):
            rule_like(plan("operation", outside), outside, verdict)

    def test_the_reason_is_cut_to_what_a_rule_holds(self, plan: MakePlan, step: MakeStep) -> None:
        seen = step("train_cnn")
        assert len(rule_like(plan("design", seen), seen, "refuse", "long " * 200).why) == 400


class TestStore:
    def test_nothing_is_remembered_at_first(self, tmp_path: Path) -> None:
        assert remembered(tmp_path) is None
        assert remembered(tmp_path / "no" / "workspace") is None

    def test_a_rule_comes_back_as_it_was_with_its_day(
        self, tmp_path: Path, plan: MakePlan, step: MakeStep
    ) -> None:
        nasty = {"base": "a'b: [x]\n\x1b[2J \u202e}", "task": "NONE"}
        seen = step("train_traffic_lm", **COSTS, epochs=5, masks=["ttl"], **nasty)
        kept = rule_like(plan("design", seen), seen, "approve", "it is quick: \x1b[2J")
        assert remember(tmp_path / "new", kept) == 1
        (back,) = found(tmp_path / "new").rules
        assert back.added == datetime.datetime.now(datetime.UTC).date()
        assert back.model_copy(update={"added": None}) == kept
        assert back.matches(plan("design", seen), seen)
        assert b"\x1b" not in path_of(tmp_path / "new").read_bytes()

    def test_a_small_number_comes_back_as_it_was(
        self, tmp_path: Path, plan: MakePlan, step: MakeStep
    ) -> None:
        seen = step("split_rows", test=1e-05, validation=0.1 + 0.2)
        remember(tmp_path, rule_like(plan("cleaning", seen), seen, "refuse"))
        (back,) = found(tmp_path).rules
        assert back.matches(plan("cleaning", seen), seen)

    def test_the_file_is_private_and_says_what_it_is(self, tmp_path: Path) -> None:
        remember(tmp_path, rule(tool="train_cnn"))
        assert stat.S_IMODE(path_of(tmp_path).stat().st_mode) == 0o600
        assert path_of(tmp_path).read_text().startswith("# Rules that netloop remembers")
        left = {path.name for path in tmp_path.iterdir()}
        assert left == {"policy.yaml", "policy.lock"}

    def test_refusals_stand_before_approvals(self, tmp_path: Path) -> None:
        assert remember(tmp_path, rule(tool="train_cnn")) == 1
        assert remember(tmp_path, rule(tool="train_baselines")) == 2
        assert remember(tmp_path, rule(tool="train_*", decide="refuse")) == 1
        tools = [each.tool for each in found(tmp_path).rules]
        assert tools == ["train_*", "train_cnn", "train_baselines"]

    def test_the_newer_word_on_the_same_steps_holds(
        self, tmp_path: Path, plan: MakePlan, step: MakeStep
    ) -> None:
        remember(tmp_path, rule(stage="design", why="first"))
        assert remember(tmp_path, rule(stage="design", why="again")) == 1
        assert [each.why for each in found(tmp_path).rules] == ["again"]
        remember(tmp_path, rule(stage="design", decide="refuse"))
        assert [each.decide for each in found(tmp_path).rules] == ["refuse"]
        decision = found(tmp_path).decide(plan("design", step("train_cnn")))
        assert decision is not None and decision.action == "abort"
        assert "rule 1 of the workspace's policy.yaml" in decision.note

    def test_revoking_by_number(self, tmp_path: Path) -> None:
        for tool in ("train_cnn", "train_baselines", "split_rows"):
            remember(tmp_path, rule(tool=tool))
        assert "train_baselines" in revoke(tmp_path, 2)
        assert [each.tool for each in found(tmp_path).rules] == ["train_cnn", "split_rows"]
        for _ in range(2):
            revoke(tmp_path, 1)
        assert remembered(tmp_path) is None

    @pytest.mark.parametrize("number", [-1, 0, 2])
    def test_revoking_what_is_not_there(self, tmp_path: Path, number: int) -> None:
        with pytest.raises(InputError, match="None is remembered"):
            revoke(tmp_path, 1)
        remember(tmp_path, rule(tool="train_cnn"))
        with pytest.raises(InputError, match="There are 1"):
            revoke(tmp_path, number)
        assert len(found(tmp_path).rules) == 1

    def test_a_file_that_means_nothing_is_not_passed_over_and_can_be_mended(
        self, tmp_path: Path
    ) -> None:
        path_of(tmp_path).write_text(
            "rules: [{tool: train_cnn, decide: approve}, {tool: tool_of_old, decide: refuse}]\n"
        )
        with pytest.raises(InputError, match="rule 2: no tool is called") as caught:
            remembered(tmp_path)
        assert "netloop policy revoke" in caught.value.mend
        before = path_of(tmp_path).read_bytes()
        with pytest.raises(InputError, match="rule 2"):
            remember(tmp_path, rule(tool="split_rows"))
        assert path_of(tmp_path).read_bytes() == before
        assert "tool_of_old" in revoke(tmp_path, 2)
        assert len(found(tmp_path).rules) == 1

    @pytest.mark.parametrize("text", ["", "rules: 3\n", "[]\n"])
    def test_revoking_in_a_file_without_rules(self, tmp_path: Path, text: str) -> None:
        path_of(tmp_path).write_text(text)
        with pytest.raises(InputError, match="None is remembered"):
            revoke(tmp_path, 1)

    @pytest.mark.parametrize(
        "parts",
        [
            {"tool": "detect_live", "risk": ["deploy"]},
            {"tool": "detect_live", "decide": "refuse"},
            {"risk": ["deploy"], "decide": "refuse"},
            {"tool": "export_flows", "decide": "refuse"},
        ],
    )
    def test_what_acts_outside_is_not_kept(self, tmp_path: Path, parts: dict[str, Any]) -> None:
        with pytest.raises(InputError, match="acts outside"):
            remember(tmp_path, rule(**parts))
        assert remembered(tmp_path) is None

    def test_a_rule_that_could_not_be_read_again_is_not_kept(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no tool is called"):
            remember(tmp_path, rule(tool="nonsense"))
        assert remembered(tmp_path) is None

    def test_a_workspace_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="cannot be written"):
            remember(tmp_path / "file", rule(tool="train_cnn"))

    def test_two_processes_lose_no_rule(self, tmp_path: Path) -> None:
        script = (
            "import sys; from pathlib import Path; from agents.policy import Rule, remember\n"
            "for n in range(int(sys.argv[2]), 20, 2):\n"
            "    remember(Path(sys.argv[1]), Rule(stage='design', max_minutes=n, decide='ask'))\n"
        )
        workers = [
            subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(first)])
            for first in (0, 1)
        ]
        assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
        limits = [each.max_minutes for each in found(tmp_path).rules]
        assert sorted(limits, key=float) == list(range(20))


def test_a_run_like_one_that_was_approved_always_asks_nobody_until_something_is_new(
    tmp_path: Path, spec: Callable[..., Spec]
) -> None:
    settled = {"target": 0.1, "max_false_positive_rate": 0.9, "benign": ["normal"]}

    def always(plan: Plan) -> Decision | None:
        if plan.stage == "design":
            return None
        assert not plan.questions
        for step in plan.steps or [None]:
            remember(tmp_path, rule_like(plan, step, "approve"))
        return Decision(action="approve", plan=plan.digest())

    with opened(create_run(tmp_path, spec(requirements=settled), "ask"), tmp_path) as first:
        assert first.advance(always) == "paused"
    rules = found(tmp_path)
    with opened(create_run(tmp_path, spec(requirements=settled), "ask"), tmp_path) as again:
        assert again.advance(rules.decide) == "paused"
        pending = again.pending()
        events = read_events(again.run.events)
    assert pending is not None and pending.stage == "design"
    decisions = [event.data for event in events if event.type == "plan.decided"]
    assert [one["stage"] for one in decisions] == ["requirements", "cleaning", "augmentation"]
    for one in decisions:
        assert (one["action"], one["by"]) == ("approve", "policy")
        assert re.search(r"rule \d+ of the workspace's policy.yaml", one["note"])


def test_a_rule_that_was_remembered_can_stand_in_any_policy(
    tmp_path: Path, plan: MakePlan, step: MakeStep
) -> None:
    seen = step("train_cnn", **GIVEN)
    remember(tmp_path, rule_like(plan("design", seen), seen, "approve"))
    text = path_of(tmp_path).read_text()
    assert as_yaml(found(tmp_path).rules[0]) in text
