"""The stage machine, walked over a small table with the real tools, planner and checkpoints."""

import contextlib
import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde import _msgpack as strict_msgpack
from pydantic import ValidationError

from agents.budget import BudgetSpent
from agents.checkpoints import STAGES, Decision, Plan, PlanRecord
from agents.graph import build_life_cycle
from agents.life_cycle import CONFIG, LifeCycle, create_run, opened
from agents.policy import approve_all
from agents.spec import BudgetSpec, Spec
from agents.state import spent_minutes, versions_of
from agents.workbench import Drained
from pipelines.errors import InputError, NetloopError
from pipelines.store.events import read_events
from pipelines.store.run import RunFolder
from tools.spec import ToolResult

MakeSpec = Callable[..., Spec]


@pytest.fixture
def start(tmp_path: Path, spec: MakeSpec) -> Callable[..., Any]:
    """Open a new run: ``with start(seed=1) as life_cycle``."""

    @contextlib.contextmanager
    def begin(**parts: Any) -> Iterator[LifeCycle]:
        run = create_run(tmp_path, spec(**parts), "ask")
        with opened(run, tmp_path) as life_cycle:
            yield life_cycle

    return begin


def nobody(plan: Plan) -> None:
    return None


def answers(*actions: Callable[[Plan], Decision | None] | str) -> Callable[[Plan], Decision | None]:
    """Decide plans in turn: 'approve', 'abort' ... or a function; then nobody."""
    waiting = list(actions)

    def decide(plan: Plan) -> Decision | None:
        if not waiting:
            return None
        action = waiting.pop(0)
        return (
            Decision(action=action, plan=plan.digest()) if isinstance(action, str) else action(plan)
        )  # type: ignore[arg-type]

    return decide


def pending(life_cycle: LifeCycle) -> Plan:
    plan = life_cycle.pending()
    assert plan is not None
    return plan


def events(life_cycle: LifeCycle, kind: str) -> list[dict[str, Any]]:
    return [e.data for e in read_events(life_cycle.run.events) if e.type == kind]


def test_the_node_names_are_frozen(start: Callable[..., Any]) -> None:
    """Renaming a node strands every paused run: do it only with a new FLOW_VERSION."""
    with start() as life_cycle:
        graph = build_life_cycle(life_cycle.bench, InMemorySaver())
    assert [n for n in graph.nodes if not n.startswith("__")] == list(STAGES)
    inner = graph.get_graph(xray=True).nodes
    names = {n.split(":")[1] for n in inner if ":" in n}
    assert {n for n in names if not n.startswith("__")} == {
        "propose",
        "approve",
        "edit",
        "answer",
        "execute",
        "review",
        "close",
    }


