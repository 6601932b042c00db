"""Runs that are walked again, with the real tools: replays compare, forks go another way."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openai_double import openai_double
from planner_double import PlannerDouble

from agents.checkpoints import Decision, Plan
from agents.life_cycle import create_run, opened
from agents.llm.record import AnswerLog, Exchange
from agents.output import notice
from agents.planners.base import Evidence, Planner
from agents.planners.choose import planner_of
from agents.planners.rules import RulePlanner
from agents.policy import approve_all
from agents.replay_report import ReplayReport
from agents.retrace import fork, replay
from agents.spec import Spec
from agents.state import Feedback
from agents.trail import Trail, Turn, answer_log
from pipelines.errors import InputError, NetloopError
from pipelines.lab.lab import write_pcap
from pipelines.lab.traffic import day_of_traffic
from pipelines.report.headline import fork_words
from pipelines.store.events import read_events
from pipelines.store.files import hash_file
from pipelines.store.run import RunFolder

Act = Callable[[Plan], Decision]
Walked = tuple[RunFolder, Path]


def act(action: str, **parts: Any) -> Act:
    """A person's decision, whatever the plan is."""
    return lambda plan: Decision.model_validate({"action": action, "plan": plan.digest(), **parts})


def edit(place: str, value: Any) -> Act:
    return act("edit", edits={place: value})


approve = act("approve")


def nobody(plan: Plan) -> None:
    return None


def walk(workspace: Path, spec: Spec, *acts: Act) -> RunFolder:
    """A run in which these decisions were made; then nobody was there, or a step failed."""
    run, waiting = create_run(workspace, spec, "ask"), list(acts)
    with opened(run, workspace) as life_cycle:
        try:
            life_cycle.advance(lambda plan: waiting.pop(0)(plan) if waiting else None)
        except InputError:
            assert waiting, "the last of the decisions was refused"
            life_cycle.advance(lambda plan: waiting.pop(0)(plan) if waiting else None)
    assert not waiting
    return run


def small(table: Path, **parts: Any) -> Spec:
    content = {
        "goal": "Tell attacks from normal records",
        "data": {"source": str(table), "label": "kind"},
        "design": {"candidates": ["majority", "logistic_regression"]},
    }
    return Spec.model_validate({**content, **parts})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Walked:
    """A run to its end, with a question, an edit, a skipped stage and a rejection on its way."""
    workspace = tmp_path_factory.mktemp("whole")
    acts = [
        act("ask", note="why is the metric macro f1?"),
        act("approve", answers={"record_requirements.target": "0.55"}),
        edit("split_rows.test", 0.3),
        approve,
        act("skip"),
        act("reject", note="no logistic regression"),
        act("reject", note="add logistic regression"),
        approve,
        approve,
    ]
    return walk(workspace, small(table), *acts), workspace


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Walked:
    """A run whose augmentation plan waits."""
    workspace = tmp_path_factory.mktemp("cleaned")
    return walk(workspace, small(table), approve, approve), workspace


@pytest.fixture
def hosts(tmp_path: Path, table: Path) -> Spec:
    """A table in which every class has a host of its own: a leak, where models may see hosts."""
    lines = ["client,noise,kind"] + [f"{n % 2},{n * 7 % 13},{'ab'[n % 2]}" for n in range(200)]
    (tmp_path / "clients.csv").write_text("\n".join(lines))
    columns = {"groups": {"client": "addresses"}}
    source = str(tmp_path / "clients.csv")
    return small(table, data={"source": source, "label": "kind", "columns": columns})


def snapshot(run: RunFolder) -> dict[str, tuple[str, int]]:
    """Every file of a run, with its content and when it was written."""
    files = [path for path in run.path.rglob("*") if path.is_file()]
    return {str(p): (hash_file(p), p.stat().st_mtime_ns) for p in files}


def kinds(run: RunFolder) -> list[str]:
    return [event.type for event in read_events(run.events)]


