"""A person at the terminal with a real run: wishes, habits, budgets, the way back, afterwards."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agents.budget import BudgetSpent
from agents.checkpoints import STAGES, Decision, Plan
from agents.life_cycle import LifeCycle, create_run, opened
from agents.planners.base import Evidence
from agents.planners.rules import RulePlanner
from agents.policy import approve_all, remember, rule_like
from agents.spec import Spec
from agents.terminal import session
from agents.terminal.chat_after import talk_on
from agents.terminal.chat_person import Person, Undone, named_detection
from agents.terminal.progress import RichProgress
from pipelines.store.run import RunFolder


class Typed:
    """The lines that a person types; then the terminal is closed."""

    def __init__(self, *lines: str) -> None:
        self.lines = [*lines]
        self.forgot = 0

    def __call__(self, question: str) -> str:
        if not self.lines:
            raise EOFError
        return self.lines.pop(0)

    def forget_typed(self) -> None:
        self.forgot += 1


def until(stage: str) -> Callable[[Plan], Decision | None]:
    """Yes to every plan before that of ``stage``."""
    return lambda plan: None if plan.stage == stage else approve_all(plan)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Path:
    """A folder with copies of one run's workspace: as it waited at each stage, and at its end."""
    home = tmp_path_factory.mktemp("walked")
    content = {
        "goal": "Tell attacks from normal records",
        "data": {"source": str(table), "label": "kind"},
        "design": {"candidates": ["majority", "logistic_regression"]},
    }
    run = create_run(home / "now", Spec.model_validate(content), "ask")
    for stage in (*STAGES, "end"):
        with opened(run, run.workspace) as life_cycle:
            life_cycle.advance(until(stage))
        shutil.copytree(home / "now", home / stage)
    return home


@pytest.fixture
def waiting(walked: Path, tmp_path: Path) -> Callable[[str], RunFolder]:
    """``waiting("design")``: a run of its own whose design plan waits; ``"end"`` is over."""

    def copied(stage: str) -> RunFolder:
        shutil.copytree(walked / stage, tmp_path / "ws")
        return RunFolder.all(tmp_path / "ws")[0]

    return copied


@pytest.fixture
def run(waiting: Callable[[str], RunFolder]) -> RunFolder:
    return waiting("requirements")


@contextmanager
def sitting(
    run: RunFolder, view: Any, *lines: str, planner: Any = None
) -> Iterator[tuple[Person, LifeCycle]]:
    """A person who types ``lines``, and the run in front of them."""
    progress = RichProgress(view.console)
    with opened(run, run.workspace, progress, planner) as life_cycle:
        yield Person(life_cycle, view.console, progress, Typed(*lines)), life_cycle  # type: ignore[arg-type]


def test_a_wish_is_kept_in_the_run_and_told_where_it_belongs(waiting, screen) -> None:
    run, view = waiting("cleaning"), screen(80)
    with sitting(run, view, "skip augmentation", "only the forest", "q") as (person, life_cycle):
        assert life_cycle.advance(person.decide) == "paused"
    wishes = {"augmentation": ["skip augmentation"], "design": ["only the forest"]}
    assert run.read()["wishes"] == wishes
    again = screen(80)
    with sitting(run, again, "yes", "skip augmentation", "q") as (person, life_cycle):
        life_cycle.advance(person.decide)
        assert life_cycle.pending().stage == "design"  # type: ignore[union-attr]
    assert "You said before" not in view.words
    assert again.words.count('You said before: "skip augmentation".') == 1
    assert again.words.count('You said before: "only the forest".') == 1


def test_going_back_names_the_plan_before(waiting, screen) -> None:
    run = waiting("cleaning")
    lines = ("set the test to 30%", "", "/undo")
    with sitting(run, screen(80), *lines) as (person, life_cycle), pytest.raises(Undone) as undone:
        life_cycle.advance(person.decide)
    assert (undone.value.stage, undone.value.version) == ("cleaning", 1)
    assert run.read()["status"] == "paused"
    lines = ("40% for the test", "undo")
    with sitting(run, screen(80), *lines) as (person, life_cycle), pytest.raises(Undone) as undone:
        life_cycle.advance(person.decide)
    assert (undone.value.stage, undone.value.version) == ("cleaning", 2)


