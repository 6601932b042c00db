"""The plan as a person reads it, at 80 and at 40 columns."""

import unicodedata

import pytest

from agents.checkpoints import DEFAULT_REASON, Plan, Step
from agents.terminal.plan_view import duration, highest_risk, render_plan, shown
from pipelines.models.cnn.shipped import SHIPPED
from tools.spec import Estimate

HOSTILE = "[green]APPROVED[/] \x1b[2J\x1b]52;c;AA\x07\n\u202e\u200b\U000e0041\x9b2J"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_everything_is_there_and_fits(plan: Plan, screen, width: int) -> None:
    view = screen(width)
    render_plan(plan, view.console)
    view.check_width()
    for words in (
        "Stage 2/5: cleaning, version 2",
        plan.summary,
        "proposed by rules",
        "Changed since version 1",
        '~ split_rows.by: "flow" -> "time"',
        "clean_rows",
        "Which share of each class should be held out? [0.5]",
        "More makes the test surer and the training poorer.",
        "7,129 rows, about 18 s, 120 MB (measured last time); writes into the run's folder",
        "7,129 rows, about 4 min, 64 MB (a first guess); only reads",
        "In all about 4 min, up to 120 MB; writes into the run's folder",
    ):
        assert words in view.words


def test_parameters_stand_beside_their_reasons(plan: Plan, screen) -> None:
    view = screen(100)
    render_plan(plan, view.console)
    (line,) = [line for line in view.text.splitlines() if line.startswith("  by ")]
    assert line.split(maxsplit=2)[:2] == ["by", "time"]
    assert "train on earlier flows" in line


def test_on_a_narrow_screen_the_reason_is_below(plan: Plan, screen) -> None:
    view = screen(40)
    render_plan(plan, view.console)
    lines = [line.split() for line in view.text.splitlines()]
    at = lines.index(["by", "time"])
    assert lines[at + 1][:2] == ["train", "on"]


def test_first_version_shows_no_changes(plan: Plan, screen) -> None:
    view = screen(80)
    render_plan(plan.model_copy(update={"version": 1, "changes": []}), view.console)
    assert "Changed" not in view.text


def test_new_version_without_a_change_says_so(plan: Plan, screen) -> None:
    view = screen(80)
    render_plan(plan.model_copy(update={"changes": []}), view.console)
    assert "nothing that would run" in view.text


def test_a_plan_to_do_nothing(screen) -> None:
    view = screen(40)
    render_plan(Plan(stage="augmentation", planner="rules", summary="None, and why."), view.console)
    assert "Stage 3/5: augmentation" in view.text
    assert "Nothing would run." in view.text


def test_two_calls_of_a_tool_are_told_apart(plan: Plan, screen) -> None:
    view = screen(80)
    render_plan(plan.model_copy(update={"steps": [plan.steps[1], plan.steps[1]]}), view.console)
    assert "split_rows#2" in view.text


@pytest.mark.parametrize("width", [40, 80])
def test_hostile_words_are_inert(plan: Plan, screen, width: int) -> None:
    step = Step(tool=HOSTILE, params={HOSTILE: HOSTILE}, reasons={HOSTILE: HOSTILE})
    question = plan.questions[0].model_copy(
        update={"text": HOSTILE, "default": HOSTILE, "reason": HOSTILE}
    )
    hostile = plan.model_copy(
        update={
            "planner": HOSTILE,
            "summary": HOSTILE,
            "steps": [step],
            "questions": [question],
            "changes": [HOSTILE],
            "notes": [HOSTILE],
            "against_default": [HOSTILE],
        }
    )
    view = screen(width)
    render_plan(hostile, view.console)
    view.check_width()
    assert "[green]APPROVED[/]" in view.text
    for character in view.text.replace("\n", ""):
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def test_what_each_step_reads_and_leaves(plan: Plan, screen) -> None:
    view = screen(80)
    render_plan(plan, view.console)
    assert "reads clean_rows; leaves split_rows, split" in view.words
    assert "reads split_rows, split; leaves audit" in view.words