def pending(run: RunFolder, workspace: Path) -> Plan:
    with opened(run, workspace) as life_cycle:
        plan = life_cycle.pending()
    assert plan is not None
    return plan


def copied(walked: Walked, workspace: Path) -> RunFolder:
    """The same run in a workspace of its own, to be tampered with."""
    target = workspace / "runs" / walked[0].id
    shutil.copytree(walked[0].path, target)
    return RunFolder.open(workspace, target.name)


def runs(workspace: Path) -> list[str]:
    return sorted(path.name for path in (workspace / "runs").iterdir())


# replays


@pytest.fixture(scope="module")
def replayed(whole: Walked) -> ReplayReport:
    before = snapshot(whole[0])
    report = replay(*whole)
    assert snapshot(whole[0]) == before
    return report


def test_a_replay_does_the_work_again_and_finds_it_equal(
    whole: Walked, replayed: ReplayReport
) -> None:
    (source, workspace), report = whole, replayed
    assert (report.equal, report.first, report.changes, report.versions) == (True, None, [], [])
    again = RunFolder.open(workspace, report.run)
    assert again.read()["replay_of"] == source.id
    assert again.read()["status"] == "done"
    assert "step.reused" not in kinds(again)
    assert kinds(again).count("step.finished") == kinds(source).count("step.finished")


def test_a_replay_shows_all_that_it_compared(replayed: ReplayReport) -> None:
    decided = {row.name: row.recorded for row in replayed.rows if row.what == "decision"}
    assert decided == {
        "requirements/1": 'ask "why is the metric macro f1?" (person); '
        'approve record_requirements.target="0.55" (person)',
        "cleaning/1": "edit split_rows.test=0.3 (person)",
        "cleaning/2": "approve (person)",
        "augmentation/1": "skip (person)",
        "design/1": 'reject "no logistic regression" (person)',
        "design/2": 'reject "add logistic regression" (person)',
        "design/3": "approve (person)",
        "operation/1": "approve (person)",
    }
    plans = [row.name for row in replayed.rows if row.what == "plan"]
    assert plans == list(decided)
    made = {row.name.split()[-1] for row in replayed.rows if row.what == "artefact"}
    assert made >= {"rows", "split", "model/logistic_regression", "evaluation", "detector"}


def test_a_run_that_waits_is_repeated_to_where_it_waits(cleaned: Walked) -> None:
    report = replay(*cleaned)
    assert report.equal
    assert pending(RunFolder.open(cleaned[1], report.run), cleaned[1]).stage == "augmentation"


@pytest.mark.parametrize("artefact", ["clean_rows", "audit"])
def test_an_artefact_that_does_not_come_again_is_named(
    cleaned: Walked, tmp_path: Path, artefact: str
) -> None:
    """What a step that is not deterministic would look like: another hash is on record."""
    source = copied(cleaned, tmp_path)
    made = Trail(source).artifacts[artefact]
    source.events.write_text(
        source.events.read_text().replace(f'"{artefact}": "{made}"', f'"{artefact}": "{"0" * 64}"')
    )
    report = replay(source, tmp_path)
    step = {"clean_rows": "clean_rows", "audit": "audit_shortcuts"}[artefact]
    assert not report.equal
    assert report.first == (
        f"The artefact cleaning/1 {step} {artefact} differs: recorded {'0' * 12}, now {made[:12]}."
    )
    assert [row.name for row in report.rows if not row.same] == [f"cleaning/1 {step} {artefact}"]


def test_a_model_of_a_few_label_study_that_does_not_come_again(table: Path, tmp_path: Path) -> None:
    data = {"source": str(table), "label": "kind", "sample": {"per_class": 10, "draws": 2}}
    source = walk(tmp_path, small(table, data=data), approve, approve, approve, approve)
    made = Trail(source).artifacts["model/logistic_regression"]
    source.events.write_text(source.events.read_text().replace(made, "0" * 64))
    report = replay(source, tmp_path)
    differing = [row.name for row in report.rows if not row.same]
    assert differing == ["design/1 study_few_labels model/logistic_regression"]


