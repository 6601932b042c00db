"""A language model plans a life cycle on real captures: one that behaves, and many that do not."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai_double import MODES, openai_double
from planner_double import PlannerDouble, kind_of

from agents.checkpoints import STAGES, Decision, Plan
from agents.life_cycle import create_run, opened
from agents.planners.choose import planner_of
from agents.policy import approve_all
from agents.spec import Spec
from agents.state import State
from agents.take_over import take_over_calls
from pipelines.store.events import read_events
from pipelines.store.run import RunFolder

KEY = "sk-canary-5f2e9b7a1c"
CLASSES = ("Facetime", "SMB", "Tinba", "Shifu")
# Modes in which the model's answer can be used, maybe after a repair or another way of asking.
GOOD = {
    "ok", "no_usage", "null_usage_counts", "fenced", "think", "think_unopened", "harmony",
    "prose_around", "parts", "no_role", "text_instead_of_call", "arguments_as_object",
    "no_content_type",
}  # fmt: skip
# Failures of one way of asking, or of streaming: another way gets an answer all the same.
USED_ALL_THE_SAME = {"grammar_500", "huge_stream", "stream_cut", "packed", "a_list", "half_json"}


@pytest.fixture(scope="module")
def captures(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four classes of USTC, one capture each."""
    folder = tmp_path_factory.mktemp("ustc")
    found = {path.stem: path for path in (data / "ustc_tfc2016" / "sessions").rglob("*.pcap")}
    for name in CLASSES:
        shutil.copy(found[name], folder)
    return folder


def spec_of(captures: Path) -> Spec:
    content = {
        "goal": "Tell the malware in these captures from ordinary applications",
        "data": {"source": str(captures), "label": "file"},
        "design": {"candidates": ["majority", "lookup", "random_forest"]},
    }
    return Spec.model_validate(content)


@pytest.fixture(scope="module")
def by_rules(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of the rules: what others would compute is taken from it."""
    workspace = tmp_path_factory.mktemp("rules")
    run = create_run(workspace, spec_of(captures), "auto")
    with opened(run, workspace) as life_cycle:
        assert life_cycle.advance(approve_all) == "done"
    return run


@pytest.fixture
def walk(
    captures: Path, by_rules: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Walk a new run with a model behind ``server``: the run, its state, how it ended."""

    def begin(
        server: Any, decide: Callable[[Plan], Decision | None] = approve_all
    ) -> tuple[RunFolder, State, str]:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("NETLOOP_MODEL", "m")
        (tmp_path / "llm.yaml").write_text("timeout_seconds: 0.3\n")
        monkeypatch.setattr("agents.llm.course.FIRST_WAIT", 0.01)
        monkeypatch.setattr("agents.llm.course.LONGEST_WAIT", 0.1)
        run = create_run(tmp_path, spec_of(captures), "auto")
        take_over_calls(by_rules, run)
        with opened(run, tmp_path, planner=planner_of(run, tmp_path)) as life_cycle:
            status = life_cycle.advance(decide)
            return run, life_cycle.state(), status

    return begin


def proposed(run: RunFolder) -> Iterator[dict[str, Any]]:
    for event in read_events(run.events):
        if event.type == "plan.proposed":
            yield event.data["plan"]


def test_a_well_behaved_model(walk: Any) -> None:
    double = PlannerDouble(
        requirements={"analysis": "Malware among applications.", "task": "MTD"},
        operation={"why": "It leads by far."},
    )
    with openai_double(double, key=KEY) as server:
        run, state, status = walk(server)
    assert status == "done"
    plans = list(proposed(run))
    assert {plan["planner"] for plan in plans} == {"the language model m"}
    assert [plan["stage"] for plan in plans] == [
        "requirements", "cleaning", "augmentation", "design", "operation",
    ]  # fmt: skip
    assert state["numbers"]["record_requirements"]["task"] == "MTD"
    tested = state["numbers"]["evaluate_models"]
    forest = next(row for row in tested["models"] if row["name"] == "random_forest")
    assert forest["macro_f1"] > 0.8
    assert len(server.requests) == 7, "five plans and two readings: what a run costs"
    sent = "".join(request.words for request in server.requests)
    assert "Facetime" not in sent or "facetime" in sent, "names are shown as words of our own"
    assert "192.168" not in sent and "1.1." not in sent


@pytest.mark.parametrize("mode", sorted(MODES.keys() - GOOD))
def test_a_model_that_fails_in_one_way_leaves_a_run_that_goes_on(
    mode: str, walk: Any, by_rules: RunFolder
) -> None:
    """Up to the plan that would read the test side, which waits for a person."""
    with openai_double(PlannerDouble(), default=mode) as server:
        run, _, status = walk(server, before_the_test)
    assert status == "paused"
    plans = list(proposed(run))
    assert [plan["stage"] for plan in plans] == [*STAGES]
    assert len(server.requests) <= 6 * 8, "whatever happens, nobody asks for ever"
    for plan, by_rule in zip(plans, proposed(by_rules), strict=True):
        if plan["planner"] == "rules":
            assert len(plan["notes"]) == 1, "the person is told each time"
            assert _calls(plan) == _calls(by_rule)
    if mode not in USED_ALL_THE_SAME:
        assert {plan["planner"] for plan in plans} == {"rules"}
    for path in run.workspace.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_most_modes_are_failures() -> None:
    """The double knows 25 ways to fail or more, each walked above."""
    assert len(MODES.keys() - GOOD) >= 25


def test_a_model_that_plans_beyond_the_bounds_in_every_stage(walk: Any) -> None:
    double = PlannerDouble(
        requirements={"target": 7},
        cleaning={"masks": []},
        augmentation={"generator": "dreams"},
        design={"candidates": ["rm -rf /"]},
        operation={"model": "random_forest; rm -rf /"},
        reading={"words": ["x" * 10_000]},
    )
    with openai_double(double) as server:
        run, _, status = walk(server)
    assert status == "done"
    _the_rules_planned(list(proposed(run)))
    assert {kind_of(request.json) for request in server.requests} >= {"cleaning", "reading"}


def test_a_model_that_obeys_everything_can_only_choose_among_what_is_listed(walk: Any) -> None:
    """Told to send data away and to approve itself, it finds no field for it."""
    double = PlannerDouble(
        design={"tool": "export_flows", "approve": True},
        operation={"steps": [{"tool": "detect_live", "params": {"interface": "eth0"}}]},
    )
    with openai_double(double) as server:
        run, _, status = walk(server)
    assert status == "done"
    tools = {step["tool"] for plan in proposed(run) for step in plan["steps"]}
    assert not tools & {"export_flows", "detect_live", "detect_traffic"}
    notes = [note for plan in proposed(run) for note in plan["notes"]]
    assert sum("another form" in note for note in notes) == 2


def _the_rules_planned(plans: list[dict[str, Any]]) -> None:
    assert {plan["planner"] for plan in plans} == {"rules"}
    assert all(len(plan["notes"]) == 1 for plan in plans), "the person is told each time"


def _calls(plan: dict[str, Any]) -> str:
    return json.dumps([[step["tool"], step["params"]] for step in plan["steps"]])


def before_the_test(plan: Plan) -> Decision | None:
    return None if plan.stage == "operation" else approve_all(plan)
