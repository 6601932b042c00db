"""Who may say yes: a person in a form, nobody else, and only to the plan that they saw."""

from typing import Any

import pytest
from mcp import MCPError
from mcp_types import ElicitResult

from agents.checkpoints import Decision, Plan
from agents.life_cycle import opened
from agents.workbench import Drained
from pipelines.store.events import Event, read_events
from pipelines.store.run import RunFolder

Desk = tuple[Any, Any]  # the client and the person of conftest
Waiting = tuple[str, str]


def events_of(run: RunFolder, kind: str) -> list[Event]:
    return [event for event in read_events(run.events) if event.type == kind]


def test_a_life_cycle_is_walked_by_forms_alone(walk: Any) -> None:
    assert walk.answers[-1]["status"] == "done"
    decided = events_of(walk.run, "plan.decided")
    assert len(decided) == len(walk.messages) == 5, "one form a plan"
    assert [event.data["by"] for event in decided] == ["person"] * 5
    assert decided[0].data["answers"] == {"record_requirements.target": "0.51"}
    recorded = events_of(walk.run, "step.started")[0].data["params"]
    assert recorded["target"] == 0.51
    assert recorded["benign"] == [], "a field that was left alone is no answer"


def test_nothing_runs_before_the_first_yes(walk: Any) -> None:
    kinds = [event.type for event in read_events(walk.run.events)]
    assert kinds.index("plan.decided") < kinds.index("step.started")
    begun = walk.answers[0]
    assert begun["status"] == "paused"
    assert begun["in_a_terminal"].startswith(f"netloop runs approve {walk.run.id} --workspace /")


def test_the_person_sees_the_whole_plan(walk: Any) -> None:
    for message, answer in zip(walk.messages, walk.answers, strict=False):
        pending = answer["pending"]
        for step in pending["plan"]["steps"]:
            assert step["tool"] in message
            assert all(name in message for name in step["params"])
        assert pending["digest"][:12] in message
        assert walk.run.id in message


def test_the_form_asks_what_the_plan_asks_and_takes_no_yes_for_granted(walk: Any) -> None:
    first = walk.schemas[0]
    assert first["required"] == ["decision"]
    assert "default" not in first["properties"]["decision"]
    titles = [field["title"] for field in first["properties"].values()]
    questions = walk.answers[0]["pending"]["plan"]["questions"]
    assert titles == ["Your decision", "Reason", *(each["text"] for each in questions)]


def test_progress_rises_and_its_last_words_are_told_however_short_the_work(walk: Any) -> None:
    assert len(walk.progress) == 6
    for reports in walk.progress:
        numbers = [number for number, _ in reports]
        assert numbers == sorted(set(numbers)) != []
    last = [reports[-1][1] for reports in walk.progress]
    assert "auditing fields: 5/5 fields" in last
    assert "shuffling fields: 4/4 fields" in last


def test_the_model_may_reject_and_the_new_version_waits(desk: Desk, waiting: Waiting) -> None:
    (client, person), (run, plan) = desk, waiting
    answer = client.call("reject_plan", run=run, plan=plan, reason="the target is 0.9")
    assert (answer["status"], answer["pending"]["version"]) == ("paused", 2)
    assert answer["pending"]["digest"] != plan
    assert events_of(client.run(run), "plan.decided")[0].data["by"] == "client"
    assert not events_of(client.run(run), "step.started")
    assert person.messages == []


def test_the_model_may_ask_and_nothing_is_decided(desk: Desk, waiting: Waiting) -> None:
    (client, _), (run, plan) = desk, waiting
    answer = client.call("ask_about_plan", run=run, plan=plan, question="why macro_f1?")
    assert answer["pending"]["digest"] == plan
    assert "macro_f1" in answer["reply"]
    assert not events_of(client.run(run), "step.started")


@pytest.mark.parametrize("fill", ["decline", "cancel"])
def test_whoever_closes_the_form_has_decided_nothing(
    desk: Desk, waiting: Waiting, fill: str
) -> None:
    (client, person), (run, plan) = desk, waiting
    person.sits_down(fill)
    answer = client.call("approve_plan", run=run, plan=plan)
    assert answer["decided"] is False
    assert answer["digest"] == plan
    assert not events_of(client.run(run), "plan.decided")


def test_the_person_may_reject_in_the_form(desk: Desk, waiting: Waiting) -> None:
    (client, person), (run, plan) = desk, waiting
    person.sits_down({"decision": "reject", "reason": "the target is 0.9", "answer_1": "0.8"})
    answer = client.call("approve_plan", run=run, plan=plan)
    assert answer["pending"]["version"] == 2
    decided = events_of(client.run(run), "plan.decided")[0].data
    assert (decided["by"], decided["note"]) == ("person", "the target is 0.9")
    assert decided["answers"] == {}


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        ({"decision": "approve", "answer_1": "lots"}, "is not a number"),
        ({"decision": "reject"}, "needs words"),
        ({"decision": "yes"}, "does not match"),
        ({}, "does not match"),
    ],
    ids=["no number", "no reason", "no such choice", "empty"],
)
def test_a_form_that_cannot_be_carried_out_leaves_the_plan_waiting(
    desk: Desk, waiting: Waiting, fill: dict[str, str], words: str
) -> None:
    (client, person), (run, plan) = desk, waiting
    person.sits_down(fill)
    assert words in client.refused("approve_plan", run=run, plan=plan)
    assert client.call("show_plan", run=run)["digest"] == plan
    assert client.run(run).read()["status"] == "paused"