def test_a_replay_stops_at_the_first_plan_that_is_another(cleaned: Walked, tmp_path: Path) -> None:
    source = copied(cleaned, tmp_path)
    spec = source.read()["spec"]
    spec["data"]["split"]["test"] = 0.4
    source.update(spec=spec, versions={"torch": "1.0"})
    report = replay(source, tmp_path)
    assert report.first is not None and report.first.startswith("The plan cleaning/1 differs")
    assert report.changes == ["~ split_rows.test: 0.5 -> 0.4"]
    assert any(words.startswith("torch: 1.0 -> ") for words in report.versions)
    stopped = RunFolder.open(tmp_path, report.run)
    assert stopped.read()["status"] == "paused"
    assert "clean_rows" not in Trail(stopped).numbers, "nobody had approved that plan"


def test_decisions_after_another_plan_are_not_carried_over(cleaned: Walked, tmp_path: Path) -> None:
    """A decision is of one plan: a later plan with the same digest must not be approved by it."""
    source = copied(cleaned, tmp_path)
    spec = source.read()["spec"]
    spec["requirements"]["target"] = 0.9  # the plan of cleaning would be the same
    source.update(spec=spec)
    report = replay(source, tmp_path)
    assert report.first is not None and "requirements/1 differs" in report.first
    assert "step.started" not in kinds(RunFolder.open(tmp_path, report.run))


def test_a_failure_that_was_mended_comes_again(tmp_path: Path, table: Path) -> None:
    mended = edit("split_rows.by", "row")
    acts = [approve, edit("split_rows.by", "time"), approve, mended, approve]
    source = walk(tmp_path, small(table), *acts)
    assert "step.failed" in kinds(source)
    report = replay(source, tmp_path)
    assert report.equal
    assert "step.failed" in kinds(RunFolder.open(tmp_path, report.run))


def test_a_run_that_waits_with_a_failure_is_repeated_to_it(tmp_path: Path, table: Path) -> None:
    source = create_run(tmp_path, small(table), "ask")
    acts = [approve, edit("split_rows.by", "time"), approve]
    with opened(source, tmp_path) as life_cycle, pytest.raises(InputError, match="carry no time"):
        life_cycle.advance(lambda plan: acts.pop(0)(plan) if acts else None)
    report = replay(source, tmp_path)
    assert report.equal
    assert (report.rows[-1].recorded, report.rows[-1].replayed) == ("failed", "failed")


def test_a_wish_that_could_not_be_comes_again(tmp_path: Path, table: Path) -> None:
    """A table has no folders to take labels from: the plan comes back, with the reason."""
    acts = [act("reject", note="labels by folder please"), approve]
    source = walk(tmp_path, small(table), *acts)
    assert replay(source, tmp_path).equal
    again = fork(source, tmp_path, "requirements", 2)
    assert "folder" in pending(again, tmp_path).failure
    assert again.read()["status"] == "failed"
    assert pending(fork(source, tmp_path, "cleaning"), tmp_path).version == 1


override = act("approve", override="the host is known there too")


def test_a_gate_closes_again_and_its_mend_is_taken(tmp_path: Path, hosts: Spec) -> None:
    source = walk(tmp_path, hosts, approve, edit("audit_shortcuts.masks", []), approve, approve)
    assert replay(source, tmp_path).equal
    waiting = pending(fork(source, tmp_path, "cleaning", 3), tmp_path)
    assert waiting.gate.startswith("client alone gives the label away")
    assert waiting.changes == ['~ audit_shortcuts.masks: [] -> ["addresses"]']


def test_what_was_overridden_is_overridden_again(tmp_path: Path, hosts: Spec) -> None:
    source = walk(tmp_path, hosts, approve, edit("audit_shortcuts.masks", []), approve, override)
    assert replay(source, tmp_path).equal
    forked = fork(source, tmp_path, "augmentation")
    with opened(forked, tmp_path) as life_cycle:
        assert "the host is known there too" in (notice(life_cycle.state()) or "")