def test_files_are_counted(plan: Plan, screen, tmp_path) -> None:
    for name in ("a.pcap", "b.pcap"):
        (tmp_path / name).write_bytes(b"\xd4\xc3\xb2\xa1" + bytes(20))
    step = Step(tool="import_rows", params={"source": str(tmp_path), "label": "file"})
    view = screen(120)
    render_plan(plan.model_copy(update={"steps": [step]}), view.console)
    assert "reads 2 files; leaves rows, test_rows" in view.words
    gone = step.model_copy(update={"params": {"source": str(tmp_path / "no"), "label": "file"}})
    render_plan(plan.model_copy(update={"steps": [gone]}), view.console)
    assert view.words.count("reads 2 files") == 1, (
        "a source that has gone is no reason to show no plan"
    )


def test_what_a_language_model_would_cost(plan: Plan, screen) -> None:
    asked = Estimate(rows=1, minutes=2, memory_mb=8, llm_calls=3, tokens=4100, money=0.0123)
    steps = [plan.steps[0].model_copy(update={"estimate": asked}), *plan.steps[1:]]
    view = screen(100)
    render_plan(plan.model_copy(update={"steps": steps}), view.console)
    assert "1 row, about 2 min, 8 MB, 3 LLM calls, 4,100 tokens, $0.0123" in view.words
    assert "up to 120 MB, 3 LLM calls, 4,100 tokens, $0.0123; writes" in view.words


def test_parameters_that_nobody_chose_share_a_line(plan: Plan, screen) -> None:
    step = plan.steps[1].model_copy(
        update={"reasons": {"by": "as in operation", "test": DEFAULT_REASON, "validation": "so"}}
    )
    view = screen(80)
    render_plan(plan.model_copy(update={"steps": [step]}), view.console)
    assert "by default: test 0.5 reads" in view.words


def test_notes_and_what_the_rules_would_do_are_shown(plan: Plan, screen) -> None:
    view = screen(40)
    notes = ["The model's answer could not be used."]
    against = ['~ split_rows.by: "capture" -> "time"']
    render_plan(plan.model_copy(update={"notes": notes, "against_default": against}), view.console)
    view.check_width()
    assert notes[0] in view.words
    assert f"Other than the rules would propose {against[0]}" in view.words


def test_the_gravest_risk_counts(plan: Plan) -> None:
    assert highest_risk(plan) == "write"
    assert highest_risk(plan.model_copy(update={"steps": []})) == "read"
    grave = Step(tool="x", risk="deploy")
    assert highest_risk(plan.model_copy(update={"steps": [grave, *plan.steps]})) == "deploy"


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "none"), (True, "yes"), (False, "no"), (0.5, "0.5"), (40, "40"), ("time", "time"),
     ([], "none"), ({}, "none"), (["ttl", None, 3], "ttl, none, 3"),
     ({"b": 1, "a": None}, '{"a":null,"b":1}')],
)  # fmt: skip
def test_values_in_words(value: object, words: str) -> None:
    assert shown(value) == words


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "under a second"), (0.5, "about 30 s"), (1.4, "about 84 s"), (1.5, "about 2 min"),
     (59.4, "about 59 min"), (65, "about 1 h 5 min")],
)  # fmt: skip
def test_durations(minutes: float, words: str) -> None:
    assert duration(minutes) == words


def test_a_network_is_told_in_brief() -> None:
    small = SHIPPED["small"].model_dump(mode="json")
    assert shown(small) == "small"
    own = {**small, "columns": [{**small["columns"][0], "width": 8}] * 2, "pooling": "max"}
    assert shown(own) == (
        "packets 32, payload 32, columns 8+8; max pooling, head 64, adamw at 0.002"
    )
    assert shown({"a": 1}) == '{"a":1}'