def test_from_a_first_version_the_way_back_leads_to_the_stage_before(waiting, screen) -> None:
    run = waiting("design")
    with sitting(run, screen(80), "back") as (person, _), pytest.raises(Undone) as undone:
        person.life_cycle.advance(person.decide)
    assert (undone.value.stage, undone.value.version) == ("augmentation", 1)


def test_before_the_first_plan_there_is_nothing(run: RunFolder, screen) -> None:
    view = screen(80)
    with sitting(run, view, "/undo", "q") as (person, life_cycle):
        assert life_cycle.advance(person.decide) == "paused"
    assert "There is no plan before this one." in view.words


def test_where_the_run_stands_and_what_it_cost(waiting, screen) -> None:
    view = screen(40)
    lines = ("/status", "/cost", "where are we?", "q")
    with sitting(waiting("operation"), view, *lines) as (person, life_cycle):
        life_cycle.advance(person.decide)
    view.check_width()
    assert "design done (version 1): logistic_regression is best on validation" in view.words
    assert "operation waits for your decision (version 1)" in view.words
    assert view.words.count("Macro-F1 on validation so far") == 2
    assert "minutes; no limit" in view.words


def test_a_remembered_rule_answers_before_the_person(waiting, screen) -> None:
    run, view = waiting("cleaning"), screen(80)
    with sitting(run, view, "q") as (person, life_cycle):
        plan = life_cycle.pending()
        assert plan is not None
        for step in plan.steps:
            remember(run.workspace, rule_like(plan, step, "approve"))
        life_cycle.advance(session.chooser("ask", life_cycle, person, view.console))
        assert life_cycle.pending().stage == "augmentation"  # type: ignore[union-attr]
    assert "cleaning, version 1: approve. clean_rows: rule 1" in view.words
    assert "Stage 2/5" not in view.text


@pytest.mark.parametrize("there", [True, False], ids=["at the screen", "nobody there"])
def test_a_remembered_refusal(waiting, screen, there: bool) -> None:
    """Where nobody sits it ends the run, as a policy does; a person is told, and changes it."""
    run, view = waiting("cleaning"), screen(80)
    with sitting(run, view, "yes", "test=0.3", "", "yes", "q") as (person, life_cycle):
        plan = life_cycle.pending()
        assert plan is not None
        remember(run.workspace, rule_like(plan, plan.steps[1], "refuse"))
        decide = session.chooser("ask", life_cycle, person if there else None, view.console)
        status = life_cycle.advance(decide)
    assert status == ("paused" if there else "refused")
    if there:
        assert "You said never to things like this." in view.words
        assert "Stage 3/5: augmentation" in view.words, "the changed plan could be approved"


@pytest.fixture
def spent(waiting) -> RunFolder:
    """A run whose minutes are used up before its cleaning can begin."""
    run: RunFolder = waiting("cleaning")
    record = run.read()
    record["spec"]["budget"]["minutes"] = 1e-9
    run.write(record)
    return run


def go_on(run: RunFolder, view: Any, *lines: str) -> Any:
    """What stops the run, if anything does, where the person approves cleaning."""

    def decide(plan: Plan) -> Decision | None:
        return approve_all(plan) if plan.stage == "cleaning" else None

    with sitting(run, view, *lines) as (person, life_cycle):
        return session._advanced(life_cycle, decide, person, view.console)


def test_a_person_may_allow_more_when_the_budget_is_used_up(spent: RunFolder, screen) -> None:
    view = screen(80)
    assert go_on(spent, view, "a lot", "nan", "inf", "0", "r", "30") is None
    assert spent.read()["status"] == "paused"
    assert spent.read()["spec"]["budget"]["minutes"] == 30
    assert "minutes is used up" in view.words
    assert view.words.count("is not a number") == 2, "the rules save no minutes"
    assert view.words.count("A limit is a number above") == 3