def test_what_stopped_in_the_middle_of_a_step_is_no_record_of_a_whole(
    cleaned: Walked, tmp_path: Path
) -> None:
    source = copied(cleaned, tmp_path)
    lines = source.events.read_text().splitlines(keepends=True)
    cut = next(n for n, line in enumerate(lines) if '"step.started"' in line)
    source.events.write_text("".join(lines[:cut]))
    source.update(status="interrupted")
    with pytest.raises(InputError, match="has not ended") as caught:
        replay(source, tmp_path)
    assert f"netloop runs resume {source.id}" in caught.value.mend
    assert runs(tmp_path) == [source.id]


def test_a_run_of_another_graph_is_not_retraced(cleaned: Walked, tmp_path: Path) -> None:
    source = copied(cleaned, tmp_path)
    source.update(flow_version=99)
    with pytest.raises(NetloopError, match="another version"):
        replay(source, tmp_path)
    with pytest.raises(NetloopError, match="another version"):
        fork(source, tmp_path, "cleaning")


def test_a_replay_reads_captures_again(tmp_path: Path, table: Path) -> None:
    """The workspace keeps the rows of captures; taking those would prove nothing of them."""
    for name in ("web", "scan"):
        day = day_of_traffic(name, date(2025, 3, 3), 8, seed=0)
        write_pcap(tmp_path / "captures" / name / "day.pcap", day)
    captures = small(table, data={"source": str(tmp_path / "captures"), "label": "folder"})
    source = walk(tmp_path, captures, approve)
    first, second = (p.parent for p in sorted((tmp_path / "shards").rglob("rows.parquet")))
    first.rename(tmp_path / "shards" / "aside")
    second.rename(first)
    (tmp_path / "shards" / "aside").rename(second)
    misled = walk(tmp_path, captures, approve)
    assert Trail(misled).artifacts["rows"] != Trail(source).artifacts["rows"]
    report = replay(source, tmp_path)
    assert report.equal
    assert not (tmp_path / "runs" / report.run / "shards").exists()


# forks


def test_a_fork_waits_at_the_plan_and_nothing_was_done_twice(whole: Walked) -> None:
    source, workspace = whole
    before = snapshot(source)
    forked = fork(source, workspace, "design", 1)
    plan = pending(forked, workspace)
    assert (plan.stage, plan.version) == ("design", 1)
    assert plan.digest() == Trail(source).turns["design/1"].plan.digest()
    assert "step.finished" not in kinds(forked)
    assert kinds(forked).count("step.reused") == 5
    assert forked.read()["forked_from"] == {
        "run": source.id,
        "stage": "design",
        "version": 1,
        "test_read": True,
    }
    assert snapshot(source) == before


def test_a_fork_goes_on_from_there(whole: Walked) -> None:
    source, workspace = whole
    forked = fork(source, workspace, "operation")
    with opened(forked, workspace) as life_cycle:
        assert life_cycle.advance(approve_all) == "done"
        assert life_cycle.state()["artifacts"] == Trail(source).artifacts
    done = [e.data["tool"] for e in read_events(forked.events) if e.type == "step.finished"]
    assert done == ["write_report"], "the rest had been done before"
    assert forked.report.is_file()


def test_the_newest_version_is_forked_if_none_is_named(whole: Walked) -> None:
    assert fork(*whole, "design").read()["forked_from"]["version"] == 3


def test_the_answers_on_the_way_are_kept(whole: Walked) -> None:
    forked = Trail(fork(*whole, "cleaning"))
    assert forked.answers == Trail(whole[0]).answers != {}


def test_a_fork_of_a_fork_knows_that_the_test_was_read(whole: Walked, cleaned: Walked) -> None:
    first = fork(*whole, "design", 1)
    second = fork(first, whole[1], "cleaning", 1)
    assert "test" not in Trail(first).tested()
    assert "no untouched test any more" in fork_words(second.read())
    clean = fork_words(fork(*cleaned, "cleaning").read())
    assert clean == f"Forked from run {cleaned[0].id} at cleaning/1."
    assert fork_words(cleaned[0].read()) == ""