def test_a_run_walks_all_stages(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        assert life_cycle.advance(approve_all) == "done"
        state = life_cycle.state()
        proposed = [e["plan"]["stage"] for e in events(life_cycle, "plan.proposed")]
        assert proposed == list(STAGES)
        assert state["numbers"]["evaluate_models"]["best"] == "logistic_regression"
        assert life_cycle.run.store.has(state["artifacts"]["detector"])
        assert life_cycle.run.report.is_file()
        assert life_cycle.run.read()["status"] == "done"
        assert life_cycle.pending() is None


def test_nothing_runs_before_somebody_decides(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        assert life_cycle.advance(nobody) == "paused"
        assert pending(life_cycle).stage == "requirements"
        assert events(life_cycle, "step.finished") == []
        assert life_cycle.advance(nobody) == "paused", "asking again changes nothing"
        assert len(events(life_cycle, "plan.proposed")) == 1


def test_one_approval_takes_it_one_stage_on(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        for stage in STAGES:
            assert life_cycle.advance(nobody) == "paused"
            assert pending(life_cycle).stage == stage
            life_cycle.advance(answers("approve"))
        assert life_cycle.run.read()["status"] == "done"


def test_exactly_the_approved_steps_ran(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        life_cycle.advance(approve_all)
        approved = [
            (step["tool"], step["params"])
            for event in events(life_cycle, "plan.proposed")
            for step in event["plan"]["steps"]
        ]
        ran = [(event["tool"], event["params"]) for event in events(life_cycle, "step.started")]
    assert ran == approved


def test_a_rejection_comes_back_changed_with_the_difference(start: Callable[..., Any]) -> None:
    def refuse(plan: Plan) -> Decision:
        return Decision(
            action="reject", plan=plan.digest(), note="split by time please, 30% for test"
        )

    with start() as life_cycle:
        life_cycle.advance(answers("approve", refuse))
        plan = pending(life_cycle)
        assert (plan.stage, plan.version) == ("cleaning", 2)
        assert '~ split_rows.by: "row" -> "time"' in plan.changes
        assert "~ split_rows.test: 0.5 -> 0.3" in plan.changes
        assert "split_rows" not in [e["tool"] for e in events(life_cycle, "step.started")]


def test_a_rejection_that_rules_cannot_read_still_changes_the_plan(
    start: Callable[..., Any],
) -> None:
    def refuse(plan: Plan) -> Decision:
        return Decision(action="reject", plan=plan.digest(), note="hmm, no")

    for stage_number, stage in enumerate(STAGES):
        if stage in ("requirements", "augmentation"):
            continue  # there is nothing else to propose for a table, and the plan says so
        with start() as life_cycle:
            life_cycle.advance(answers(*["approve"] * stage_number, refuse))
            plan = pending(life_cycle)
            assert (plan.stage, plan.version) == (stage, 2)
            assert plan.changes, stage


def test_an_edit_makes_a_version_that_needs_its_own_yes(start: Callable[..., Any]) -> None:
    def edit(plan: Plan) -> Decision:
        return Decision(action="edit", plan=plan.digest(), edits={"split_rows.test": 0.25})

    with start() as life_cycle:
        life_cycle.advance(answers("approve", edit))
        plan = pending(life_cycle)
        assert plan.version == 2
        assert plan.changes == ["~ split_rows.test: 0.5 -> 0.25"]
        life_cycle.advance(answers("approve"))
        ran = [e for e in events(life_cycle, "step.started") if e["tool"] == "split_rows"]
        assert ran[0]["params"]["test"] == 0.25


@pytest.mark.parametrize(
    "edits",
    [{"split_rows.test": 2}, {"split_rows.tset": 0.3}, {"nothing.test": 0.3}, {"test": 0.3}],
)
def test_a_bad_edit_keeps_the_pause(start: Callable[..., Any], edits: dict[str, Any]) -> None:
    def edit(plan: Plan) -> Decision:
        return Decision(action="edit", plan=plan.digest(), edits=edits)

    with start() as life_cycle:
        with pytest.raises(InputError):
            life_cycle.advance(answers("approve", edit))
        assert pending(life_cycle).version == 1
        assert life_cycle.advance(approve_all) == "done"


def test_an_approval_can_answer_questions(start: Callable[..., Any]) -> None:
    def approve(plan: Plan) -> Decision:
        assert [q.id for q in plan.questions] == [
            "record_requirements.target",
            "record_requirements.max_false_positive_rate",
            "record_requirements.benign",
        ]
        given = {
            "record_requirements.target": "55%",
            "record_requirements.max_false_positive_rate": "",
            "record_requirements.benign": "normal",
        }
        return Decision(action="approve", plan=plan.digest(), answers=given)

    with start() as life_cycle:
        life_cycle.advance(answers(approve))
        recorded = life_cycle.state()["numbers"]["record_requirements"]
    assert recorded["target"] == 0.55
    assert recorded["max_false_positive_rate"] is None
    assert recorded["benign"] == ["normal"]


@pytest.mark.parametrize(
    "given", [{"record_requirements.target": "lots"}, {"record_requirements.seed": "1"}]
)
def test_a_bad_answer_keeps_the_pause(start: Callable[..., Any], given: dict[str, str]) -> None:
    def approve(plan: Plan) -> Decision:
        return Decision(action="approve", plan=plan.digest(), answers=given)

    with start() as life_cycle:
        with pytest.raises(InputError):
            life_cycle.advance(answers(approve))
        assert pending(life_cycle).stage == "requirements"


def test_a_question_is_answered_and_decides_nothing(start: Callable[..., Any]) -> None:
    def ask(plan: Plan) -> Decision:
        return Decision(action="ask", plan=plan.digest(), note="why is the metric macro f1?")

    with start() as life_cycle:
        life_cycle.advance(answers(ask))
        plan = pending(life_cycle)
        assert (plan.stage, plan.version) == ("requirements", 1)
        record = versions_of(life_cycle.state(), "requirements")[-1]
        assert "every class counts the same" in record.answer
        assert events(life_cycle, "step.started") == []


def test_a_decision_about_another_plan_is_refused(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        with pytest.raises(InputError, match="has changed"):
            life_cycle.advance(lambda plan: Decision(action="approve", plan="0" * 64))
        assert pending(life_cycle).stage == "requirements"


def test_the_graph_itself_asks_again_for_a_decision_about_another_plan(
    start: Callable[..., Any],
) -> None:
    from langgraph.types import Command

    with start() as life_cycle:
        life_cycle.advance(nobody)
        stale = Decision(action="approve", plan="0" * 64).model_dump()
        life_cycle.graph.invoke(Command(resume=stale), CONFIG, durability="sync")
        assert pending(life_cycle).stage == "requirements"
        assert events(life_cycle, "step.started") == []


def test_what_is_no_decision_keeps_the_pause(start: Callable[..., Any]) -> None:
    from langgraph.types import Command

    with start() as life_cycle:
        life_cycle.advance(nobody)
        with pytest.raises(ValidationError):
            life_cycle.graph.invoke(Command(resume={"action": "sure"}), CONFIG, durability="sync")
        assert life_cycle.advance(approve_all) == "done"


@pytest.mark.parametrize("action", ["reject", "ask"])
def test_words_are_needed_to_reject_or_ask(start: Callable[..., Any], action: str) -> None:
    with start() as life_cycle, pytest.raises(InputError, match="needs words"):
        life_cycle.advance(answers(action))


def test_required_stages_cannot_be_skipped_and_augmentation_can(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        with pytest.raises(InputError, match="cannot be skipped"):
            life_cycle.advance(answers("skip"))
        life_cycle.advance(answers("approve", "approve", "skip"))
        assert pending(life_cycle).stage == "design"


def test_a_plan_that_cannot_work_on_this_data_is_asked_again(start: Callable[..., Any]) -> None:
    """A table has no time to split by: only running it shows that, and only an edit mends it."""

    def impossible(plan: Plan) -> Decision:
        return Decision(action="edit", plan=plan.digest(), edits={"split_rows.by": "time"})

    def mend(plan: Plan) -> Decision:
        return Decision(action="edit", plan=plan.digest(), edits={"split_rows.by": "row"})

    with start() as life_cycle:
        with pytest.raises(InputError, match="carry no time"):
            life_cycle.advance(answers("approve", impossible, "approve"))
        assert life_cycle.run.read()["status"] == "failed"
        assert "carry no time" in pending(life_cycle).failure
        with pytest.raises(InputError, match="carry no time"):
            life_cycle.advance(approve_all)
        life_cycle.advance(answers(mend, "approve"))
        assert pending(life_cycle).stage == "augmentation"
        ran = [e["tool"] for e in events(life_cycle, "step.finished")]
        assert ran.count("clean_rows") == 1, "what had worked was not done again"


def test_abort_ends_the_run_and_keeps_what_was_made(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        assert life_cycle.advance(answers("approve", "abort")) == "refused"
        assert life_cycle.run.store.has(life_cycle.state()["artifacts"]["rows"])
        assert life_cycle.advance(approve_all) == "refused", "an ended run stays ended"


def test_a_target_that_no_model_reaches(start: Callable[..., Any]) -> None:
    with start(requirements={"target": 1.0}) as life_cycle:
        assert life_cycle.advance(approve_all) == "target_missed"
        assert life_cycle.run.store.has(life_cycle.state()["artifacts"]["detector"])
        assert life_cycle.run.report.is_file()
        assert "misses the target" in life_cycle.state()["reviews"]["operation/1"].findings[0]


def test_a_spent_budget_pauses_the_run_before_the_next_step(start: Callable[..., Any]) -> None:
    with start(budget={"minutes": 1e-9}) as life_cycle:
        with pytest.raises(BudgetSpent, match="1e-09 minutes is used up") as spent:
            life_cycle.advance(approve_all)
        assert (spent.value.what, spent.value.exit_code) == ("minutes", 5)
        ran = [e["tool"] for e in events(life_cycle, "step.finished")]
        assert life_cycle.run.read()["status"] == "budget"
    assert ran[-1] != "evaluate_models"
    assert len(ran) < 4


def test_a_run_that_may_spend_more_goes_on_where_it_stopped(start: Callable[..., Any]) -> None:
    with start(budget={"minutes": 1e-9}) as life_cycle:
        with pytest.raises(BudgetSpent):
            life_cycle.advance(approve_all)
        with pytest.raises(InputError, match=r"budget\.minutes"):
            life_cycle.raise_budget("minutes", -1)
        life_cycle.raise_budget("minutes", 60)
        assert life_cycle.run.read()["spec"]["budget"]["minutes"] == 60
        assert life_cycle.advance(approve_all) == "done"
        ran = [e["tool"] for e in events(life_cycle, "step.finished")]
        assert events(life_cycle, "budget.raised") == [{"what": "minutes", "limit": 60}]
    assert len(ran) == len(set(ran)), "nothing ran twice"


def test_minutes_on_a_gpu_have_a_budget_of_their_own(start: Callable[..., Any]) -> None:
    with start(budget={"gpu_minutes": 1}) as life_cycle:
        bench = life_cycle.bench
        on_cpu = ToolResult(numbers={"device": {"cnn": "cpu"}}, seconds=3600)
        on_gpu = ToolResult(numbers={"device": {"cnn": "cuda:0"}}, seconds=59)
        bench.check_minutes({"results": {"design/1/0 a": on_cpu, "design/1/1 b": on_gpu}})
        more = on_gpu.model_copy(update={"seconds": 1.5})
        with pytest.raises(BudgetSpent, match="1 minutes on a GPU"):
            bench.check_minutes({"results": {"design/1/1 b": on_gpu, "design/2/0 b": more}})


def test_two_processes_on_one_run(start: Callable[..., Any], tmp_path: Path) -> None:
    with start() as life_cycle:
        again = RunFolder.open(tmp_path, life_cycle.run.id)
        with pytest.raises(NetloopError, match="another netloop"), opened(again, tmp_path):
            pass  # pragma: no cover


def test_a_stop_between_steps_can_be_taken_up(start: Callable[..., Any]) -> None:
    def approve_and_stop(plan: Plan) -> Decision:
        life_cycle.bench.stop.set()
        return approve_all(plan)

    with start() as life_cycle:
        with pytest.raises(Drained) as caught:
            life_cycle.advance(approve_and_stop)
        assert caught.value.exit_code == 130
        assert life_cycle.run.read()["status"] == "interrupted"
        life_cycle.bench.stop.clear()
        assert life_cycle.advance(approve_all) == "done"
        decided = [e["stage"] for e in events(life_cycle, "plan.decided")]
        assert decided == list(STAGES), "nothing was asked twice"


def test_the_state_survives_a_new_process(tmp_path: Path, spec: MakeSpec) -> None:
    run = create_run(tmp_path, spec(), "ask")
    with opened(run, tmp_path) as life_cycle:
        life_cycle.advance(answers("approve", "approve"))
        before = life_cycle.state()
    script = f"""
        from pathlib import Path
        from agents.life_cycle import opened
        from agents.policy import approve_all
        from pipelines.store.run import RunFolder
        workspace = Path({str(tmp_path)!r})
        with opened(RunFolder.open(workspace, {run.id!r}), workspace) as it:
            assert it.pending().stage == "augmentation"
            print(it.advance(approve_all))
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True
    )
    assert ended.stdout.strip() == "done", ended.stderr
    with opened(run, tmp_path) as life_cycle:
        after = life_cycle.state()
    assert after["artifacts"].items() >= before["artifacts"].items()
    assert all(isinstance(record, PlanRecord) for record in after["history"].values())


@pytest.mark.parametrize(
    "tool", ["import_rows", "split_rows", "train_baselines", "package_detector"]
)
def test_kill_9_inside_a_step_repeats_that_step_only(
    tmp_path: Path, spec: MakeSpec, tool: str
) -> None:
    run = create_run(tmp_path, spec(), "auto")
    script = f"""
        import os, signal
        from pathlib import Path
        import agents.workbench as workbench
        from agents.life_cycle import opened
        from agents.policy import approve_all
        from pipelines.store.run import RunFolder
        real = workbench.call
        def dying(tool, *rest):
            if tool.name == {tool!r}:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(tool, *rest)
        workbench.call = dying
        workspace = Path({str(tmp_path)!r})
        with opened(RunFolder.open(workspace, {run.id!r}), workspace) as it:
            it.advance(approve_all)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True)
    assert ended.returncode == -signal.SIGKILL
    finished = [e.data["tool"] for e in read_events(run.events) if e.type == "step.finished"]
    assert tool not in finished
    with opened(run, tmp_path) as life_cycle:
        assert life_cycle.pending() is None, "an answered question is not asked again"
        assert life_cycle.advance(approve_all) == "done"
        again = [e["tool"] for e in events(life_cycle, "step.finished")]
    assert again[: len(finished)] == finished
    assert len(again) == len(set(again)), "no finished step was repeated"


def test_a_repeated_call_with_the_same_inputs_is_taken_from_the_store(
    tmp_path: Path, spec: MakeSpec
) -> None:
    """The stage goes back, the same parameters come again: the work is not done twice."""

    def edit(plan: Plan) -> Decision:
        return Decision(action="edit", plan=plan.digest(), edits={"clean_rows.filters": []})

    with opened(create_run(tmp_path, spec(), "ask"), tmp_path) as life_cycle:
        life_cycle.advance(approve_all)
        step = Plan.model_validate(events(life_cycle, "plan.proposed")[0]["plan"]).steps[1]
        life_cycle.bench.call("import_rows", step, life_cycle.state())
        assert [e["tool"] for e in events(life_cycle, "step.reused")] == ["import_rows"]


def test_the_same_spec_gives_the_same_artefacts(tmp_path: Path, spec: MakeSpec) -> None:
    made = []
    for name in ("one", "two"):
        workspace = tmp_path / name
        with opened(create_run(workspace, spec(), "auto"), workspace) as life_cycle:
            life_cycle.advance(approve_all)
            made.append(life_cycle.state()["artifacts"])
    assert made[0] == made[1]


def test_a_run_of_another_graph_version_is_refused(tmp_path: Path, spec: MakeSpec) -> None:
    run = create_run(tmp_path, spec(), "ask")
    run.update(flow_version=99)
    with pytest.raises(NetloopError, match="another version"), opened(run, tmp_path):
        pass  # pragma: no cover


def test_the_folder_is_private(tmp_path: Path, spec: MakeSpec) -> None:
    run = create_run(tmp_path, spec(), "ask")
    with opened(run, tmp_path) as life_cycle:
        life_cycle.advance(nobody)
    assert run.path.stat().st_mode & 0o777 == 0o700
    assert run.checkpoints.stat().st_mode & 0o777 == 0o600


def test_no_secret_is_written(
    tmp_path: Path, spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0451")
    with opened(create_run(tmp_path, spec(), "auto"), tmp_path) as life_cycle:
        life_cycle.advance(approve_all)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if b"sk-canary-0451" in path.read_bytes()]


def test_strict_msgpack_is_on_in_these_tests_and_in_the_command() -> None:
    """langgraph reads the variable once: whoever imports it first decides for the process."""
    script = "import agents.life_cycle, langgraph.checkpoint.serde._msgpack as it; "
    told = subprocess.check_output(
        [sys.executable, "-c", script + "print(it.STRICT_MSGPACK_ENABLED)"], text=True
    )
    assert told.strip() == "True"
    assert strict_msgpack.STRICT_MSGPACK_ENABLED


def test_events_are_numbered_without_gaps(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        life_cycle.advance(approve_all)
        numbers = [
            json.loads(line)["seq"] for line in life_cycle.run.events.read_text().splitlines()
        ]
    assert numbers == list(range(len(numbers)))


def test_a_test_source_does_not_hide_what_the_first_source_gave(
    start: Callable[..., Any], table: Path, tmp_path: Path
) -> None:
    lines = table.read_text().splitlines()
    (tmp_path / "later.csv").write_text("\n".join(lines[:1] + lines[200:]))
    (tmp_path / "first.csv").write_text("\n".join(lines[:200]))
    data = {"source": str(tmp_path / "first.csv"), "test": str(tmp_path / "later.csv")}
    with start(data={**data, "label": "kind"}) as life_cycle:
        assert life_cycle.advance(approve_all) == "done"
        numbers = life_cycle.state()["numbers"]
        assert (numbers["import_rows"]["rows"], numbers["import_rows#2"]["rows"]) == (199, 101)
        sizes = numbers["split_rows"]["sizes"]
        assert sizes["train"]["rows"] + sizes["validation"]["rows"] == 199, "all of the first"
        assert sizes["test"]["rows"] == 101


def edit_of(**edits: Any) -> Callable[[Plan], Decision]:
    """An edit; double underscores stand for the dot."""
    changes = {place.replace("__", "."): value for place, value in edits.items()}
    return lambda plan: Decision(action="edit", plan=plan.digest(), edits=changes)


def test_an_edit_that_cannot_be_priced_keeps_the_pause(start: Callable[..., Any]) -> None:
    """Nobody could take it back once the graph had it: the source is looked at before."""
    with start() as life_cycle:
        with pytest.raises(InputError, match="nowhere"):
            life_cycle.advance(answers(edit_of(import_rows__source="/nowhere/at/all")))
        assert (pending(life_cycle).version, life_cycle.run.read()["status"]) == (1, "paused")
        assert life_cycle.advance(approve_all) == "done"


def test_a_rejection_that_asks_for_the_impossible_is_told_so(start: Callable[..., Any]) -> None:
    """A table has no folders to take labels from; the plan before stays, for a person to judge."""

    def refuse(plan: Plan) -> Decision:
        return Decision(action="reject", plan=plan.digest(), note="labels by folder please")

    with start() as life_cycle:
        with pytest.raises(InputError, match="folder"):
            life_cycle.advance(answers(refuse))
        plan = pending(life_cycle)
        assert (plan.version, plan.changes) == (2, [])
        assert "folder" in plan.failure
        with pytest.raises(InputError, match="folder"):
            life_cycle.advance(approve_all)
        life_cycle.advance(answers("approve"))
        assert pending(life_cycle).stage == "cleaning"


def test_answers_outlive_a_step_that_fails(
    start: Callable[..., Any], table: Path, tmp_path: Path
) -> None:
    source = tmp_path / "flows.csv"
    source.write_text(table.read_text())

    def approve(plan: Plan) -> Decision:
        source.write_text("duration,kind\n1,normal\n2,normal\n")
        given = {"record_requirements.target": "0.55"}
        return Decision(action="approve", plan=plan.digest(), answers=given)

    with start(data={"source": str(source), "label": "kind"}) as life_cycle:
        with pytest.raises(InputError, match="class"):
            life_cycle.advance(answers(approve))
        plan = pending(life_cycle)
        assert (plan.version, plan.questions) == (2, []), "nothing is asked twice"
        assert plan.steps[0].params["target"] == 0.55
        source.write_text(table.read_text())
        life_cycle.advance(answers("approve"))
        assert life_cycle.state()["numbers"]["record_requirements"]["target"] == 0.55


def test_an_edit_settles_the_question_about_its_parameter(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        life_cycle.advance(answers(edit_of(record_requirements__target=0.55)))
        asked = [question.id for question in pending(life_cycle).questions]
        assert "record_requirements.target" not in asked
        assert "record_requirements.benign" in asked


def test_work_taken_from_the_store_is_not_charged_again(start: Callable[..., Any]) -> None:
    """The budget counts what ran; a stage that is asked again reuses what had worked."""
    by_time = edit_of(split_rows__by="time")
    with start() as life_cycle:
        with pytest.raises(InputError, match="carry no time"):
            life_cycle.advance(answers("approve", by_time, "approve"))
        life_cycle.advance(answers(edit_of(split_rows__by="row"), "approve"))
        assert len(events(life_cycle, "step.reused")) == 1
        ran = sum(event["seconds"] for event in events(life_cycle, "step.finished"))
        assert spent_minutes(life_cycle.state()) == pytest.approx(ran / 60)


def test_a_test_source_of_one_class_is_tested_on(start: Callable[..., Any], table: Path) -> None:
    header, *records = table.read_text().splitlines()
    attacks = [record for record in records if record.endswith("attack")]
    other = table.with_name("attacks.csv")
    other.write_text("\n".join([header, *attacks[:40]]))
    data = {"source": str(table), "label": "kind", "test": str(other)}
    with start(data=data) as life_cycle:
        assert life_cycle.advance(approve_all) == "done"
        found = life_cycle.state()["reviews"]["requirements/1"].findings
        assert found[0] == "300 rows of 2 classes were read."
        sizes = life_cycle.state()["numbers"]["split_rows"]["sizes"]
        assert sizes["test"]["rows"] == 40


def test_a_class_that_is_not_there_cannot_be_benign(start: Callable[..., Any]) -> None:
    with start(requirements={"benign": ["normal", "nromal"]}) as life_cycle:
        life_cycle.advance(answers("approve"))
        found = life_cycle.state()["reviews"]["requirements/1"].findings
    assert found[-1] == "No class is called nromal, which was named as benign."


def test_a_killed_run_is_not_said_to_be_running(tmp_path: Path, spec: MakeSpec) -> None:
    run = create_run(tmp_path, spec(), "ask")
    assert run.read()["status"] == "running"
    with opened(run, tmp_path):
        assert run.read()["status"] == "interrupted"


def kept_score(life_cycle: LifeCycle) -> float:
    """What the CNN that the run goes on with reached on validation."""
    folder = life_cycle.run.store.path(life_cycle.state()["artifacts"]["model/cnn"])
    return float(json.loads((folder / "fit.json").read_text())["validation_macro_f1"])


def one_epoch(plan: Plan) -> Decision:
    return Decision(action="edit", plan=plan.digest(), edits={"train_cnn.epochs": 1})


CNN_FOR_THE_MOON = {
    "design": {"candidates": ["cnn"], "epochs": 6},
    "requirements": {"target": 0.999},
}


def test_the_better_of_two_trials_goes_on(start: Callable[..., Any]) -> None:
    """The second trial is made to be worse here: its model must not take the first one's place."""
    with start(**CNN_FOR_THE_MOON) as life_cycle:
        life_cycle.advance(
            answers("approve", "approve", "approve", "approve", one_epoch, "approve")
        )
        assert pending(life_cycle).stage == "operation"
        first, second = (e for e in events(life_cycle, "step.finished") if e["tool"] == "train_cnn")
        score = first["numbers"]["validation"]["cnn"]
        assert "the one before" in second["numbers"]["warnings"][0], "else this test says nothing"
        assert second["artifacts"] == first["artifacts"]
        assert kept_score(life_cycle) == score
        assert pending(life_cycle).steps[0].reasons["best"].endswith(f"{score:.3f}")
        assert life_cycle.advance(approve_all) == "target_missed"
        row = life_cycle.state()["numbers"]["evaluate_models"]["models"][0]
        assert row["validation_macro_f1"] == score
        findings = life_cycle.state()["reviews"]["design/3"].findings
        assert any("the one before" in line for line in findings)


def test_a_second_trial_stays_within_the_epochs_of_the_spec(start: Callable[..., Any]) -> None:
    with start(**CNN_FOR_THE_MOON) as life_cycle:
        life_cycle.advance(answers(*["approve"] * 4))
        plan = pending(life_cycle)
        assert (plan.stage, plan.version) == ("design", 2)
        assert plan.steps[0].params["epochs"] == 6
        assert plan.changes == ["~ train_cnn.channels: 64 -> 128"]


def test_edits_before_the_first_trial_do_not_count_as_trials(start: Callable[..., Any]) -> None:
    with start(**CNN_FOR_THE_MOON) as life_cycle:
        life_cycle.advance(answers(*["approve"] * 3, one_epoch, "approve"))
        assert (pending(life_cycle).stage, pending(life_cycle).version) == ("design", 3)


def test_a_target_for_accuracy_is_not_judged_by_macro_f1(start: Callable[..., Any]) -> None:
    wanted = {"metric": "accuracy", "target": 0.999}
    with start(requirements=wanted) as life_cycle:
        assert life_cycle.advance(approve_all) == "target_missed"
        state = life_cycle.state()
        assert not any("target" in line for line in state["reviews"]["design/1"].findings)
        assert "accuracy" in state["reviews"]["operation/1"].findings[0]


@pytest.mark.parametrize("place", ["evaluate_models__best", "package_detector__model"])
def test_a_model_that_was_not_trained_is_refused_before_the_test_side_is_read(
    start: Callable[..., Any], place: str
) -> None:
    with start() as life_cycle:
        with pytest.raises(InputError, match="no model 'forest' was trained"):
            life_cycle.advance(answers(*["approve"] * 4, edit_of(**{place: "forest"})))
        assert "evaluate_models" not in life_cycle.state()["numbers"]
        assert life_cycle.advance(approve_all) == "done"


def test_the_detector_is_judged_by_its_own_model(start: Callable[..., Any]) -> None:
    """Validation chose the regression; whoever packs the majority class gets its score."""
    pack = edit_of(package_detector__model="majority")
    with start(requirements={"target": 0.5}) as life_cycle:
        assert life_cycle.advance(answers(*["approve"] * 4, pack, "approve")) == "target_missed"
        findings = life_cycle.state()["reviews"]["operation/2"].findings
    assert findings[0] == "You packed majority; validation chose logistic_regression."
    assert findings[1].startswith("majority misses the target")


def test_false_alarms_that_a_study_does_not_measure_are_not_called_tolerable(
    start: Callable[..., Any], table: Path
) -> None:
    data = {"source": str(table), "label": "kind", "sample": {"per_class": 10, "draws": 2}}
    with start(data=data, requirements={"max_false_positive_rate": 0.01}) as life_cycle:
        assert life_cycle.advance(approve_all) == "target_missed"
        findings = life_cycle.state()["reviews"]["operation/1"].findings
    assert "not measured" in findings[-1]


def test_the_budget_bounds_the_epochs(start: Callable[..., Any]) -> None:
    with start(design={"candidates": ["cnn"]}, budget={"minutes": 2}) as life_cycle:
        life_cycle.bench.rates.measured["train_cnn"] = 0.05  # seconds a row and epoch
        life_cycle.advance(answers(*["approve"] * 3))
        step = pending(life_cycle).steps[0]
        assert 3 <= step.params["epochs"] <= 8
        assert step.reasons["epochs"].startswith("fit into half of the 2")
        assert step.estimate.minutes <= 1


def test_the_report_of_a_run_that_waits_says_so(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        with pytest.raises(InputError):
            life_cycle.advance(answers("approve", edit_of(split_rows__by="time"), "approve"))
        assert "Failed: a step went wrong" in life_cycle.write_report().read_text()
        life_cycle.advance(answers(edit_of(split_rows__by="row"), "approve"))
        assert "Paused: no model has been tested yet." in life_cycle.write_report().read_text()


@pytest.fixture
def failed(start: Callable[..., Any]) -> Iterator[LifeCycle]:
    """A run whose cleaning plan failed twice: it splits a table by time, then by capture."""
    with start() as life_cycle:
        with pytest.raises(InputError, match="carry no time"):
            life_cycle.advance(answers("approve", edit_of(split_rows__by="time"), "approve"))
        with pytest.raises(InputError, match="capture"):
            life_cycle.advance(answers(edit_of(split_rows__by="capture"), "approve"))
        yield life_cycle


def test_a_plan_may_fail_again_and_says_why_each_time(failed: LifeCycle) -> None:
    plan = pending(failed)
    assert (plan.stage, plan.version, plan.changes) == ("cleaning", 5, [])
    assert "capture" in plan.failure
    with pytest.raises(InputError, match="capture"):
        failed.advance(answers("approve"))
    assert pending(failed).version == 6


def test_a_failed_plan_can_be_rejected(failed: LifeCycle) -> None:
    def refuse(plan: Plan) -> Decision:
        return Decision(action="reject", plan=plan.digest(), note="split by row")

    assert failed.advance(answers(refuse)) == "paused"
    assert (pending(failed).failure, pending(failed).steps[1].params["by"]) == ("", "row")
    assert failed.run.read()["error"] is None
    assert failed.advance(approve_all) == "done"


def test_a_failed_plan_can_be_aborted(failed: LifeCycle) -> None:
    assert failed.advance(answers("abort")) == "refused"


def test_a_bad_decision_on_a_failed_plan_leaves_it_failed(failed: LifeCycle) -> None:
    before = pending(failed)
    with pytest.raises(InputError, match="less than 1"):
        failed.advance(answers(edit_of(split_rows__test=7)))
    assert pending(failed) == before
    assert failed.run.read()["status"] == "failed"


def test_a_budget_spent_in_the_middle_of_a_stage_stays_spent(start: Callable[..., Any]) -> None:
    with start(budget={"minutes": 60}) as life_cycle:
        life_cycle.advance(answers("approve"))
        life_cycle.bench.spec = life_cycle.bench.spec.model_copy(
            update={"budget": BudgetSpec(minutes=1e-9)}
        )
        for decide in (answers("approve"), approve_all):
            with pytest.raises(BudgetSpent):
                life_cycle.advance(decide)
            assert life_cycle.pending() is None
        assert "clean_rows" not in life_cycle.state()["numbers"]


def test_the_log_tells_where_work_began_and_was_taken_up(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        life_cycle.advance(nobody)
        life_cycle.advance(approve_all)
        kinds = [event.type for event in read_events(life_cycle.run.events)]
    assert kinds[:4] == ["run.started", "plan.proposed", "run.resumed", "plan.decided"]
    assert kinds[-1] == "run.finished"


def test_masks_that_were_taken_off_after_the_audit_are_told(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        unmask = edit_of(train_baselines__masks=["macs"])
        life_cycle.advance(answers(*["approve"] * 3, unmask, "approve"))
        told = life_cycle.state()["reviews"]["design/2"].findings
    assert "Models saw addresses, checksums" in told[-1]
    assert "which the audit counts as masked" in told[-1]
