"""One conversation about one plan: from what a person says to a decision, or to none."""

from collections.abc import Callable
from functools import partial
from typing import Any

from rich.console import Console

from agents.checkpoints import STAGES, Decision, Plan, Question
from agents.conversation.intent import Intent, read_intent, understood
from agents.conversation.phrases import nearest_command
from agents.policy import acts_outside
from agents.terminal.chat_aids import Aids
from agents.terminal.chat_ask import LONGEST, Back, Prompt, ask_line, clean
from agents.terminal.chat_form import EditForm
from agents.terminal.chat_help import print_help
from agents.terminal.plan_view import print_changes, render_plan
from agents.terminal.sanitize import visible
from agents.terminal.tables import say
from pipelines.errors import InputError, NetloopError

Check = Callable[[Decision], None]
_OUTSIDE = "This acts outside the run's folder: type approve in full to allow it."


class Dialogue:
    """One conversation about one plan."""

    def __init__(
        self, plan: Plan, console: Console, prompt: Prompt, check: Check, aids: Aids
    ) -> None:
        self.plan = plan
        self.console = console
        self.prompt = prompt
        self.ask = partial(ask_line, prompt, console)
        self.check = check
        self.aids = aids
        self.high_risk = acts_outside(plan)
        self.may_skip = self._refusal(self._decision("skip")) is None

    def run(self) -> Decision | None:
        """Ask until something that is said leads to a decision; None for "quit"."""
        while True:
            say(self.console, self._menu(), "bold")
            try:
                said = self._understood(clean(self.prompt("> ")))
                if said.kind == "quit":
                    return None
                decision = self._follow(said)
            except Back:
                continue
            except InputError as error:
                self._complain(str(error))
                continue
            if decision is not None:
                return decision

    def remind(self) -> None:
        """What stands against the plan, and what the person wished for before it was there."""
        if self.aids.refused:
            say(self.console, f"You said never to things like this. {self.aids.refused}", "red")
        for words in self.aids.wishes:
            say(self.console, f'You said before: "{words}". Say it again to have it so.', "cyan")

    def _menu(self) -> str:
        yes = "type approve" if self.high_risk else "[Enter] approve"
        keys = [yes, "[e]dit", "[w]hy", "[r]eject", *(["[s]kip"] if self.may_skip else [])]
        keys += ["[l]ook at rows"] if self.aids.look else []
        keys += ["[o]verride the audit"] if self.plan.gate else []
        keys += ["[A]lways", "[N]ever"] if self.aids.habits and not self.high_risk else []
        return "  ".join([*keys, "/help", "[q]uit, resume later"])

    def _understood(self, line: str) -> Intent:
        by_rules = read_intent(line, self.plan)
        try:
            said = understood(line, self.plan, self.aids.understand)
        except NetloopError as error:  # a model that fails is no reason to stop talking
            self._complain(str(error))
            return by_rules
        if said != by_rules:
            say(self.console, f"Understood as {said.kind}: {said.words}", "dim")
        return said

    def _follow(self, said: Intent) -> Decision | None:
        """The decision that an intent leads to; None, with a word why, if it leads to none."""
        show = {"look": self.aids.look, "status": self.aids.status, "cost": self.aids.cost,
                "undo": self.aids.undo, "plan": partial(render_plan, self.plan, self.console),
                "diff": self._diff, "help": partial(print_help, self.console)}  # fmt: skip
        if (shown := show.get(said.kind)) is not None:
            shown()
            return None
        follow = {"approve": self._approve, "edit": self._edit, "ask": self._question,
                  "reject": self._reject, "override": self._override, "skip": self._skip,
                  "always": self._always, "never": self._never, "wish": self._wish}  # fmt: skip
        return follow.get(said.kind, self._unclear)(said)

    def _approve(self, said: Intent) -> Decision | None:
        if self.high_risk and said.words.lower() != "approve":
            raise InputError(
                "This acts outside the run's folder: type approve in full to allow it."
            )
        if self.aids.refused:
            raise InputError(
                f"A remembered rule refuses this. {self.aids.refused}",
                "Change the plan, or take the rule back: netloop policy list",
            )
        answers: dict[str, str] = {}
        for question in self.plan.questions:
            answers |= self._answer(question)
        return self._accepted(self._decision("approve", answers=answers))

    def _answer(self, question: Question) -> dict[str, str]:
        """The answer to one question, checked; empty if the default is kept."""
        asked = f"{visible(question.text)} [{visible(question.default)}] "
        while True:
            text = self.ask(asked, f"{question.reason or question.text} Enter keeps the default.")
            answer = {question.id: text} if text else {}
            refusal = self._refusal(self._decision("approve", answers=answer))
            if refusal is None:
                return answer
            self._complain(refusal)

    def _edit(self, said: Intent) -> Decision | None:
        """Changes, one a line, each checked as it is entered; an empty line ends them."""

        def check(edits: dict[str, Any]) -> None:
            self.check(self._decision("edit", edits=edits))

        if said.edits:
            return self._accepted(self._decision("edit", edits=said.edits))
        edits = EditForm(self.plan, self.console, self.prompt, check).fill(said.words)
        return self._decision("edit", edits=edits) if edits else None

    def _question(self, said: Intent) -> Decision | None:
        return self._with_words("ask", said.words, "Your question: ")

    def _reject(self, said: Intent) -> Decision | None:
        return self._with_words("reject", said.words, "What should be different? ")

    def _override(self, said: Intent) -> Decision | None:
        """Go on with what the audit stopped; the reason leads the report."""
        if not self.plan.gate:
            raise InputError("There is nothing to override: no audit has stopped this plan.")
        words = said.words or self.ask("Why? The report will say so on its first line: ")
        if not words:
            raise InputError("Without a reason nothing was decided.")
        return self._accepted(self._decision("approve", override=words[:LONGEST]))

    def _skip(self, said: Intent) -> Decision | None:
        return self._accepted(self._decision("skip", note=said.words))

    def _always(self, said: Intent) -> Decision | None:
        kept = self.aids.habits and self.aids.habits.keep(self.plan, "approve", said.words)
        return self._approve(Intent(kind="approve")) if kept else None

    def _never(self, said: Intent) -> Decision | None:
        kept = self.aids.habits and self.aids.habits.keep(self.plan, "refuse", said.words)
        return self._reject(Intent(kind="reject")) if kept else None

    def _wish(self, said: Intent) -> Decision | None:
        """Something about another stage: kept for a later one; a stage that is over stays so."""
        stage = said.stage or self.plan.stage
        if STAGES.index(stage) < STAGES.index(self.plan.stage):
            raise InputError(f"The {stage} stage is over.", "/undo goes back, plan by plan.")
        if self.aids.wish is not None:
            self.aids.wish(stage, said.words)
        words = f"That is about the {stage} stage: I will remind you of it there."
        say(self.console, words, "cyan")
        return None

    def _unclear(self, said: Intent) -> Decision | None:
        if said.words.startswith("/"):
            near = nearest_command(said.words)
            raise InputError(f"There is no {said.words.split()[0]}.", f"Did you mean /{near}?")
        if self.aids.named is not None and (named := self.aids.named(said.words)):
            raise InputError(
                f"That reads like another goal ({named}).",
                f'A new goal is a new run: q, then netloop chat "{said.words[:80]}"',
            )
        raise InputError(
            "Is that a question or a change?",
            "Put w before a question and r before what should be different; Enter approves.",
        )

    def _diff(self) -> None:
        print_changes(self.plan, self.console)
        if self.plan.version == 1 and not self.plan.against_default:
            say(self.console, "This is the first version: there is nothing to compare it with.")

    def _with_words(self, action: str, words: str, question: str) -> Decision | None:
        words = words or self.ask(question)
        if not words:
            raise InputError("Nothing was said, so nothing was decided.")
        return self._accepted(self._decision(action, note=words[:LONGEST]))

    def _decision(self, action: Any, **parts: Any) -> Decision:
        return Decision(action=action, plan=self.plan.digest(), **parts)

    def _accepted(self, decision: Decision) -> Decision:
        """The decision itself. Raises InputError if it cannot be carried out."""
        self.check(decision)
        return decision

    def _refusal(self, decision: Decision) -> str | None:
        try:
            self.check(decision)
        except InputError as error:
            return str(error)
        return None

    def _complain(self, words: str) -> None:
        say(self.console, words, "yellow")