@pytest.mark.parametrize(("stage", "version"), [("design", None), ("cleaning", 7)])
def test_a_plan_that_never_was_cannot_be_forked(
    cleaned: Walked, stage: Any, version: int | None
) -> None:
    before = runs(cleaned[1])
    with pytest.raises(InputError, match=f"no plan {stage}") as caught:
        fork(*cleaned, stage, version)
    assert caught.value.mend == "It has: requirements/1, cleaning/1, augmentation/1."
    assert runs(cleaned[1]) == before


def test_a_run_that_another_process_holds_can_be_forked(cleaned: Walked) -> None:
    with cleaned[0].locked():
        assert pending(fork(*cleaned, "cleaning"), cleaned[1]).stage == "cleaning"


def test_artefacts_are_shared_on_one_disk_and_copied_to_another(
    cleaned: Walked, tmp_path: Path
) -> None:
    rows = Trail(cleaned[0]).artifacts["rows"]

    def file_of(run: RunFolder) -> os.stat_result:
        return (run.store.path(rows) / "rows.parquet").stat()

    assert file_of(fork(*cleaned, "cleaning")).st_ino == file_of(cleaned[0]).st_ino
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    elsewhere = memory / f"netloop-{os.getpid()}"
    try:
        away = file_of(fork(cleaned[0], elsewhere, "cleaning"))
        assert away.st_size == file_of(cleaned[0]).st_size
    finally:
        shutil.rmtree(elsewhere)


def test_data_that_have_changed_since_cannot_be_forked(tmp_path: Path, table: Path) -> None:
    own = tmp_path / "flows.csv"
    own.write_text(table.read_text())
    data = {"source": str(own), "label": "kind"}
    source = walk(tmp_path, small(table, data=data), approve, approve)
    own.write_text("\n".join(table.read_text().splitlines()[:200]))
    with pytest.raises(NetloopError, match="requirements/1 import_rows now makes another rows"):
        fork(source, tmp_path, "augmentation")
    assert runs(tmp_path) == [source.id], "nothing is left of it"
    report = replay(source, tmp_path)
    assert report.first is not None and "requirements/1 import_rows rows differs" in report.first


BUDGET = {"design": {"candidates": ["cnn"]}, "budget": {"minutes": 2}}


def test_a_plan_that_the_clock_would_change_is_forked_as_it_was(
    tmp_path: Path, table: Path
) -> None:
    """Epochs fit into a budget by the rate that was measured last: a fork keeps those approved."""
    source = walk(tmp_path, small(table, **BUDGET), approve, approve, approve)
    epochs = pending(source, tmp_path).steps[0].params["epochs"]
    (tmp_path / "rates.json").write_text('{"train_cnn": 0.05}')
    forked = pending(fork(source, tmp_path, "design"), tmp_path)
    assert forked.steps[0].params["epochs"] == epochs
    assert forked.steps[0].estimate.measured, "its price is that of today"
    report = replay(source, tmp_path)
    assert report.changes[0].startswith(f"~ train_cnn.epochs: {epochs} -> ")


def test_a_second_trial_that_a_review_asked_for_comes_again(tmp_path: Path, table: Path) -> None:
    moon = {
        "design": {"candidates": ["cnn"], "epochs": 2},
        "requirements": {"target": 0.999},
    }
    source = walk(tmp_path, small(table, **moon), *[approve] * 4)
    assert pending(source, tmp_path).version == 2
    forked = fork(source, tmp_path, "design")
    assert pending(forked, tmp_path).changes == pending(source, tmp_path).changes != []
    assert "step.finished" not in kinds(forked)


# a language model's answers


