"""Every key of the approval screen, and everything that a person may type wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.checkpoints import Decision, Plan, Question, Step
from agents.conversation.intent import Intent
from agents.edits import check_decision
from agents.terminal.approve import ask_decision
from agents.terminal.chat_aids import Aids
from pipelines.errors import InputError, NetloopError

END = EOFError()


class Person:
    """Types the given lines, then closes the terminal; remembers what was asked."""

    def __init__(self, *lines: str | BaseException) -> None:
        self.lines = [*lines, END]
        self.asked: list[str] = []

    def __call__(self, question: str) -> str:
        self.asked.append(question)
        line = self.lines.pop(0)
        if isinstance(line, BaseException):
            raise line
        return line


@pytest.fixture
def ask(plan: Plan, screen) -> Callable[..., Decision | None]:
    """``ask(*lines)``: what a person decides who types them; ``ask.screen`` is what was shown."""

    def decide(
        *lines: str | BaseException,
        plan: Plan = plan,
        skip: bool = True,
        **aids: Any,
    ) -> Decision | None:
        def check(decision: Decision) -> None:
            check_decision(plan, decision)
            if decision.action == "skip" and not skip:
                raise InputError("It cannot be skipped.")

        decide.screen, decide.person = screen(80), Person(*lines)  # type: ignore[attr-defined]
        console, person = decide.screen.console, decide.person  # type: ignore[attr-defined]
        return ask_decision(plan, console, person, check, aids=Aids(**aids))

    return decide


def without_questions(plan: Plan) -> Plan:
    return plan.model_copy(update={"questions": []})


@pytest.mark.parametrize("key", ["", "a", "yes", "OK.", "approve", "/approve", "  a  "])
def test_yes(ask, plan: Plan, key: str) -> None:
    decision = ask(key, plan=without_questions(plan))
    assert decision == Decision(action="approve", plan=without_questions(plan).digest())


@pytest.mark.parametrize("key", ["l", "look", "L"])
def test_looking_at_rows_decides_nothing(ask, plan: Plan, key: str) -> None:
    looks: list[int] = []
    assert ask(key, "l", "q", look=lambda: looks.append(1)) is None
    assert len(looks) == 2
    assert "[l]ook at rows" in ask.screen.words


def test_where_there_are_no_rows_to_see_there_is_no_such_key(ask) -> None:
    assert ask("l", "q") is None
    assert "Is that a question or a change?" in ask.screen.words
    assert "[l]ook" not in ask.screen.words


def test_the_decision_names_the_plan_that_was_shown(ask, plan: Plan) -> None:
    assert ask("r too slow").plan == plan.digest()


def test_questions_are_asked_on_approval_and_enter_keeps_the_default(ask) -> None:
    decision = ask("", "")
    assert decision.action == "approve"
    assert decision.answers == {}
    assert ask.person.asked[1] == "Which share of each class should be held out? [0.5] "


def test_an_answer_is_part_of_the_approval(ask) -> None:
    assert ask("a", "0.3").answers == {"split_rows.test": "0.3"}


@pytest.mark.parametrize("bad", ["a lot", "150%", "0"])
def test_a_bad_answer_is_asked_again(ask, bad: str) -> None:
    decision = ask("a", bad, "0.25")
    assert decision.answers == {"split_rows.test": "0.25"}
    assert len(ask.person.asked) == 3


def test_two_questions(ask, plan: Plan) -> None:
    second = Question(
        id="split_rows.validation", text="And for validation?", kind="share", default="0.2"
    )
    both = plan.model_copy(update={"questions": [*plan.questions, second]})
    decision = ask("", "0.3", "0.1", plan=both)
    assert decision.answers == {"split_rows.test": "0.3", "split_rows.validation": "0.1"}


@pytest.mark.parametrize("where", range(3))
@pytest.mark.parametrize("how", [EOFError(), KeyboardInterrupt()])
def test_leaving_at_any_prompt_decides_nothing(ask, where: int, how: BaseException) -> None:
    lines: list[str | BaseException] = ["e", "test=0.3", ""]
    lines[where] = how
    assert ask(*lines) is None


def test_leaving_at_a_question_decides_nothing(ask) -> None:
    assert ask("", KeyboardInterrupt()) is None


@pytest.mark.parametrize("key", ["q", "quit", "Q"])
def test_quit_leaves_the_plan_unanswered(ask, key: str) -> None:
    assert ask(key) is None


def test_edit(ask) -> None:
    decision = ask("e", "test=0.3", "by=flow", "")
    assert decision.action == "edit"
    assert decision.edits == {"split_rows.test": 0.3, "split_rows.by": "flow"}
    assert "split_rows.test becomes 0.3" in ask.screen.text


def test_edit_on_one_line(ask) -> None:
    assert ask("e test = 0.3", "").edits == {"split_rows.test": 0.3}


def test_edit_of_a_list(ask) -> None:
    assert ask("e masks=[ttl, ports]", "").edits == {"audit_shortcuts.masks": ["ttl", "ports"]}


def test_edit_with_the_full_name(ask) -> None:
    assert ask("edit split_rows.validation=0.1", "").edits == {"split_rows.validation": 0.1}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("=0.3", "is not parameter=value"),
        ("tset=0.3", "No step has 'tset'"),
        ("split_rows.tset=0.3", "tset"),
        ("nothing.test=0.3", "names no step"),
        ("test=2", "less than 1"),
        ("test=many", "valid number"),
        ("test=", "valid number"),
        ("test=[0.3", "cannot be read"),
        ("test=.inf", "cannot be read"),
        ("test=2026-08-05", "cannot be read"),
        ("test=" + "[" * 3000, "cannot be read"),
        ("by=!!python/object/apply:os.system [id]", "cannot be read"),
        ("by=sideways", "input should be"),
    ],
)
def test_a_bad_edit_changes_nothing_and_is_asked_again(ask, line: str, complaint: str) -> None:
    decision = ask("e", line, "test=0.4", "")
    assert decision.edits == {"split_rows.test": 0.4}
    assert complaint in ask.screen.words


def test_a_parameter_of_two_steps_needs_its_step(ask, plan: Plan) -> None:
    twice = plan.model_copy(update={"steps": [*plan.steps, plan.steps[1]]})
    decision = ask("e", "test=0.3", "split_rows#2.test=0.3", "", plan=twice)
    assert decision.edits == {"split_rows#2.test": 0.3}
    assert "split_rows.test, split_rows#2.test" in ask.screen.words


def test_no_edit_goes_back_to_the_keys(ask) -> None:
    assert ask("e", "", "q") is None
    assert ask.person.asked[-1] == "> "


def test_why(ask) -> None:
    decision = ask("w", "Why by time?")
    assert (decision.action, decision.note) == ("ask", "Why by time?")
    assert ask("why by time, not by flow?").note == "why by time, not by flow?"


def test_reject_with_a_reason(ask) -> None:
    decision = ask("r", "split by capture")
    assert (decision.action, decision.note) == ("reject", "split by capture")
    assert ask("reject too slow").note == "too slow"


@pytest.mark.parametrize("key", ["r", "w"])
def test_no_words_no_decision(ask, key: str) -> None:
    assert ask(key, "   ", "q") is None
    assert "nothing was decided" in ask.screen.text


def test_a_very_long_reason_is_cut(ask) -> None:
    assert len(ask("r " + "x" * 9000).note) == 4000


def test_skip(ask) -> None:
    assert ask("s").action == "skip"
    assert ask("s not now").note == ask("/skip not now").note == "not now"
    assert "[s]kip" in ask.screen.text


def test_a_stage_that_is_needed_cannot_be_skipped(ask) -> None:
    assert ask("s", "q", skip=False) is None
    assert "[s]kip" not in ask.screen.text
    assert ask.person.asked == ["> ", "> "]


@pytest.mark.parametrize(
    "line", ["x", "approve this", "a b", "okey-dokey", "\x1b[A", "1", "y\u0435s", "yes?"]
)
def test_anything_else_is_no_yes(ask, line: str) -> None:
    decision = ask(line, "q")
    assert decision is None or decision.action == "ask"
    assert line == "yes?" or "Is that a question or a change?" in ask.screen.words


def test_what_acts_outside_needs_the_whole_word(ask, plan: Plan) -> None:
    grave = [*plan.steps, Step(tool="split_rows", params={"by": "time"}, risk="deploy")]
    high = without_questions(plan).model_copy(update={"steps": grave})
    assert ask("", "a", "yes", "ok", "approve it", "q", plan=high) is None
    assert "type approve in full" in ask.screen.words
    assert "[Enter] approve" not in ask.screen.text
    assert ask("approve", plan=high).action == "approve"


def test_bytes_that_are_no_text_do_not_break_the_decision(ask) -> None:
    decision = ask("r too \udce9slow")
    assert decision.note == "too ?slow"
    decision.model_dump_json().encode()


def test_words_of_the_planner_cannot_act_on_the_prompt(ask, plan: Plan) -> None:
    question = plan.questions[0].model_copy(update={"text": "ok?\x1b[2J\n", "default": "\x070.5"})
    ask("", "", plan=plan.model_copy(update={"questions": [question]}))
    assert ask.person.asked[1] == r"ok?\x1b[2J\n [\x070.5] "


def test_an_answer_stands_where_the_plan_was(plan: Plan, screen) -> None:
    view = screen(80)

    def leave(question: str) -> str:
        raise EOFError

    assert (
        ask_decision(plan, view.console, leave, lambda d: None, "Because\x1b[2J.\nTwice.") is None
    )
    assert "Because\\x1b[2J." in view.text
    assert "Stage 2/5" not in view.text
    assert "[Enter] approve" in view.text


def test_why_a_stage_cannot_be_skipped_is_said(ask) -> None:
    assert ask("s", "q", skip=False) is None
    assert "It cannot be skipped." in ask.screen.text


@pytest.fixture
def gated(plan: Plan) -> Plan:
    """The plan that an audit stopped the version before of."""
    return without_questions(plan).model_copy(update={"gate": "ttl alone gives the label away."})


@pytest.mark.parametrize("lines", [("o known there too",), ("override", "known there too")])
def test_the_audit_can_be_overridden_with_a_reason(ask, gated: Plan, lines: tuple) -> None:
    decision = ask(*lines, plan=gated)
    assert decision == Decision(action="approve", plan=gated.digest(), override="known there too")
    assert "The audit stopped the version before: ttl alone" in ask.screen.words
    assert "[o]verride the audit" in ask.screen.words


def test_an_override_without_a_reason_decides_nothing(ask, gated: Plan) -> None:
    assert ask("o", "", plan=gated) is None
    assert "Without a reason nothing was decided." in ask.screen.words


def test_there_is_no_override_where_nothing_was_stopped(ask, plan: Plan) -> None:
    assert ask("o because", plan=plan) is None
    assert "nothing to override" in ask.screen.words
    assert "[o]verride" not in ask.screen.words


def test_a_word_among_yes_words_that_only_looks_like_one_is_none(ask) -> None:
    assert ask("\uff59\uff45\uff53", "q") is None  # wide letters


@pytest.mark.parametrize(
    ("said", "action", "note"),
    [
        ("use only the last week", "reject", "use only the last week"),
        ("make it faster", "reject", "make it faster"),
        ("can you make it faster?", "reject", "can you make it faster?"),
        ("why not the forest?", "ask", "why not the forest?"),
        ("/why by time", "ask", "by time"),
        ("/reject too slow", "reject", "too slow"),
        ("reject: too slow", "reject", "too slow"),
    ],
)
def test_plain_words_lead_to_a_decision(ask, said: str, action: str, note: str) -> None:
    decision = ask(said)
    assert (decision.action, decision.note) == (action, note)


def test_no_asks_what_should_be_different(ask) -> None:
    assert ask("no", "split by flow").note == "split by flow"
    assert ask.person.asked[1] == "What should be different? "


def test_a_value_alone_is_an_edit(ask) -> None:
    assert ask("test=0.3", "").edits == {"split_rows.test": 0.3}
    assert ask("set the test to 30%", "").edits == {"split_rows.test": 0.3}


@pytest.mark.parametrize("line", ["/back", "/quit"])
def test_every_question_can_be_left(ask, line: str) -> None:
    assert ask("", line, "q") is None  # the plan's own question
    assert ask("e", line, "q") is None
    assert ask("r", line, "q") is None
    assert ask("w", line, "q") is None
    assert ask.person.asked == ["> ", "Your question: ", *(["> "] if line == "/back" else [])]


@pytest.mark.parametrize("line", ["?", "/help"])
def test_a_question_says_what_it_is_for(ask, line: str) -> None:
    assert ask("", line, "0.3").answers == {"split_rows.test": "0.3"}
    assert "More makes the test surer and the training poorer." in ask.screen.words


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("/help", "/undo: go back to the plan before"),
        ("what can I say?", "/undo: go back to the plan before"),
        ("/diff", '~ split_rows.by: "flow" -> "time"'),
        ("what changed?", '~ split_rows.by: "flow" -> "time"'),
        ("/plan", "Stage 2/5: cleaning, version 2"),
    ],
)
def test_what_is_shown_decides_nothing(ask, line: str, shown: str) -> None:
    assert ask(line, "q") is None
    assert ask.screen.words.count(shown) == 1 + (shown in beginning(ask))


def beginning(ask) -> str:
    """What the screen shows before anything is typed."""
    words = ask.screen.words
    return words[: words.index("[Enter] approve")]


@pytest.mark.parametrize("name", ["status", "cost", "undo"])
def test_what_the_run_is_asked_for(ask, name: str) -> None:
    seen: list[str] = []
    assert ask(f"/{name}", name, "q", **{name: lambda: seen.append(name)}) is None
    assert seen == [name, name]


def test_where_nothing_can_be_undone_it_says_so(ask) -> None:
    def nothing() -> None:
        raise InputError("There is no plan before this one.")

    assert ask("/undo", "q", undo=nothing) is None
    assert "There is no plan before this one." in ask.screen.words


def test_a_command_that_does_not_exist_names_the_nearest(ask) -> None:
    assert ask("/aprove", "q") is None
    assert "There is no /aprove. Did you mean /approve?" in ask.screen.words


def test_a_wish_for_a_later_stage_is_kept_and_decides_nothing(ask) -> None:
    kept: list[tuple[str, str]] = []
    wish = lambda stage, words: kept.append((stage, words))  # noqa: E731
    assert ask("skip augmentation", "only the forest", "q", wish=wish) is None
    assert kept == [("augmentation", "skip augmentation"), ("design", "only the forest")]
    assert "I will remind you of it there" in ask.screen.words


def test_a_stage_that_is_over_is_not_skipped(ask) -> None:
    kept: list[str] = []
    wish = lambda stage, words: kept.append(words)  # noqa: E731
    assert ask("skip requirements", "q", wish=wish) is None
    assert not kept
    assert "The requirements stage is over. /undo goes back" in ask.screen.words


def test_what_was_wished_before_is_said(ask) -> None:
    assert ask("q", wishes=("keep every row\x1b[2J",)) is None
    assert r'You said before: "keep every row\x1b[2J".' in ask.screen.words


def test_what_a_remembered_rule_refuses_cannot_be_approved(ask, plan: Plan) -> None:
    lines = ("", "yes", "approve", "r split by flow")
    decision = ask(*lines, plan=without_questions(plan), refused="split_rows: rule 1")
    assert decision.action == "reject"
    assert ask.screen.words.count("A remembered rule refuses this. split_rows: rule 1") == 3


def test_a_model_reads_what_rules_leave_unclear(ask) -> None:
    heard: list[str] = []

    def understand(text: str, shape: str) -> Intent:
        heard.append(shape)
        return Intent(kind="reject", words="split by capture")

    assert ask("trenne nach Aufzeichnung", understand=understand).note == "split by capture"
    assert "Understood as reject: split by capture" in ask.screen.words
    assert "split_rows(by, test, validation)" in heard[0]
    assert "time" not in heard[0], "no value of the plan: data may have named it"


@pytest.mark.parametrize("kind", ["approve", "override", "skip", "always", "never", "undo", "quit"])
def test_a_model_can_permit_nothing(ask, kind: str) -> None:
    model = lambda text, shape: Intent(kind=kind, words="approve")  # noqa: E731
    assert ask("jawohl, mach das", "q", understand=model) is None
    assert ask.person.asked == ["> ", "> "]
    assert "Is that a question or a change?" in ask.screen.words


def test_what_a_model_would_edit_is_checked(ask) -> None:
    edits = {"split_rows.test": 7}
    model = lambda text, shape: Intent(kind="edit", edits=edits)  # noqa: E731
    assert ask("sieben bitte", "q", understand=model) is None
    assert "less than 1" in ask.screen.words
    edits["split_rows.test"] = 0.25  # type: ignore[assignment]
    assert ask("ein Viertel bitte", understand=model).edits == {"split_rows.test": 0.25}


def test_a_model_that_fails_stops_no_conversation(ask) -> None:
    def understand(text: str, shape: str) -> Intent:
        raise NetloopError("The server does not answer.")

    assert ask("hm hm hm", "r too slow", understand=understand).note == "too slow"
    assert "The server does not answer." in ask.screen.words


def test_a_model_is_not_asked_what_rules_can_read(ask) -> None:
    def understand(text: str, shape: str) -> Intent:
        raise AssertionError(text)

    assert ask("/foo", "make it faster", understand=understand).action == "reject"


def test_another_goal_is_another_run(ask) -> None:
    named = lambda words: "Botnet Detection"  # noqa: E731
    assert ask("botnets of last winter", "q", named=named) is None
    assert 'netloop chat "botnets of last winter"' in ask.screen.words


def test_a_pasted_text_of_several_lines_is_one_sentence(ask) -> None:
    assert ask("r no cnn\napprove\n").note == "no cnn approve"
