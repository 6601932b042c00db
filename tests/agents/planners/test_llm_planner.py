"""The planner that asks a language model: real HTTP, a real ChatOpenAI, a scripted model."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai_double import OpenAIDouble, openai_double
from planner_double import PlannerDouble, kind_of, told

from agents.budget import BudgetSpent
from agents.checkpoints import Decision, Plan
from agents.life_cycle import LifeCycle, create_run, opened
from agents.planners.choose import planner_of
from agents.planners.llm.speech import hidden
from agents.planners.rules import RulePlanner
from agents.policy import approve_all
from agents.spec import Spec
from agents.wall.names import Names
from pipelines.errors import InputError
from pipelines.store.events import read_events

MakeSpec = Callable[..., Spec]
CNN = {"candidates": ["majority", "logistic_regression", "cnn"], "epochs": 2}


class Walk:
    """Runs over the small table with a model behind a real server."""

    def __init__(self, server: OpenAIDouble, workspace: Path, make: MakeSpec) -> None:
        self.server = server
        self.workspace = workspace
        self.make = make

    @contextmanager
    def run(self, **parts: Any) -> Iterator[LifeCycle]:
        run = create_run(self.workspace, self.make(**parts), "ask")
        with opened(run, self.workspace, planner=planner_of(run, self.workspace)) as life_cycle:
            yield life_cycle

    def again(self, life_cycle: LifeCycle) -> Any:
        return opened(
            life_cycle.run, self.workspace, planner=planner_of(life_cycle.run, self.workspace)
        )


@pytest.fixture
def walk(tmp_path: Path, spec: MakeSpec, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    @contextmanager
    def begin(double: PlannerDouble, **server_parts: Any) -> Iterator[Walk]:
        with openai_double(double, **server_parts) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789")
            monkeypatch.setenv("NETLOOP_MODEL", "tiny")
            yield Walk(server, tmp_path, spec)

    return begin


def until(stage: str, version: int = 1) -> Callable[[Plan], Decision | None]:
    """Approves every plan before that one."""

    def decide(plan: Plan) -> Decision | None:
        return None if (plan.stage, plan.version) == (stage, version) else approve_all(plan)

    return decide


def pending(life_cycle: LifeCycle) -> Plan:
    plan = life_cycle.pending()
    assert plan is not None
    return plan


def step(plan: Plan, tool: str) -> dict[str, Any]:
    return next(step.params for step in plan.steps if step.tool == tool)


def test_a_whole_life_cycle(walk: Any) -> None:
    double = PlannerDouble()
    with walk(double) as there, there.run() as life_cycle:
        assert life_cycle.advance(approve_all) == "done"
        events = read_events(life_cycle.run.events)
        plans = [event.data["plan"] for event in events if event.type == "plan.proposed"]
        assert [plan["planner"] for plan in plans] == ["the language model tiny"] * 5
        assert all(plan["against_default"] == [] for plan in plans[1:])
        reviews = life_cycle.state()["reviews"]
        assert reviews["design/1"].reading == ["The two best models are close."]
        assert reviews["cleaning/1"].reading == [], "two stages are worth a reading"
    assert double.asked == [
        "requirements", "cleaning", "augmentation", "design", "reading", "operation", "reading",
    ]  # fmt: skip


def test_the_rules_plan_where_no_model_is_named(
    tmp_path: Path, spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NETLOOP_MODEL", raising=False)
    assert isinstance(planner_of(create_run(tmp_path, spec(), "ask"), tmp_path), RulePlanner)
    wants_one = create_run(tmp_path, spec(planner="llm"), "ask")
    with pytest.raises(InputError, match="NETLOOP_MODEL"):
        planner_of(wants_one, tmp_path)
    monkeypatch.setenv("NETLOOP_MODEL", "tiny")
    wants_none = create_run(tmp_path, spec(planner="rules"), "ask")
    assert isinstance(planner_of(wants_none, tmp_path), RulePlanner)


def test_requirements_are_read_in_the_goal_and_three_questions_asked(walk: Any) -> None:
    questions = [
        {"about": "max_false_positive_rate", "text": "How many false alarms?", "why": "They tire."},
        {"about": "max_latency_ms", "text": "How fast?", "why": "A gateway is short of time."},
        {"about": "runs_on", "text": "Where does it run?", "why": "It bounds the model."},
    ]
    said = {
        "analysis": "Attacks among normal records.", "task": "MTD",
        "target": 0.9, "questions": questions,
    }  # fmt: skip
    with walk(PlannerDouble(requirements=said)) as there, there.run() as life_cycle:
        life_cycle.advance(lambda plan: None)
        plan = pending(life_cycle)
        recorded = step(plan, "record_requirements")
        assert plan.notes == []
        assert (recorded["task"], recorded["target"]) == ("MTD", 0.9)
        asked = [question.id.split(".")[1] for question in plan.questions]
        assert asked == ["max_false_positive_rate", "max_latency_ms", "runs_on"]
        answers = {
            "record_requirements.max_latency_ms": "20",
            "record_requirements.runs_on": "gateway",
            "record_requirements.max_false_positive_rate": "1%",
        }
        assert "~ record_requirements.target: null -> 0.9" in plan.against_default
        yes = Decision(action="approve", plan=plan.digest(), answers=answers)
        life_cycle.advance(lambda plan: yes if plan.stage == "requirements" else None)
        numbers = life_cycle.state()["numbers"]["record_requirements"]
        assert (numbers["max_latency_ms"], numbers["runs_on"]) == (20, "gateway")
        assert numbers["max_false_positive_rate"] == 0.01


def test_what_the_spec_says_is_not_the_models_to_change(walk: Any) -> None:
    said = {"target": 0.1, "metric": "accuracy", "llm_sees": "schema"}
    wanted = {"requirements": {"target": 0.7, "metric": "macro_f1"}}
    with walk(PlannerDouble(requirements=said)) as there, there.run(**wanted) as life_cycle:
        life_cycle.advance(lambda plan: None)
        recorded = step(pending(life_cycle), "record_requirements")
    assert (recorded["target"], recorded["metric"]) == (0.7, "macro_f1")
    assert recorded["llm_sees"] == "schema"


def test_a_goal_that_is_no_detection_is_told(walk: Any) -> None:
    double = PlannerDouble(requirements={"task": "none"})
    with walk(double) as there, there.run(goal="bake a cake") as life_cycle:
        life_cycle.advance(lambda plan: None)
        assert "no detection task" in pending(life_cycle).notes[0]


@pytest.mark.parametrize(
    ("stage", "said", "complaint"),
    [
        ("requirements", {"llm_sees": "raw"}, "never widened"),
        ("requirements", {"benign": ["class_77"]}, "no such name"),
        ("cleaning", {"masks": ["ttl"]}, "you may only hide more"),
        ("cleaning", {"filters": [{"name": "all_rows", "why": "x"}]}, "no filter"),
        ("cleaning", {"split_by": "fixed"}, "set by the person"),
        ("augmentation", {"rows_per_real_row": 2.0}, "it is 0"),
        ("augmentation", {"label_more": ["class_9"]}, "no such name"),
        ("design", {"candidates": ["cnn"]}, "the baselines stay"),
        ("design", {"candidates": ["majority", "logistic_regression", "gpt"]}, "no model"),
        ("design", {"network": "own"}, "give a specification"),
        ("operation", {"model": "hal9000"}, "choose one of"),
    ],
)
def test_what_is_out_of_bounds_is_asked_again_with_the_error_and_then_left_to_the_rules(
    walk: Any, stage: str, said: dict[str, Any], complaint: str
) -> None:
    with walk(PlannerDouble(**{stage: said})) as there, there.run() as life_cycle:
        life_cycle.advance(until(stage))
        plan = pending(life_cycle)
        asked = [r for r in there.server.requests if kind_of(r.json) == stage]
    assert plan.planner == "rules" and plan.against_default == []
    assert "The rules proposed this" in plan.notes[0]
    assert len(asked) == 3, "twice asked again"
    assert complaint in asked[1].words


def test_a_model_that_mends_its_answer_is_taken_at_its_word(walk: Any) -> None:
    tries = iter([{"model": "hal9000"}, {"model": "majority", "why": "It is cheaper."}])
    double = PlannerDouble()

    def reply(request: dict[str, Any]) -> str:
        if kind_of(request) == "operation":
            double.changes["operation"] = next(tries)
        return double(request)

    with walk(reply) as there, there.run() as life_cycle:
        life_cycle.advance(until("operation"))
        plan = pending(life_cycle)
    assert step(plan, "package_detector")["model"] == "majority"
    assert step(plan, "evaluate_models")["best"] == "majority"
    assert any("package_detector.model" in line for line in plan.against_default)
    assert plan.summary == "It is cheaper."


def test_more_masks_and_another_filter(walk: Any) -> None:
    with walk(PlannerDouble()) as there, there.run() as life_cycle:
        life_cycle.advance(until("cleaning"))
        masks = step(pending(life_cycle), "audit_shortcuts")["masks"]
    said = {"masks": [*masks, "sizes"], "masks_why": "Lengths come from the lab."}
    with walk(PlannerDouble(cleaning=said)) as there, there.run() as life_cycle:
        life_cycle.advance(until("cleaning"))
        plan = pending(life_cycle)
        assert set(step(plan, "audit_shortcuts")["masks"]) == {*masks, "sizes"}
        reasons = next(s.reasons for s in plan.steps if s.tool == "audit_shortcuts")
        assert reasons["masks"] == "the model: Lengths come from the lab."


def test_only_recent_rows(walk: Any) -> None:
    """A number of days becomes the filter; the names of filters alone cannot bring it in."""
    said = {"last_days": 2.5, "judgement": "Older traffic is of another network."}
    with walk(PlannerDouble(cleaning=said)) as there, there.run() as life_cycle:
        life_cycle.advance(until("cleaning"))
        plan = pending(life_cycle)
        filters = step(plan, "clean_rows")["filters"]
        assert filters[0] == {"name": "old_rows", "params": {"days": 2.5}}
        reasons = next(s.reasons for s in plan.steps if s.tool == "clean_rows")
        assert "Older traffic is of another network." in reasons["filters"]


def test_its_network_is_trained_beside_the_default_one(walk: Any) -> None:
    own = {
        "network": "own",
        "own": {"columns": [{"width": 8, "kernel": 3}], "head": 16, "pooling": "max"},
    }
    with walk(PlannerDouble(design=own)) as there, there.run(design=CNN) as life_cycle:
        life_cycle.advance(until("design"))
        plan = pending(life_cycle)
        assert [s.tool for s in plan.steps] == ["train_baselines", "train_cnn", "train_cnn"]
        assert plan.steps[1].params["architecture"] is None
        assert plan.steps[2].params["architecture"]["head"] == 16
        assert plan.against_default == ["+ train_cnn#2: new"]
        assert life_cycle.advance(until("operation")) == "paused"
        assert "train_cnn#2" in life_cycle.state()["numbers"]


def test_a_network_that_cannot_be_is_asked_again(walk: Any) -> None:
    own = {"network": "own", "own": {"head": 10**9}}
    with walk(PlannerDouble(design=own)) as there, there.run(design=CNN) as life_cycle:
        life_cycle.advance(until("design"))
        assert pending(life_cycle).planner == "rules"
        asked = [r for r in there.server.requests if kind_of(r.json) == "design"]
    assert "4096" in asked[1].words


def test_it_reads_the_curves_and_asks_for_another_trial(walk: Any) -> None:
    """The first reading asks for it; the second does not; the person says yes to each trial."""
    again = iter([True, False, False])
    double = PlannerDouble()

    def reply(request: dict[str, Any]) -> str:
        if kind_of(request) == "reading":
            double.changes["reading"] = {"again": next(again), "again_why": "Loss still falls."}
        if kind_of(request) == "design" and "train_cnn" in told(request, "Evidence: ")["numbers"]:
            change = {"curves": "Loss still falls.", "network": "small", "cnn_epochs": 3}
            double.changes["design"] = change
        return double(request)

    limits = {"design": {**CNN, "epochs": None}}
    with walk(reply) as there, there.run(**limits) as life_cycle:
        life_cycle.advance(until("design", 2))
        plan = pending(life_cycle)
        assert [s.tool for s in plan.steps] == ["train_cnn"]
        assert plan.summary.startswith("Loss still falls.")
        assert plan.steps[0].params["epochs"] == 3
        assert life_cycle.state()["reviews"]["design/1"].back_to == "design"
        assert life_cycle.advance(until("operation")) == "paused"


def test_a_person_s_reason_reaches_the_model_and_the_change_needs_its_own_yes(walk: Any) -> None:
    double = PlannerDouble()
    with walk(double) as there, there.run() as life_cycle:
        life_cycle.advance(until("operation"))
        first = pending(life_cycle)
        double.changes["operation"] = {"model": "majority", "why": "As you ask."}
        no = Decision(action="reject", plan=first.digest(), note="take the cheapest")
        life_cycle.advance(lambda plan: no if plan.digest() == first.digest() else None)
        plan = pending(life_cycle)
        said = there.server.requests[-1].words
    assert "The person says: take the cheapest" in said
    assert plan.version == 2
    assert any("package_detector.model" in line for line in plan.changes)


def test_a_question_is_answered_from_the_evidence(walk: Any) -> None:
    pieces: list[str] = []
    double = PlannerDouble(answer="The forest is as good as any.")
    with walk(double) as there, there.run() as life_cycle:
        life_cycle.bench.planner.on_piece = pieces.append
        life_cycle.advance(until("operation"))
        plan = pending(life_cycle)
        why = Decision(action="ask", plan=plan.digest(), note="why not the forest?")
        once = iter([why])
        life_cycle.advance(lambda plan: next(once, None))
        answer = life_cycle.state()["history"]["operation/1"].answer
        assert pending(life_cycle).digest() == plan.digest()
    assert answer == "The forest is as good as any."
    assert "".join(pieces) == answer and len(pieces) > 1


def test_what_is_streamed_says_the_data_s_own_names(walk: Any, tmp_path: Path) -> None:
    table = tmp_path / "odd.csv"
    rows = [f"{i},{i % 7},{'Zorbl' if i % 2 else 'normal'}" for i in range(200)]
    table.write_text("\n".join(["a,b,kind", *rows]) + "\n")
    pieces: list[str] = []
    double = PlannerDouble(answer="Few rows of class_1 are left, class_1.")
    data = {"source": str(table), "label": "kind"}
    with walk(double) as there, there.run(data=data) as life_cycle:
        life_cycle.bench.planner.on_piece = pieces.append
        life_cycle.advance(until("augmentation"))
        plan = pending(life_cycle)
        once = iter([Decision(action="ask", plan=plan.digest(), note="why?")])
        life_cycle.advance(lambda plan: next(once, None))
    assert "".join(pieces) == "Few rows of Zorbl are left, Zorbl."
    assert len(pieces) > 2


def test_a_question_to_a_server_that_is_gone_is_answered_by_the_plan_s_reasons(walk: Any) -> None:
    with walk(PlannerDouble(), default="auth") as there, there.run() as life_cycle:
        life_cycle.advance(lambda plan: None)
        plan = pending(life_cycle)
        asked = iter([Decision(action="ask", plan=plan.digest(), note="why macro_f1 as metric?")])
        life_cycle.advance(lambda plan: next(asked, None))
        answer = life_cycle.state()["history"]["requirements/1"].answer
        assert "every class counts the same" in answer
        assert "The rules proposed this" in answer
        assert len(there.server.requests) == 1, "a key that is refused is refused for good"


def test_the_cap_is_kept_and_a_raised_one_goes_on(walk: Any) -> None:
    with walk(PlannerDouble()) as there:
        with there.run(budget={"llm_calls": 2}) as life_cycle:
            with pytest.raises(BudgetSpent) as spent:
                life_cycle.advance(approve_all)
            assert spent.value.what == "llm_calls"
            assert len(there.server.requests) == 2, "the third was never sent"
            assert life_cycle.run.read()["status"] == "budget"
            life_cycle.raise_budget("llm_calls", 50)
        with there.again(life_cycle) as life_cycle:
            assert life_cycle.advance(approve_all) == "done"
            history = life_cycle.state()["history"].values()
            assert not [record.plan.notes for record in history if record.plan.notes]
    assert [kind_of(r.json) for r in there.server.requests][:3] == [
        "requirements", "cleaning", "augmentation",
    ]  # fmt: skip


def test_a_resumed_run_asks_nothing_twice(walk: Any) -> None:
    with walk(PlannerDouble()) as there:
        with there.run() as life_cycle:
            life_cycle.advance(until("design"))
            before = len(there.server.requests)
            (life_cycle.run.checkpoints).unlink()  # as if killed before anything was kept
        life_cycle.run.update(status="interrupted")
        with there.again(life_cycle) as again:
            again.advance(until("design"))
        assert len(there.server.requests) == before


def test_names_of_the_data_come_back_in_what_a_person_reads(walk: Any, tmp_path: Path) -> None:
    table = tmp_path / "odd.csv"
    rows = [f"{i},{i % 7},{'Zorbl<b>' if i % 2 else 'normal'}" for i in range(200)]
    table.write_text("\n".join(["a,b,kind", *rows]) + "\n")
    said = {"judgement": "class_1 is short of rows.", "label_more": ["class_1"]}
    with walk(PlannerDouble(augmentation=said)) as there:
        with there.run(data={"source": str(table), "label": "kind"}) as life_cycle:
            life_cycle.advance(until("augmentation"))
            plan = pending(life_cycle)
        assert all("Zorbl" not in request.words for request in there.server.requests)
    assert plan.summary.startswith("None. Zorbl<b> is short of rows. Label more rows of Zorbl<b> (")


@pytest.mark.parametrize("sees", ["schema", "stats", "redacted", "raw"])
def test_every_level_carries_a_run(walk: Any, sees: str) -> None:
    with walk(PlannerDouble()) as there, there.run(llm_sees=sees) as life_cycle:
        assert life_cycle.advance(approve_all) == "done"
        cleaning = next(r for r in there.server.requests if kind_of(r.json) == "cleaning")
        evidence = told(cleaning.json, "Evidence: ")
    assert ("records" in evidence) == (sees in ("redacted", "raw"))
    assert ('"rows":' in json.dumps(evidence)) == (sees != "schema")


def test_requirements_that_allow_less_are_obeyed_from_there_on(walk: Any) -> None:
    double = PlannerDouble(requirements={"llm_sees": "schema"})
    with walk(double) as there, there.run(llm_sees="raw") as life_cycle:
        life_cycle.advance(until("augmentation"))
        plans = {kind_of(r.json): told(r.json, "Evidence: ") for r in there.server.requests}
    assert "records" not in plans["cleaning"]
    assert '"rows":' not in json.dumps(plans["cleaning"])


def test_requirements_cannot_allow_more_than_the_spec(walk: Any) -> None:
    with walk(PlannerDouble()) as there, there.run(llm_sees="schema") as life_cycle:
        life_cycle.advance(lambda plan: None)
        plan = pending(life_cycle)
        wider = Decision(
            action="edit", plan=plan.digest(), edits={"record_requirements.llm_sees": "raw"}
        )
        once = iter([wider])
        life_cycle.advance(
            lambda plan: (
                next(once, None) or (approve_all(plan) if plan.stage == "requirements" else None)
            )
        )
        cleaning = next(r for r in there.server.requests if kind_of(r.json) == "cleaning")
    assert "records" not in told(cleaning.json, "Evidence: ")


def test_a_raised_cap_holds_at_once_for_whoever_is_at_work(walk: Any) -> None:
    with walk(PlannerDouble()) as there, there.run(budget={"llm_calls": 1}) as life_cycle:
        with pytest.raises(BudgetSpent):
            life_cycle.advance(approve_all)
        life_cycle.raise_budget("llm_calls", 2)
        with pytest.raises(BudgetSpent, match="2 requests"):
            life_cycle.advance(approve_all)
        assert len(there.server.requests) == 2
        life_cycle.use_rules()
        assert life_cycle.advance(approve_all) == "done"
        assert len(there.server.requests) == 2


def test_what_rules_cannot_read_is_asked_of_the_model(walk: Any) -> None:
    said = {"kind": "reject", "words": "fewer epochs than thirty"}
    with walk(PlannerDouble(intent=said)) as there, there.run() as life_cycle:
        planner = life_cycle.bench.planner
        found = planner.understand("dreissig sind mir zu viel", "stage design, version 1")
        again = planner.understand("dreissig sind mir zu viel", "stage design, version 1")
        assert len(there.server.requests) == 1
    assert (found.kind, found.words) == ("reject", "fewer epochs than thirty")
    assert again == found


def test_a_model_that_cannot_say_what_was_meant_leaves_it_unclear(walk: Any) -> None:
    with walk(PlannerDouble(), default="refusal") as there, there.run() as life_cycle:
        assert life_cycle.bench.planner.understand("hm", "stage design").kind == "unclear"
        assert there.server.requests


def test_a_person_s_words_are_hidden_word_by_word_and_numbers_stay() -> None:
    names = Names({"class": ["0", "1", "2", "Zorbl", "Zorbl attack"]})
    assert hidden("use 10 epochs, test 0.2", names) == "use 10 epochs, test 0.2"
    said = hidden("drop Zorbl attack, not Zorbls; Zorbl stays", names)
    one, both = names.safe("class", "Zorbl"), names.safe("class", "Zorbl attack")
    assert said == f"drop {both}, not Zorbls; {one} stays"


def test_a_class_that_is_not_there_ends_no_revision(walk: Any) -> None:
    """A person's typo in a plan is a name like others."""
    with walk(PlannerDouble()) as there, there.run() as life_cycle:
        life_cycle.advance(lambda plan: None)
        plan = pending(life_cycle)
        typo = Decision(
            action="edit", plan=plan.digest(), edits={"record_requirements.benign": ["nosuch"]}
        )
        once = iter([typo])
        life_cycle.advance(lambda plan: next(once, None))
        plan = pending(life_cycle)
        no = iter([Decision(action="reject", plan=plan.digest(), note="ask me less")])
        life_cycle.advance(lambda plan: next(no, None))
        assert pending(life_cycle).version == 3