class Adviser(RulePlanner):
    """Proposes the test share that its run's record says a model named."""

    name = "adviser"

    def __init__(self, log: AnswerLog) -> None:
        self.log = log

    def propose(self, evidence: Evidence, feedback: Feedback | None, before: Plan | None) -> Plan:
        plan = super().propose(evidence, feedback, before)
        said = self.log.recorded(f"{evidence.stage}/{evidence.version}/propose")
        if evidence.stage != "cleaning" or said is None:
            return plan
        step = plan.steps[1]
        steps = [
            plan.steps[0],
            step.model_copy(update={"params": {**step.params, "test": float(said)}}),
        ]
        return plan.model_copy(update={"steps": [*steps, *plan.steps[2:]]})


def said(place: str, answer: str, number: int) -> Exchange:
    return Exchange(
        number=number,
        at="2026-11-20T18:19:24.000+00:00",
        place=place,
        attempt=1,
        model="double",
        method="json_schema",
        request_sha256="0" * 64,
        answer=answer,
        fault=None,
        tokens_in=100,
        tokens_out=10,
    )


@pytest.fixture
def advised(tmp_path: Path, table: Path) -> RunFolder:
    """A run whose second plan a model had a part in; it was asked five times in all."""
    source = create_run(tmp_path, small(table), "ask")
    log = answer_log(source)
    for number, (place, answer) in enumerate(
        [
            ("requirements/1/propose", "none"),
            ("cleaning/1/propose", "0.35"),
            ("cleaning/1/answer/77", "because"),
            ("cleaning/1/read", "good"),
            ("augmentation/1/propose", "none"),
        ]
    ):
        log.write(said(place, answer, number + 1))
    with opened(source, tmp_path, planner=Adviser(log)) as life_cycle:
        acts = [approve, approve]
        life_cycle.advance(lambda plan: acts.pop(0)(plan) if acts else None)
    assert Trail(source).turns["cleaning/1"].plan.steps[1].params["test"] == 0.35
    return source


def adviser(run: RunFolder, workspace: Path, recorded_only: bool) -> Planner:
    assert recorded_only, "a server may not be asked"
    return Adviser(answer_log(run))


def test_a_replay_takes_a_models_answers_from_the_record(
    advised: RunFolder, tmp_path: Path
) -> None:
    before = snapshot(advised)
    report = replay(advised, tmp_path, planner_of=adviser)
    assert report.equal
    assert replay(RunFolder.open(tmp_path, report.run), tmp_path, planner_of=adviser).equal
    assert snapshot(advised) == before
    without = replay(advised, tmp_path)
    assert without.changes == ["~ split_rows.test: 0.35 -> 0.5"]


def test_a_fork_takes_only_answers_that_were_given_on_the_way(
    advised: RunFolder, tmp_path: Path
) -> None:
    """Later answers are to a plan that may be decided otherwise now: they would be stale."""
    forked = fork(advised, tmp_path, "cleaning", planner_of=adviser)
    log = answer_log(forked)
    assert [e.place for e in log.exchanges] == ["requirements/1/propose", "cleaning/1/propose"]
    assert [e.number for e in log.exchanges] == [1, 2]
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert pending(forked, tmp_path).steps[1].params["test"] == 0.35
    cost = Trail(forked).cost()
    assert (cost.llm_calls, cost.tokens) == (2, 220)
    assert (
        len(answer_log(fork(advised, tmp_path, "augmentation", planner_of=adviser)).exchanges) == 5
    )


