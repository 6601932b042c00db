"""The story of a conversation: a goal, questions, changes, leaving, coming back, the result."""

import os
import stat
from pathlib import Path

import pytest
from pseudo_terminal import LISTENS, PseudoTerminal

from agents.checkpoints import STAGES
from pipelines.store.events import Event, read_events
from pipelines.store.run import RunFolder

GOAL = "tell attacks from normal records"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small table of two classes that overlap."""
    rows = [f"{(i * 37) % 101 + 40 * (i % 2)},{(i * 53) % 97},{'ab'[i % 2]}" for i in range(300)]
    (tmp_path / "flows.csv").write_text("\n".join(["duration,bytes,kind", *rows]) + "\n")
    return tmp_path


def runs(folder: Path) -> list[RunFolder]:
    return RunFolder.all(folder / ".netloop")


def events(run: RunFolder, kind: str) -> list[Event]:
    return [event for event in read_events(run.events) if event.type == kind]


def first_plan(folder: Path, columns: int = 80) -> PseudoTerminal:
    """A conversation at its first plan."""
    at = PseudoTerminal(folder, "chat", GOAL, columns=columns)
    at.until("Where are the labelled captures")
    at.until(LISTENS)
    at.say("flows.csv")
    at.until("Where does the class come from")
    at.until(LISTENS)
    at.say("kind")
    at.menu()
    return at


@pytest.mark.slow
def test_from_a_goal_to_a_result_in_two_sittings(folder: Path) -> None:
    at = first_plan(folder)
    at.ask("why is the metric macro f1?")
    at.ask("skip augmentation")
    at.ask("/status")
    at.ask("/undo")
    assert "every class counts the same, however rare it is" in at.words
    assert "I will remind you of it there" in at.words
    assert "There is no plan before this one." in at.words
    at.say("set the target to 60%")
    at.until("becomes 0.6")
    at.say("")
    at.menu()
    assert "~ record_requirements.target: null -> 0.6" in at.words
    at.say("/undo")
    at.until("in the new run")
    at.menu()
    at.say("yes")
    for question in ("score must", "false alarms", "nothing to report"):
        at.until(question)
        at.say("60%" if question == "score must" else "")
    at.menu()
    at.ask("30% for the test, please")
    assert "~ split_rows.test: 0.5 -> 0.3" in at.words
    at.ask("/diff")
    at.ask("/cost")
    at.say("q")
    assert at.end() == 3
    assert "minutes; no limit" in at.words
    left, run = runs(folder)
    assert [left.read()["status"], run.read()["status"]] == ["paused", "paused"]

    again = PseudoTerminal(folder, "chat")
    again.until(f"Run {run.id} waits at cleaning")
    again.until(LISTENS)
    again.say("")
    again.menu()
    assert "cleaning, version 2" in again.words
    again.say("go ahead")
    again.menu()
    assert 'You said before: "skip augmentation".' in again.words
    again.ask("skip it")
    again.ask("only logistic regression and majority")
    assert "- train_cnn: no longer runs" in again.words
    again.say("")
    again.menu()
    again.say("ok")
    again.until("[Enter] leaves")
    again.until(LISTENS)
    again.say("/status")
    again.until("[Enter] leaves")
    again.until(LISTENS)
    again.say("")
    assert again.end() in (0, 1)  # it says itself whether the target was reached
    assert "operation done (version 1)" in again.words
    check_decisions(run)
    history = folder / ".netloop" / "chat_history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "+only logistic regression and majority" in history.read_text()


def check_decisions(run: RunFolder) -> None:
    """Every plan that ran was shown, and approved by the person, as it was."""
    shown = {event.data["digest"]: event.data["plan"] for event in events(run, "plan.proposed")}
    decided = [event.data for event in events(run, "plan.decided")]
    assert {decision["by"] for decision in decided} == {"person"}
    assert all(decision["plan"] in shown for decision in decided)
    approved = [d["stage"] for d in decided if d["action"] in ("approve", "skip")]
    assert approved == list(STAGES)
    allowed = {
        step["tool"] for d in decided if d["action"] == "approve"
        for step in shown[d["plan"]]["steps"]
    }  # fmt: skip
    assert {event.data["tool"] for event in events(run, "step.started")} <= allowed


@pytest.mark.slow
def test_impatient_keys_approve_nothing(folder: Path) -> None:
    """Enter, hit again and again while a step runs, is no yes to the plan that follows."""
    at = first_plan(folder, columns=40)
    at.say("")
    for question in ("must the", "false", "mean"):
        at.until(question)
        at.say("")
    at.until("reading tables")
    for _ in range(20):
        at.send(b"\r")
    at.menu()
    at.send("r nur den Wald ✓\x1b[200~\nyes\n\x1b[201~\r".encode())  # pasted lines are words
    at.menu()
    at.send(b"\x03")
    assert at.end() == 3
    run = runs(folder)[0]
    decided = [event.data for event in events(run, "plan.decided")]
    assert [(d["stage"], d["action"]) for d in decided] == [
        ("requirements", "approve"),
        ("cleaning", "reject"),
    ]
    assert decided[1]["note"] == "nur den Wald ✓ yes"


@pytest.mark.slow
def test_leaving_before_anything_begins(folder: Path) -> None:
    at = PseudoTerminal(folder, "chat", columns=40)
    at.until("What do you want to detect?")
    at.until(LISTENS)
    at.say("/why")
    at.until("no plan yet")
    at.until(LISTENS)
    os.write(at.handle, b"\x04")
    assert at.end() == 130
    assert "Nothing was started." in at.words
    assert runs(folder) == []