# --- rows that the model writes ------------------------------------------------------------------

STUDY = {"arms": ["llm"], "amounts": [1], "models": ["majority"], "per_class": 4, "draws": 6}


def asked_for_rows(there: Any) -> list[Any]:
    return [r for r in there.server.requests if kind_of(r.json) == "rows"]


@pytest.mark.parametrize(("sees", "shown"), [("stats", 0), ("redacted", 4)])
def test_the_model_writes_rows_for_the_study(walk: Any, sees: str, shown: int) -> None:
    """Six draws of two classes, four rows of each: a request a class and draw."""
    with walk(PlannerDouble()) as there:
        with there.run(augmentation=STUDY, llm_sees=sees) as life_cycle:
            life_cycle.advance(until("design"))
            found = life_cycle.state()["numbers"]["explore_arms"]
        requests = asked_for_rows(there)
    assert found["draws"] == 6
    assert len(requests) == 12
    assert {len(told(request.json, "Examples: ")) for request in requests} == {shown}


def test_rows_that_were_written_are_not_asked_for_again(walk: Any) -> None:
    """The budget ends in the middle of the study; with more of it only the rest is asked."""
    limits = {"augmentation": STUDY, "budget": {"llm_calls": 8}, "llm_sees": "redacted"}
    with walk(PlannerDouble()) as there:
        with there.run(**limits) as life_cycle:
            with pytest.raises(BudgetSpent):
                life_cycle.advance(until("design"))
            assert len(there.server.requests) == 8
            before = len(asked_for_rows(there))
            life_cycle.raise_budget("llm_calls", 40)
            life_cycle.advance(until("design"))
            assert "explore_arms" in life_cycle.state()["numbers"]
        rows = asked_for_rows(there)
    assert 0 < before < 12
    assert len(rows) == 12
    assert len({request.words for request in rows}) == 12


def test_at_schema_the_study_says_why_it_cannot_be(walk: Any) -> None:
    with walk(PlannerDouble()) as there:
        with (
            there.run(augmentation=STUDY, llm_sees="schema") as life_cycle,
            pytest.raises(InputError, match="may see no numbers"),
        ):
            life_cycle.advance(until("design"))
        assert asked_for_rows(there) == []
