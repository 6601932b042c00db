"""The gate: a leak stops a run before anything is trained; who goes on is written down."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.checkpoints import Decision, Plan
from agents.life_cycle import LifeCycle, create_run, opened
from agents.output import run_output
from agents.policy import Policy, approve_all
from agents.spec import Spec
from pipelines.errors import InputError, NetloopError
from pipelines.store.events import read_events
from tools.report import build_report

MakeSpec = Callable[..., Spec]
BLAMED = (
    "client alone gives the label away (accuracy 1.000, majority class 0.500) and models see it: "
    "mask addresses."
)


@pytest.fixture
def hosts(tmp_path: Path) -> dict[str, Any]:
    """A table in which every class has a host of its own, and noise besides."""
    lines = ["client,noise,kind"] + [f"{n % 2},{n * 7 % 13},{'ab'[n % 2]}" for n in range(200)]
    (tmp_path / "clients.csv").write_text("\n".join(lines))
    return {
        "source": str(tmp_path / "clients.csv"),
        "label": "kind",
        "columns": {"groups": {"client": "addresses"}},
    }


@pytest.fixture
def start(tmp_path: Path, spec: MakeSpec, hosts: dict[str, Any]) -> Callable[..., Any]:
    """Open a new run over the hosts: ``with start(masks=[])``."""

    @contextlib.contextmanager
    def begin(**data: Any) -> Iterator[LifeCycle]:
        run = create_run(tmp_path, spec(data={**hosts, **data}), "ask")
        with opened(run, tmp_path) as life_cycle:
            yield life_cycle

    return begin


def unmask(plan: Plan) -> Decision:
    return Decision(action="edit", plan=plan.digest(), edits={"audit_shortcuts.masks": []})


def approve(plan: Plan) -> Decision:
    return Decision(action="approve", plan=plan.digest())


def override(plan: Plan) -> Decision:
    return Decision(action="approve", plan=plan.digest(), override="the host is known there too")


def answers(*actions: Callable[[Plan], Decision]) -> Callable[[Plan], Decision | None]:
    waiting = list(actions)
    return lambda plan: waiting.pop(0)(plan) if waiting else None


def pending(life_cycle: LifeCycle) -> Plan:
    plan = life_cycle.pending()
    assert plan is not None
    return plan


def events(life_cycle: LifeCycle, kind: str) -> list[dict[str, Any]]:
    return [e.data for e in read_events(life_cycle.run.events) if e.type == kind]


def trained(life_cycle: LifeCycle) -> bool:
    return any(e["tool"] == "train_baselines" for e in events(life_cycle, "step.started"))


def test_without_a_leak_nothing_is_asked(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        assert life_cycle.advance(approve_all) == "done"
        assert events(life_cycle, "gate.overridden") == []
        assert {e["plan"]["gate"] for e in events(life_cycle, "plan.proposed")} == {""}


def test_a_leak_brings_the_plan_back_with_its_mend(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        life_cycle.advance(answers(approve, unmask, approve))
        plan = pending(life_cycle)
        assert (plan.stage, plan.version, plan.failure) == ("cleaning", 3, "")
        assert plan.gate == BLAMED
        assert plan.changes == ['~ audit_shortcuts.masks: [] -> ["addresses"]']
        assert plan.summary.startswith("Mended as the audit asks.")
        assert "the audit" in plan.steps[2].reasons["masks"]
        life_cycle.advance(answers(approve))
        assert pending(life_cycle).stage == "augmentation"
        assert pending(life_cycle).gate == ""


def test_auto_mends_once_and_goes_on(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        life_cycle.advance(answers(approve, unmask, approve))
        assert life_cycle.advance(approve_all) == "done"
        masks = [e["masks"] for e in map(numbers, audits(life_cycle))]
        assert masks == [[], ["addresses"]]
        assert run_output(life_cycle.run, life_cycle.state(), None).notice is None


def audits(life_cycle: LifeCycle) -> list[dict[str, Any]]:
    return [e for e in events(life_cycle, "step.finished") if e["tool"] == "audit_shortcuts"]


def numbers(event: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = event["numbers"]
    return found


def test_a_leak_that_comes_again_stops_whoever_is_no_person(start: Callable[..., Any]) -> None:
    policy = Policy.model_validate({"rules": [{"decide": "approve"}]})
    with start() as life_cycle:
        life_cycle.advance(answers(approve, unmask, approve, unmask, approve))
        plan = pending(life_cycle)
        assert (plan.version, plan.failure) == (5, BLAMED)
        for decide in (approve_all, policy.decide):
            with pytest.raises(NetloopError, match="Nothing was trained") as caught:
                life_cycle.advance(decide)
            assert caught.value.exit_code == 1
            assert "--override" in caught.value.mend and "accept_shortcuts" in caught.value.mend
            assert life_cycle.run.read()["status"] == "failed"
        assert life_cycle.advance(lambda plan: None) == "paused", "a person is waited for"
        assert not trained(life_cycle)


def test_who_insists_without_an_override_never_gets_through(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        life_cycle.advance(answers(approve, *[unmask, approve] * 6))
        assert pending(life_cycle).stage == "cleaning"
        assert not trained(life_cycle)


@pytest.mark.parametrize("masks", [[], ["ports"]])
def test_masks_that_the_spec_names_are_not_changed_without_a_person(
    start: Callable[..., Any], masks: list[str]
) -> None:
    with start(masks=masks) as life_cycle:
        with pytest.raises(NetloopError, match="client alone gives the label away"):
            life_cycle.advance(approve_all)
        plan = pending(life_cycle)
        assert plan.version == 2 and plan.failure == BLAMED
        assert plan.steps[2].params["masks"] == sorted([*masks, "addresses"]), "the mend is there"
        assert len(audits(life_cycle)) == 1 and not trained(life_cycle)
        life_cycle.advance(answers(approve))
        assert pending(life_cycle).stage == "augmentation", "a person may take the mend"


def test_a_person_overrides_and_everything_says_so(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        life_cycle.advance(answers(approve, unmask, approve, override))
        assert pending(life_cycle).stage == "augmentation"
        assert events(life_cycle, "gate.overridden") == [
            {
                "stage": "cleaning",
                "found": BLAMED,
                "reason": "the host is known there too",
                "by": "person",
            }
        ]
        assert len(audits(life_cycle)) == 1, "the mended plan did not run"
        assert life_cycle.advance(approve_all) == "done"
        best = life_cycle.state()["numbers"]["evaluate_models"]["best"]
        assert best == "logistic_regression"
        output = run_output(life_cycle.run, life_cycle.state(), None)
        said = (
            f"This number was accepted although the audit found a leak: {BLAMED} "
            "Overridden by a person: the host is known there too"
        )
        assert output.notice == said
        assert next(iter(json.loads(output.model_dump_json()))) == "notice", "it comes first"
        assert build_report(life_cycle.run).override == said
        page = life_cycle.run.report.read_text()
        assert page.index("This number was accepted") < page.index("logistic_regression reaches")


def test_the_models_saw_what_the_override_let_through(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        life_cycle.advance(answers(approve, unmask, approve, override))
        life_cycle.advance(approve_all)
        scores = life_cycle.state()["numbers"]["train_baselines"]["validation"]
        assert scores["logistic_regression"] == 1.0


def test_a_spec_can_take_responsibility(start: Callable[..., Any]) -> None:
    with start(masks=[], accept_shortcuts="a test of the report") as life_cycle:
        assert life_cycle.advance(approve_all) == "done"
        (event,) = events(life_cycle, "gate.overridden")
        assert (event["by"], event["reason"]) == ("spec", "a test of the report")
        notice = run_output(life_cycle.run, life_cycle.state(), None).notice
        assert notice is not None and notice.endswith(
            "Overridden by the spec: a test of the report"
        )
        assert build_report(life_cycle.run).override == notice


def test_a_spec_that_accepts_what_is_not_there_changes_nothing(start: Callable[..., Any]) -> None:
    with start(accept_shortcuts="just in case") as life_cycle:
        assert life_cycle.advance(approve_all) == "done"
        assert run_output(life_cycle.run, life_cycle.state(), None).notice is None
        assert build_report(life_cycle.run).override == ""


def test_there_is_nothing_to_override_where_nothing_was_stopped(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        with pytest.raises(InputError, match="nothing to override"):
            life_cycle.advance(answers(override))
        assert pending(life_cycle).stage == "requirements"


@pytest.mark.parametrize(
    "parts",
    [
        {"action": "edit", "edits": {"split_rows.test": 0.3}},
        {"action": "approve", "by": "policy"},
        {"action": "approve", "override": "  "},
        {"action": "reject", "note": "no"},
    ],
)
def test_only_a_person_overrides_by_approving_with_a_reason(
    start: Callable[..., Any], parts: dict[str, Any]
) -> None:
    with start() as life_cycle:
        life_cycle.advance(answers(approve, unmask, approve))
        with pytest.raises(InputError, match="Only a person can override"):
            life_cycle.advance(
                lambda plan: Decision(**{"plan": plan.digest(), "override": "why", **parts})
            )
        assert pending(life_cycle).gate == BLAMED
        assert events(life_cycle, "gate.overridden") == []


def test_the_graph_itself_refuses_an_override_of_nothing(start: Callable[..., Any]) -> None:
    from langgraph.types import Command

    from agents.life_cycle import CONFIG

    with start() as life_cycle:
        life_cycle.advance(answers(approve))
        forged = override(pending(life_cycle)).model_dump()
        life_cycle.graph.invoke(Command(resume=forged), CONFIG, durability="sync")
        assert pending(life_cycle).stage == "cleaning"


def test_an_override_survives_a_new_process(start: Callable[..., Any], tmp_path: Path) -> None:
    with start() as life_cycle:
        life_cycle.advance(answers(approve, unmask, approve, override))
        run = life_cycle.run
    with opened(run, tmp_path) as life_cycle:
        assert life_cycle.advance(approve_all) == "done"
        assert run_output(run, life_cycle.state(), None).notice is not None


def test_going_back_to_clean_data_takes_the_notice_away(start: Callable[..., Any]) -> None:
    """Only what stands is said: a later plan of the same stage may have mended the leak."""
    with start() as life_cycle:
        life_cycle.advance(answers(approve, unmask, approve, unmask, approve))
        life_cycle.advance(answers(approve, approve))  # the mend that came with the second gate
        assert pending(life_cycle).stage in ("augmentation", "design")
        assert run_output(life_cycle.run, life_cycle.state(), None).notice is None


def show_hosts(plan: Plan) -> Decision:
    return Decision(action="edit", plan=plan.digest(), edits={"train_baselines.masks": ["ports"]})


def test_masks_that_hide_a_leak_cannot_be_taken_off_after_the_audit(
    start: Callable[..., Any],
) -> None:
    """The audit passed because models would not see the hosts; nobody may show them after it."""
    with start() as life_cycle:
        life_cycle.advance(answers(approve, approve, approve))
        assert pending(life_cycle).stage == "design"
        with pytest.raises(InputError, match="client alone gives the label away") as caught:
            life_cycle.advance(answers(show_hosts))
        assert "accept_shortcuts" in caught.value.mend
        assert pending(life_cycle).steps[0].params["masks"] != ["ports"]
        assert not trained(life_cycle)


def test_the_graph_itself_trains_on_no_mask_that_was_taken_off(start: Callable[..., Any]) -> None:
    from langgraph.types import Command

    from agents.life_cycle import CONFIG

    with start() as life_cycle:
        life_cycle.advance(answers(approve, approve, approve))
        for decide in (show_hosts, approve):
            forged = decide(pending(life_cycle)).model_dump()
            life_cycle.graph.invoke(Command(resume=forged), CONFIG, durability="sync")
        assert "client alone gives" in pending(life_cycle).failure
        assert not trained(life_cycle)


def test_what_was_overridden_may_be_shown_to_models(start: Callable[..., Any]) -> None:
    with start() as life_cycle:
        life_cycle.advance(answers(approve, unmask, approve, override, approve))
        assert pending(life_cycle).stage == "design"
        assert life_cycle.advance(answers(show_hosts, *[approve] * 4)) == "done"
        assert run_output(life_cycle.run, life_cycle.state(), None).notice is not None


@pytest.mark.parametrize("by", ["policy", "auto"])
def test_the_graph_itself_takes_an_override_from_a_person_only(
    start: Callable[..., Any], by: str
) -> None:
    from langgraph.types import Command

    from agents.life_cycle import CONFIG

    with start() as life_cycle:
        life_cycle.advance(answers(approve, unmask, approve))
        forged = {**override(pending(life_cycle)).model_dump(), "by": by}
        life_cycle.graph.invoke(Command(resume=forged), CONFIG, durability="sync")
        assert pending(life_cycle).stage == "cleaning"
