"""How a conversation begins: a goal, the data, or a run that waits."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agents.checkpoints import Decision, Plan
from agents.life_cycle import create_run, opened
from agents.policy import approve_all
from agents.spec import Spec
from agents.terminal.chat_start import Opening, waiting_run
from agents.workbench import Drained
from pipelines.store.run import RunFolder

DOUBT = "I cannot see which traffic that would tell apart."
GOAL = "tell attacks from normal records"


@pytest.fixture
def begin(tmp_path: Path, screen) -> Callable[..., object]:
    """``begin(goal, *lines)``: what begins for a person who types the lines; then they leave."""

    def start(goal: str | None, *lines: str, width: int = 80) -> RunFolder | Spec:
        waiting = [*lines]
        start.screen = screen(width)  # type: ignore[attr-defined]

        def prompt(question: str) -> str:
            if not waiting:
                raise EOFError
            return waiting.pop(0)

        return Opening(tmp_path, start.screen.console, prompt).begin(goal)  # type: ignore[attr-defined]

    return start


def test_a_goal_and_its_data(begin, table: Path) -> None:
    spec = begin(None, "", GOAL, str(table), "kind")
    assert (spec.goal, spec.data.source, spec.data.label) == (GOAL, str(table), "kind")


def test_a_goal_that_was_given_is_not_asked(begin, table: Path) -> None:
    assert begin(GOAL, str(table), "kind").goal == GOAL
    assert "What do you want to detect?" not in begin.screen.text


@pytest.mark.parametrize("width", [40, 80])
def test_what_is_no_detection_is_said_and_may_be_insisted_on(begin, table: Path, width) -> None:
    assert begin("bake a cake", "", str(table), "kind", width=width).goal == "bake a cake"
    begin.screen.check_width()
    assert f"{DOUBT} Kinds of detection: Malware Traffic Detection (MTD)" in begin.screen.words
    assert begin("bake a cake", "a cake", GOAL, str(table), "kind").goal == GOAL
    assert begin.screen.words.count(DOUBT) == 2


def test_data_that_cannot_be_is_asked_again(begin, table: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    lines = (
        "nowhere",
        str(tmp_path / "empty"),
        str(table),
        "",
        "knid",
        "/back",
        str(table),
        "kind",
    )
    assert begin(GOAL, *lines).data.label == "kind"
    assert "nowhere" in begin.screen.words
    assert "is an empty folder" in begin.screen.words
    assert "knid" in begin.screen.words
    assert begin.screen.words.count("Where are the labelled captures") == 4


def test_a_label_that_is_clear_needs_only_enter(begin, tmp_path: Path) -> None:
    for kind in ("chat", "mail"):
        (tmp_path / "captures" / kind).mkdir(parents=True)
        (tmp_path / "captures" / kind / "a.pcap").write_bytes(b"\xd4\xc3\xb2\xa1" + bytes(20))
    assert begin(GOAL, str(tmp_path / "captures"), "").data.label == "folder"
    assert "[folder]" in begin.screen.words


@pytest.mark.parametrize("line", ["/quit", "/exit", "quit", "Exit"])
@pytest.mark.parametrize("before", [(), (GOAL,), (GOAL, "nowhere")])
def test_leaving_at_every_question(begin, line: str, before: tuple[str, ...]) -> None:
    with pytest.raises(EOFError):
        begin(None, *before, line, "x", "y")


@pytest.mark.parametrize(("line", "said"), [("?", "Botnet Detection (BND)"), ("/help", "Botnet"),
                                            ("/why", "There is no plan yet")])  # fmt: skip
def test_commands_before_there_is_a_plan(begin, table: Path, line: str, said: str) -> None:
    assert begin(None, line, GOAL, str(table), "kind").goal == GOAL
    assert said in begin.screen.words


def test_bytes_that_are_no_text(begin, table: Path) -> None:
    assert begin(None, "scans \udce9", str(table), "kind").goal == "scans ?"


@pytest.fixture
def paused(tmp_path: Path, spec: Callable[..., Spec]) -> RunFolder:
    run = create_run(tmp_path, spec(), "ask")
    with opened(run, tmp_path) as life_cycle:
        life_cycle.advance(lambda plan: None)
    return run


def test_a_run_that_waits_is_offered(begin, paused: RunFolder) -> None:
    found = begin(None, "")
    assert found.id == paused.id
    words = f"Run {paused.id} waits at requirements: Tell attacks from normal records"
    assert words in begin.screen.words


def test_a_new_goal_leaves_it_waiting(begin, paused: RunFolder, table: Path) -> None:
    assert begin(None, GOAL, str(table), "kind").goal == GOAL
    assert begin(GOAL, str(table), "kind").goal == GOAL
    assert "waits at" not in begin.screen.words, "whoever says a goal is not asked"
    assert paused.read()["status"] == "paused"


@pytest.mark.parametrize("status", ["failed", "interrupted", "budget"])
def test_a_run_that_stopped_in_a_step_is_offered_too(begin, paused: RunFolder, status: str) -> None:
    with opened(paused, paused.workspace) as life_cycle:

        def approve_and_stop(plan: Plan) -> Decision | None:
            life_cycle.bench.stop.set()
            return approve_all(plan)

        with pytest.raises(Drained):
            life_cycle.advance(approve_and_stop)
    paused.update(status=status)
    assert begin(None, "").id == paused.id
    assert f"Run {paused.id} stopped at requirements" in begin.screen.words


def test_a_hostile_goal_of_another_day_stays_words(begin, paused: RunFolder) -> None:
    record = paused.read()
    record["spec"]["goal"] = "find \x1b[2J[green]scans[/]"
    paused.write(record)
    begin(None, "")
    assert r"find \x1b[2J[green]scans[/]" in begin.screen.text


def test_runs_that_are_over_or_at_work_are_not_offered(paused: RunFolder, tmp_path: Path) -> None:
    assert waiting_run(tmp_path / "new") is None
    with paused.locked():
        assert waiting_run(tmp_path) is None
    paused.update(status="done")
    assert waiting_run(tmp_path) is None
    paused.update(status="running")
    assert waiting_run(tmp_path) is not None, "it was killed"
    paused.update(flow_version=0)
    assert waiting_run(tmp_path) is None, "it was made by another version"


def test_a_run_without_a_plan_is_not_offered(tmp_path: Path, spec: Callable[..., Spec]) -> None:
    create_run(tmp_path, spec(), "ask")
    assert waiting_run(tmp_path) is None
