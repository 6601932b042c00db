"""The person at this terminal, who answers the plans of a run."""

from functools import partial
from typing import Protocol, runtime_checkable

from rich.console import Console

from agents.budget import BudgetSpent
from agents.checkpoints import Decision, Plan, Stage
from agents.conversation.goal import SURE, task_of
from agents.conversation.intent import Intent, Understand
from agents.life_cycle import LifeCycle
from agents.planners.base import Planner
from agents.state import versions_of
from agents.terminal.approve import ask_decision
from agents.terminal.chat_aids import Aids
from agents.terminal.chat_budget import ask_for_more
from agents.terminal.chat_habits import Habits
from agents.terminal.chat_prompt import TerminalPrompt
from agents.terminal.chat_status import show_cost, show_status
from agents.terminal.chat_stream import Spoken, listen
from agents.terminal.progress import RichProgress
from agents.trail import Trail
from pipelines.errors import InputError
from pipelines.instructions.tasks import Kind
from pipelines.instructions.tasks import task_of as task_named

# Whoever says less than this has not said what to detect.
FEWEST_WORDS = 3


class Undone(Exception):
    """The person goes back: a new run is to wait at this earlier plan."""

    def __init__(self, stage: Stage, version: int) -> None:
        super().__init__(f"{stage}/{version}")
        self.stage = stage
        self.version = version


@runtime_checkable
class Understands(Protocol):
    """A planner that can read what the rules of conversation leave unclear."""

    def understand(self, text: str, shape: str) -> Intent: ...


class Person:
    """Asks about one run's plans. What was wished of a later stage is kept in the run's record."""

    def __init__(
        self,
        life_cycle: LifeCycle,
        console: Console,
        progress: RichProgress,
        prompt: TerminalPrompt,
    ) -> None:
        self.life_cycle = life_cycle
        self.console = console
        self.progress = progress
        self.prompt = prompt
        self.habits = Habits(life_cycle.run.workspace, console, prompt)
        self.spoken = Spoken(console, progress.pause)
        self._on_screen = ""
        listen(life_cycle.bench.planner, self.spoken)

    def decide(self, plan: Plan) -> Decision | None:
        """The person's decision; None if the plan is left as it is. Raises Undone."""
        asked_again = self._on_screen == plan.digest()
        self._on_screen = plan.digest()
        answer = versions_of(self.life_cycle.state(), plan.stage)[-1].answer if asked_again else ""
        said = self.spoken.end().strip()
        with self.progress.pause():
            self.prompt.forget_typed()  # what was typed while nobody asked answers nothing
            return ask_decision(
                plan,
                self.console,
                self.prompt,
                partial(self.life_cycle.check, plan),
                "" if said == answer.strip() else answer,
                self._aids(plan),
                shown=bool(said),
            )

    def more(self, spent: BudgetSpent) -> bool:
        """Whether the run may go on although its budget was used up."""
        with self.progress.pause():
            self.prompt.forget_typed()
            return ask_for_more(self.life_cycle, spent, self.console, self.prompt)

    def _aids(self, plan: Plan) -> Aids:
        wishes = self.life_cycle.run.read().get("wishes", {})
        return Aids(
            look=self._show_rows if plan.stage == "cleaning" else None,
            status=partial(show_status, self.life_cycle, self.console),
            cost=partial(show_cost, self.life_cycle, self.console),
            undo=partial(self._undo, plan),
            understand=understand_of(self.life_cycle.bench.planner),
            habits=self.habits,
            wish=self._wish,
            wishes=tuple(wishes.get(plan.stage, ())),
            refused=self.habits.refusal(plan),
            named=named_detection if plan.stage == "requirements" else None,
        )

    def _show_rows(self) -> None:
        """Rows that each filter would move: for a person's eyes, never a planner's evidence."""
        from agents.stages.cleaning import filters_with_examples
        from agents.terminal.data_clean import render_proposals

        found = filters_with_examples(self.life_cycle.bench, self.life_cycle.state())
        render_proposals(found, self.console)

    def _wish(self, stage: Stage, words: str) -> None:
        run = self.life_cycle.run
        wishes = run.read().get("wishes", {})
        run.update(wishes={**wishes, stage: [*wishes.get(stage, ()), words]})

    def _undo(self, plan: Plan) -> None:
        """Raises Undone with the plan that was proposed before this one."""
        turns = Trail(self.life_cycle.run).turns
        places = [*turns]
        before = places[: places.index(plan.place)] if plan.place in places else places
        if not before:
            raise InputError("There is no plan before this one.", "q leaves the run as it is.")
        last = turns[before[-1]].plan
        raise Undone(last.stage, last.version)


def understand_of(planner: Planner) -> Understand | None:
    """What reads sentences that the rules do not; None without a model."""
    return planner.understand if isinstance(planner, Understands) else None


def named_detection(words: str) -> str:
    """The kind of detection that a sentence clearly asks for; empty if none. Takes seconds."""
    found = task_of(words) if len(words.split()) >= FEWEST_WORDS else None
    if found is None or found[1] < SURE:
        return ""
    task = task_named(found[0])
    return task.name if task.kind is Kind.DETECTION else ""