@pytest.fixture
def planned(tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run that a language model planned and answered for; its server is gone by now."""
    source = create_run(tmp_path, small(table), "ask")
    acts = [approve, act("ask", note="why that split?"), approve]
    with openai_double(PlannerDouble(cleaning={"test": 0.35})) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("NETLOOP_MODEL", "tiny")
        with opened(source, tmp_path, planner=planner_of(source, tmp_path)) as life_cycle:
            life_cycle.advance(lambda plan: acts.pop(0)(plan) if acts else None)
        assert len(server.requests) == len(answer_log(source).exchanges) == 4
    return source


def test_what_a_language_model_planned_is_replayed_without_it(
    planned: RunFolder, tmp_path: Path
) -> None:
    report = replay(planned, tmp_path)
    assert report.equal
    again = RunFolder.open(tmp_path, report.run)
    proposed = [turn.plan for turn in Trail(again).turns.values()]
    assert {plan.planner for plan in proposed} == {"the language model tiny"}
    assert proposed[1].steps[1].params["test"] == 0.35
    assert Trail(again).answers == Trail(planned).answers
    assert not again.egress.exists(), "nothing has left the machine"


def test_what_a_language_model_planned_is_forked_without_it(
    planned: RunFolder, tmp_path: Path
) -> None:
    forked = fork(planned, tmp_path, "augmentation")
    assert pending(forked, tmp_path).planner == "the language model tiny"
    assert len(answer_log(forked).exchanges) == 4
    assert len(answer_log(fork(planned, tmp_path, "cleaning")).exchanges) == 2
    assert not forked.egress.exists()


# kills, and records that are not whole


@pytest.mark.parametrize("how", ["replay", "fork"])
def test_a_kill_leaves_a_run_that_can_be_resumed(cleaned: Walked, tmp_path: Path, how: str) -> None:
    source = copied(cleaned, tmp_path)
    before = snapshot(source)
    script = f"""
        import os, signal
        from pathlib import Path
        import agents.workbench as workbench
        from agents.retrace import fork, replay
        from pipelines.store.run import RunFolder
        real = workbench.call
        def dying(tool, *rest):
            if tool.name == "split_rows":
                os.kill(os.getpid(), signal.SIGKILL)
            return real(tool, *rest)
        workbench.call = dying
        workspace = Path({str(tmp_path)!r})
        run = RunFolder.open(workspace, {source.id!r})
        {"replay(run, workspace)" if how == "replay" else "fork(run, workspace, 'augmentation')"}
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert snapshot(source) == before
    (left,) = [run for run in RunFolder.all(tmp_path) if run.id != source.id]
    with opened(left, tmp_path) as life_cycle:
        assert left.read()["status"] == "interrupted"
        assert life_cycle.advance(nobody) == "paused"
    assert Trail(left).artifacts == Trail(source).artifacts


def test_an_interrupted_fork_leaves_nothing(cleaned: Walked, tmp_path: Path) -> None:
    source = copied(cleaned, tmp_path)

    def stop(*told: Any) -> Planner:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fork(source, tmp_path, "cleaning", planner_of=stop)
    assert runs(tmp_path) == [source.id]


def test_of_two_decisions_on_one_plan_the_later_took_effect() -> None:
    """A kill between the record and the step leaves a decision that nobody acted on."""
    plan = Plan(stage="design", planner="rules", summary="")
    turn = Turn(plan)
    asked = act("ask", note="why?")(plan)
    for decision in (asked, approve(plan), act("reject", note="no")(plan)):
        turn.decide(decision)
    assert [d.action for d in turn.decisions] == ["ask", "reject"]
    assert not turn.waits()
    assert Turn(plan, [asked]).waits()


def test_a_run_with_a_torn_last_line_is_read(cleaned: Walked, tmp_path: Path) -> None:
    source = copied(cleaned, tmp_path)
    with source.events.open("a") as file:
        file.write('{"v": 1, "type": "plan.dec')
    assert Trail(source).turns.keys() == Trail(cleaned[0]).turns.keys()


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ('"stage": "cleaning"', '"stage": "x"', "stage: input should be 'requirements', "),
        ('"artifacts": ', '"made": ', "artifacts is not there"),
        ('"plan.proposed"', '"run.resumed"', "requirements/1 is not there"),
    ],
)
def test_a_damaged_record_is_a_sentence(
    cleaned: Walked, tmp_path: Path, written: str, instead: str, said: str
) -> None:
    source = copied(cleaned, tmp_path)
    source.events.write_text(source.events.read_text().replace(written, instead))
    with pytest.raises(NetloopError, match=r"events\.jsonl cannot be read") as caught:
        Trail(source)
    assert said in caught.value.message
    assert "\n" not in caught.value.message