def test_no_form_is_shown_for_a_plan_that_does_not_wait_any_more(
    desk: Desk, waiting: Waiting
) -> None:
    (client, person), (run, plan) = desk, waiting
    client.call("reject_plan", run=run, plan=plan, reason="the target is 0.9")
    person.sits_down({"decision": "approve"})
    assert "Another plan waits" in client.refused("approve_plan", run=run, plan=plan)
    refused = client.refused("reject_plan", run=run, plan=plan, reason="the target is 0.8")
    assert "has changed" in refused
    assert person.messages == []


def test_an_answer_to_a_form_that_was_never_shown_is_no_answer(
    desk: Desk, waiting: Waiting
) -> None:
    (client, _), (run, plan) = desk, waiting

    async def call(answers: Any, state: str | None) -> Any:
        return await client.client.session.call_tool(
            "approve_plan",
            {"run": run, "plan": plan},
            input_responses=answers,
            request_state=state,
            allow_input_required=True,
        )

    asked = client.portal.call(call, None, None)
    yes = ElicitResult(action="accept", content={"decision": "approve"})
    again = client.portal.call(call, dict.fromkeys(asked.input_requests, yes), None)
    assert again.input_requests == asked.input_requests
    with pytest.raises(MCPError, match=r"(?i)request ?state"):
        client.portal.call(call, dict.fromkeys(asked.input_requests, yes), "made up")
    assert not events_of(client.run(run), "plan.decided")


def test_a_run_that_was_stopped_goes_on_as_approved_to_its_next_plan(
    desk: Desk, waiting: Waiting
) -> None:
    (client, person), (run, _) = desk, waiting
    with opened(client.run(run), client.workspace) as life_cycle:

        def approve_and_stop(plan: Plan) -> Decision:
            life_cycle.bench.stop.set()
            return Decision(action="approve", plan=plan.digest())

        with pytest.raises(Drained):
            life_cycle.advance(approve_and_stop)
    assert client.call("show_run", run=run)["status"] == "interrupted"
    assert "no plan that waits" in client.refused("show_plan", run=run)
    answer = client.call("resume_run", run=run)
    assert (answer["status"], answer["pending"]["stage"]) == ("paused", "cleaning")
    assert person.messages == []


def test_after_a_failure_only_a_person_goes_on(desk: Desk, waiting: Waiting) -> None:
    """A table has no folders to take labels from: the wish comes back with the reason."""
    (client, person), (run, plan) = desk, waiting
    wish = "labels by folder please"
    refused = client.refused("reject_plan", run=run, plan=plan, reason=wish)
    assert "folder" in refused and f"Run {run} is failed now" in refused
    second = client.call("show_plan", run=run)
    assert second["plan"]["version"] == 2
    refused = client.refused("reject_plan", run=run, plan=second["digest"], reason="by column")
    assert "Only a person goes on" in refused
    person.sits_down({"decision": "approve"})
    answer = client.call("approve_plan", run=run, plan=second["digest"])
    assert "The version before failed" in person.messages[0]
    assert answer["pending"]["stage"] == "cleaning"


def test_a_run_that_waits_is_not_resumed(desk: Desk, waiting: Waiting) -> None:
    (client, _), (run, _) = desk, waiting
    assert "waits for a decision" in client.refused("resume_run", run=run)


def test_an_ended_run_has_nothing_to_approve(desk: Desk, walk: Any) -> None:
    client, _ = desk
    run, last = walk.run.id, walk.answers[-2]["pending"]["digest"]
    assert "no plan that waits" in client.refused("approve_plan", run=run, plan=last)
    assert "no plan that waits" in client.refused(
        "ask_about_plan", run=run, plan=last, question="?"
    )
    assert "has ended: done" in client.refused("resume_run", run=run)


def test_a_client_that_cannot_ask_approves_nothing(mute: Any, waiting: Waiting) -> None:
    run, plan = waiting
    form = {"decision": "approve"}
    answer = mute.call("approve_plan", run=run, plan=plan, form=form, decision="approve")
    assert answer["decided"] is False
    assert (answer["plan"]["stage"], answer["digest"]) == ("requirements", plan)
    assert answer["in_a_terminal"].startswith(f"netloop runs approve {run}")
    assert not events_of(mute.run(run), "plan.decided")
    assert mute.call("reject_plan", run=run, plan=plan, reason="the target is 0.9")["pending"]


def test_two_clients_look_at_one_run_at_once(desk: Desk, mute: Any, walk: Any) -> None:
    looks = [
        side.portal.start_task_soon(side.client.call_tool, "show_run", {"run": walk.run.id})
        for side in (desk[0], mute) * 2
    ]
    assert [look.result(120).structured_content["status"] for look in looks] == ["done"] * 4


def test_a_run_that_another_process_holds_is_let_alone(
    desk: Desk, mute: Any, waiting: Waiting
) -> None:
    (client, person), (run, plan) = desk, waiting
    person.sits_down({"decision": "approve"})
    with opened(client.run(run), client.workspace):
        for refused in (
            client.refused("approve_plan", run=run, plan=plan),
            mute.refused("show_run", run=run),
        ):
            assert "being worked on by another netloop" in refused
        assert mute.call("show_plan", run=run)["digest"] == plan
        assert mute.call("list_events", run=run)["events"]
    assert mute.call("show_run", run=run)["status"] == "paused"


def test_the_second_client_answers_only_what_still_waits(
    desk: Desk, mute: Any, waiting: Waiting
) -> None:
    (client, person), (run, plan) = desk, waiting
    person.sits_down({"decision": "approve"})
    assert client.call("approve_plan", run=run, plan=plan)["pending"]["stage"] == "cleaning"
    refused = mute.refused("reject_plan", run=run, plan=plan, reason="the target is 0.9")
    assert "has changed" in refused
