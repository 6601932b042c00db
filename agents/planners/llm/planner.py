"""The planner that asks a language model, and takes the rules' plan where that fails.

The model is shown what the wall lets through and the rules' plan in its own words; what it says is
typed, checked and turned into a plan by code. Nothing that it says runs without a decision.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from agents.budget import What
from agents.checkpoints import Plan, Stage, plan_changes
from agents.conversation.intent import Intent
from agents.llm.failures import Fault, LlmFailure
from agents.planners.base import Evidence, Reading
from agents.planners.llm import (
    augmentation,
    cleaning,
    design,
    features,
    operation,
    requirements,
)
from agents.planners.llm.memorised import Completer
from agents.planners.llm.proposals import ReadingSaid, Said
from agents.planners.llm.rows import ModelAuthor
from agents.planners.llm.speech import OnPiece, Restored, hidden
from agents.planners.rules import RulePlanner
from agents.spec import Sees, least
from agents.state import Feedback, Review
from agents.wall.names import Names
from agents.wall.view import names_of, plan_view, view
from prompts import load_prompt
from tools.calls import check_params
from tools.registry import find_tool

T = TypeVar("T", bound=BaseModel)
A = TypeVar("A")
Messages = list[tuple[str, str]]

# Each has ``schema``, ``default`` (the rules' plan in a model's words) and ``amended`` (a plan out
# of what the model says).
STAGES_SAID: dict[Stage, ModuleType] = {
    "requirements": requirements,
    "cleaning": cleaning,
    "augmentation": augmentation,
    "design": design,
    "operation": operation,
}
# Stages whose results are worth a reading.
READ: tuple[Stage, ...] = ("design", "operation")
# What will not be otherwise a moment later, and what may be: the server is not asked again by this
# process after one of the first, or after two of the second in a row.
LASTING: tuple[Fault, ...] = (
    "offline", "server_down", "auth", "forbidden", "quota", "unknown_model", "not_found", "html",
    "redirected",
)  # fmt: skip
PASSING: tuple[Fault, ...] = ("timeout", "rate_limited", "server_error", "unreadable", "no_choices")
MOST_IN_A_ROW = 2
# Fields of the audit that a prompt tells of: those that give most of the label away.
MOST_FIELDS = 8


class Model(Protocol):
    """Whoever answers: a model at a server, or the record of one."""

    def ask(self, schema: type[T], messages: Messages, place: str, check: Callable[[T], None]) -> T:
        """An object of ``schema`` that passes ``check``. Raises LlmFailure or BudgetSpent."""

    def allow(self, what: What, limit: float) -> None:
        """Let it spend more from here on."""

    def say(self, messages: Messages, place: str, on_piece: OnPiece | None = None) -> str:
        """Prose. Raises LlmFailure or BudgetSpent."""


class LLMPlanner:
    """Proposes by a language model. ``model_name`` is shown beside its plans."""

    def __init__(self, model: Model, model_name: str, workspace: Path) -> None:
        self.name = f"the language model {model_name}"
        self.on_piece: OnPiece | None = None
        """Is handed an answer's pieces as they come, which are foreign words."""
        self._model = model
        self._workspace = workspace
        self._rules = RulePlanner()
        self._gone: LlmFailure | None = None
        self._in_a_row = 0

    def propose(self, evidence: Evidence, feedback: Feedback | None, before: Plan | None) -> Plan:
        """The rules' plan with what the model says instead; the rules' plan if it fails."""
        default = self._rules.propose(evidence, feedback, before)
        stage, names = STAGES_SAID[evidence.stage], names_of(evidence, [default])

        def plan_of(said: Said) -> Plan:
            plan: Plan = stage.amended(default, said, evidence, names)
            for step in plan.steps:
                check_params(find_tool(step.tool), step.params)
            return plan

        messages = load_prompt(evidence.stage).messages(
            said=_said(feedback, names),
            evidence=self._seen(evidence, names),
            default=stage.default(default, evidence, names),
        )
        try:
            said = self.ask(stage.schema, messages, _place(evidence, "propose"), plan_of)
        except LlmFailure as failure:
            return default.model_copy(update={"notes": [*default.notes, _fell_back(failure)]})
        return self._signed(plan_of(said), default, names)

    def answer(self, evidence: Evidence, plan: Plan, question: str) -> str:
        """The model's answer in prose; the plan's own reasons if it fails."""
        names = names_of(evidence, [plan])
        messages = load_prompt("answer").messages(
            evidence=self._seen(evidence, names),
            plan=plan_view(plan, names),
            question=hidden(question, names),
        )
        place = _place(evidence, f"answer/{hashlib.sha256(question.encode()).hexdigest()[:12]}")
        try:
            heard = Restored(names, self.on_piece)
            said = self._answering(lambda: self._model.say(messages, place, heard.piece))
            heard.end()
        except LlmFailure as failure:
            return f"{self._rules.answer(evidence, plan, question)}\n{_fell_back(failure)}"
        return names.restored(said)

    def read(self, evidence: Evidence, plan: Plan, found: Review) -> Reading:
        """What the results mean in the model's words; nothing if it fails."""
        if evidence.stage not in READ:
            return Reading()
        names = names_of(evidence)
        messages = load_prompt("reading").messages(
            passed=found.passed,
            another=evidence.stage == "design",
            evidence=self._seen(evidence, names),
        )
        try:
            said = self.ask(ReadingSaid, messages, _place(evidence, "read"), lambda said: said)
        except LlmFailure as failure:
            return Reading(words=[_fell_back(failure)])
        return _reading(said, evidence.stage, names)

    def understand(self, text: str, shape: str) -> Intent:
        """What a person wants who says ``text`` about a plan of that shape; unclear if it fails.

        A model's reading starts and permits nothing: whoever asks passes over such kinds.
        """
        messages = load_prompt("intent").messages(plan=shape, question=text)
        place = f"chat/{hashlib.sha256(f'{shape} {text}'.encode()).hexdigest()[:12]}"
        try:
            return self.ask(Intent, messages, place, lambda said: said)
        except LlmFailure:
            return Intent(kind="unclear", words=text)

    def author(self, sees: Sees) -> ModelAuthor:
        """The same model as an author of synthetic rows."""
        return ModelAuthor(self._model, sees)

    def completer(self, sees: Sees) -> Completer:
        """The same model as one that completes rows, to find out whether it has seen them."""
        return Completer(self._model, sees)

    def allow(self, what: What, limit: float) -> None:
        """Let the model spend more from here on."""
        self._model.allow(what, limit)

    def _seen(self, evidence: Evidence, names: Names) -> dict[str, Any]:
        """What the wall lets through, and of it what a stage needs: a prompt is paid by length.

        Tools are left out, for a proposal's own schema says what of them may be chosen.
        """
        seen = view(evidence, _sees(evidence), names, self._workspace)
        tools = seen.pop("tools")
        if evidence.stage == "augmentation" and features.may_propose(evidence):
            seen["columns"] = features.columns_told(seen["columns"], evidence)
            seen["functions"] = next(tool["functions"] for tool in tools if "functions" in tool)
        elif evidence.stage != "cleaning":
            seen.pop("columns", None)
        elif filters := [tool["filters"] for tool in tools if "filters" in tool]:
            seen["all_filters"] = filters[0]
        audit = seen["numbers"].get("audit_shortcuts", {})
        if "fields" in audit:
            audit["fields"] = audit["fields"][:MOST_FIELDS]  # the audit sorts them
        return seen

    def ask(self, schema: type[T], messages: Messages, place: str, use: Callable[[T], Any]) -> T:
        def check(said: T) -> None:
            use(said)

        return self._answering(lambda: self._model.ask(schema, messages, place, check))

    def _answering(self, ask: Callable[[], A]) -> A:
        """Ask, unless what failed before in this process will fail again."""
        if self._gone is not None:
            raise self._gone
        try:
            found = ask()
        except LlmFailure as failure:
            self._in_a_row = self._in_a_row + 1 if failure.fault in PASSING else 0
            if failure.fault in LASTING or self._in_a_row >= MOST_IN_A_ROW:
                self._gone = failure
            raise
        self._in_a_row = 0
        return found

    def _signed(self, plan: Plan, default: Plan, names: Names) -> Plan:
        """The model's plan, its words for a person, and how it differs from the rules' one."""
        steps = [
            step.model_copy(
                update={"reasons": {n: names.restored(why) for n, why in step.reasons.items()}}
            )
            for step in plan.steps
        ]
        return plan.model_copy(
            update={
                "planner": self.name,
                "summary": names.restored(plan.summary),
                "steps": steps,
                "notes": [names.restored(note) for note in plan.notes],
                "against_default": plan_changes(default, plan),
            }
        )


def _sees(evidence: Evidence) -> Sees:
    """What the spec allows, or the less that the approved requirements do."""
    recorded = evidence.numbers.get("record_requirements", {}).get("llm_sees")
    return least(evidence.spec.llm_sees, recorded)


def _place(evidence: Evidence, why: str) -> str:
    return f"{evidence.stage}/{evidence.version}/{why}"


def _said(feedback: Feedback | None, names: Names) -> str:
    """The person's words about the version before. What a review found is in the evidence: its
    sentences hold names of the data."""
    if feedback is None or feedback.source != "person":
        return ""
    return f"The person says: {hidden(feedback.note, names)}"


def _fell_back(failure: LlmFailure) -> str:
    return f"{failure.message} The rules proposed this. {failure.mend}".strip()


def _reading(said: ReadingSaid, stage: Stage, names: Names) -> Reading:
    words = [names.restored(line) for line in said.words]
    if stage == "operation" and said.retrain != "no":
        words.append(f"Retrain {said.retrain}: {names.restored(said.retrain_why)}")
    if said.again:
        words.append(f"Another trial: {names.restored(said.again_why)}")
    return Reading(words=words, again=said.again)