@pytest.mark.parametrize("lines", [("",), ("/quit",), ("/back",), ()])
def test_or_stop_there(spent: RunFolder, screen, lines: tuple[str, ...]) -> None:
    error = go_on(spent, screen(40), *lines)
    assert isinstance(error, BudgetSpent)
    assert error.exit_code == 5
    assert spent.read()["status"] == "budget"


def test_the_rules_go_on_where_the_model_has_cost_enough(
    tmp_path: Path, spec: Callable[..., Spec], screen
) -> None:
    run, view = create_run(tmp_path, spec(), "ask"), screen(80)

    class Costly(RulePlanner):
        name = "a model"

        def propose(self, evidence: Evidence, feedback: Any, before: Any) -> Plan:
            raise BudgetSpent("llm_calls", 3, run.id)

    with sitting(run, view, "r", planner=Costly()) as (person, life_cycle):
        error = session._advanced(life_cycle, lambda plan: None, person, view.console)
        assert error is None
        assert life_cycle.pending().planner == "rules"  # type: ignore[union-attr]


def test_an_answer_that_streamed_is_shown_once(run: RunFolder, screen) -> None:
    view = screen(80)

    class Streaming(RulePlanner):
        on_piece: Callable[[str], None] | None = None

        def answer(self, evidence: Evidence, plan: Plan, question: str) -> str:
            assert self.on_piece is not None
            for piece in ("Because ", "every class ", "counts."):
                self.on_piece(piece)
            return "Because every class counts."

    with sitting(run, view, "why macro F1?", "q", planner=Streaming()) as (person, life_cycle):
        assert life_cycle.advance(person.decide) == "paused"
    assert view.words.count("Because every class counts.") == 1
    assert view.words.count("Stage 1/5") == 1
    assert view.words.count("[Enter] approve") == 2


def test_what_was_typed_too_soon_is_dropped_at_every_asking(run: RunFolder, screen) -> None:
    """Also after an answer, which a model may take long for; a slip asks on at once."""
    with sitting(run, screen(80), "why?", "test=1", "q") as (person, life_cycle):
        life_cycle.advance(person.decide)
        assert person.prompt.forgot == 2  # type: ignore[attr-defined]


@pytest.fixture
def finished(waiting) -> RunFolder:
    found: RunFolder = waiting("end")
    return found


def test_talking_on_when_the_run_is_over(finished: RunFolder, screen) -> None:
    view = screen(80)
    lines = ("why this model?", "/status", "/cost", "/plan", "/help", "yes", "make it faster", "")
    with sitting(finished, view, *lines) as (person, _):
        talk_on(person)
        assert not person.prompt.lines  # type: ignore[attr-defined]
    assert "pack logistic_regression as the detector" in view.words
    assert "operation done (version 1)" in view.words
    assert "Stage 5/5: operation, version 1" in view.words
    assert view.words.count("There is nothing left to decide.") == 2
    assert finished.read()["status"] in ("done", "target_missed")


@pytest.mark.parametrize("lines", [(), ("q",), ("/quit",)])
def test_leaving_after_the_run(finished: RunFolder, screen, lines: tuple[str, ...]) -> None:
    with sitting(finished, screen(40), *lines) as (person, _):
        talk_on(person)


def test_going_back_from_a_run_that_is_over(finished: RunFolder, screen) -> None:
    view = screen(80)
    with sitting(finished, view, "/undo") as (person, _), pytest.raises(Undone) as undone:
        talk_on(person)
    assert undone.value.stage == "operation"
    finished.update(wishes={"operation": ["say why"]})
    new = session._forked(finished, finished.workspace, undone.value, view.console)
    with opened(new, new.workspace) as life_cycle:
        assert life_cycle.pending().stage == "operation"  # type: ignore[union-attr]
    assert new.read()["wishes"] == {"operation": ["say why"]}
    assert f"{finished.id} stays as it is" in view.words


def test_too_few_words_name_no_goal() -> None:
    assert named_detection("hm") == ""
