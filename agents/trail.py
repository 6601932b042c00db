"""What a run did, in order, as its files tell it: they are read without its lock, never written."""

import json
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from agents.checkpoints import Decision, Plan
from agents.llm.meter import Limits, Meter, Spent
from agents.llm.record import AnswerLog
from agents.planners.base import Reading
from pipelines.errors import NetloopError
from pipelines.store.events import Event, read_events
from pipelines.store.files import canonical_json
from pipelines.store.run import RunFolder
from pipelines.visible import visible


@dataclass
class Turn:
    """A plan as it was proposed, and the decisions on it: questions first, what was done last."""

    plan: Plan
    decisions: list[Decision] = field(default_factory=list)

    def waits(self) -> bool:
        """Whether nobody has decided it yet: questions decide nothing."""
        return not self.decisions or self.decisions[-1].action == "ask"

    def decide(self, decision: Decision) -> None:
        """Add a decision. A kill may have cut one off before it took effect: the later one did."""
        if not self.waits():
            self.decisions.pop()
        self.decisions.append(decision)


class Cost(Spent):
    """What a walk has cost, whoever paid: a fork counts what it has taken over."""

    minutes: float = 0.0


class Trail:
    """A run's record and events, gathered. Raises NetloopError if they are damaged.

    Plans are keyed ``design/2``, artefacts by the step that made them and their name:
    ``("cleaning/1 split_rows", "split")``.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.record = run.read()
        self.turns: dict[str, Turn] = {}
        self.made: dict[tuple[str, str], str] = {}
        self.artifacts: dict[str, str] = {}
        self.numbers: dict[str, dict[str, Any]] = {}
        self.findings: dict[str, list[str]] = {}
        self.answers: dict[tuple[str, str], str] = {}
        """(plan, question) -> what the planner answered"""
        self.readings: dict[str, Reading] = {}
        self._seconds: dict[str, float] = {}
        self._place = ""  # the plan that was decided last, whose steps then run
        try:
            for event in read_events(run.events):
                self._take(event)
        except (KeyError, ValidationError) as error:
            raise NetloopError(
                f"{run.events} cannot be read: {_fault(error)}.",
                "It was changed by hand, or written by another version of netloop.",
            ) from error

    def waits(self) -> bool:
        """Whether the newest plan waits for a decision."""
        return bool(self.turns) and [*self.turns.values()][-1].waits()

    def before(self, place: str) -> list[Turn]:
        """The turns that led to a plan."""
        places = [*self.turns]
        return [self.turns[name] for name in places[: places.index(place)]]

    def tested(self) -> dict[str, Any]:
        """The numbers of the tool that read the test side; empty before it has."""
        return self.numbers.get("evaluate_models") or self.numbers.get("study_few_labels") or {}

    def cost(self) -> Cost:
        """Minutes of all steps, a result that was taken again counted once, and of the planner."""
        minutes = sum(self._seconds.values()) / 60
        spent = Meter(Limits(), answer_log(self.run)).spent
        return Cost(minutes=minutes, **spent.model_dump())

    def _take(self, event: Event) -> None:
        found = event.data
        if event.type == "plan.proposed":
            plan = Plan.model_validate(found["plan"])
            self.turns[plan.place] = Turn(plan)
        elif event.type == "plan.decided":
            self._place = f"{found['stage']}/{found['version']}"
            values = {name: found[name] for name in Decision.model_fields if name in found}
            self.turns[self._place].decide(Decision.model_validate(values))
        elif event.type == "question.answered":
            self.answers[self._place, found["question"]] = found["answer"]
        elif event.type in ("step.finished", "step.reused"):
            self._step(found)
        elif event.type == "stage.reviewed":
            self._review(found)

    def _step(self, found: dict[str, Any]) -> None:
        self.numbers[found["step"]] = found["numbers"]
        self.artifacts |= found["artifacts"]
        for name, digest in found["artifacts"].items():
            self.made[f"{self._place} {found['step']}", name] = digest
        result = {key: found[key] for key in ("artifacts", "numbers", "seconds")}
        self._seconds[json.dumps(result, sort_keys=True)] = found["seconds"]

    def _review(self, found: dict[str, Any]) -> None:
        """Whether it went back to its own stage, and not to mend a leak, was the planner's wish."""
        self.findings[found["stage"]] = found["findings"]
        again = found["back_to"] == found["stage"]
        self.readings[self._place] = Reading(words=found.get("reading", []), again=again)


def decision_words(decision: Decision) -> str:
    """A decision with all that it says, on one line: ``edit split_rows.test=0.25 (person)``."""
    given = {**decision.edits, **decision.answers}
    parts = [decision.action, *(f"{name}={canonical_json(v)}" for name, v in given.items())]
    if decision.override:
        parts.append(f'against the audit, "{decision.override}"')
    if decision.note:
        parts.append(f'"{decision.note}"')
    return f"{' '.join(parts)} ({decision.by})"


def answer_log(run: RunFolder) -> AnswerLog:
    """The exchanges of a run with a language model; none if it asked none."""
    return AnswerLog(run.answers)


def _fault(error: KeyError | ValidationError) -> str:
    if isinstance(error, KeyError):
        return f"{visible(str(error.args[0]))} is not there"
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{visible(place)}: {first['msg'].lower()}"
