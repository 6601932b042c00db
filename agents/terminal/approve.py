"""The approval screen: shows a plan and turns what a person types into a decision, or into none."""

from collections.abc import Callable
from typing import Any

from rich.console import Console

from agents.checkpoints import Decision, Plan, Question, step_names
from agents.edits import read_value
from agents.terminal.plan_view import highest_risk, render_plan, shown
from agents.terminal.sanitize import visible
from agents.terminal.tables import say
from pipelines.errors import InputError

Prompt = Callable[[str], str]
Check = Callable[[Decision], None]
Look = Callable[[], None]

_KEYS = {
    "": "approve", "a": "approve", "approve": "approve", "e": "edit", "edit": "edit",
    "w": "ask", "why": "ask", "r": "reject", "reject": "reject", "s": "skip", "skip": "skip",
    "o": "override", "override": "override", "l": "look", "look": "look",
    "q": "quit", "quit": "quit",
}  # fmt: skip
_LONGEST_NOTE = 4000


def ask_decision(
    plan: Plan,
    console: Console,
    prompt: Prompt,
    check: Check,
    answer: str = "",
    look: Look | None = None,
) -> Decision | None:
    """Show ``plan`` on ``console`` and ask until there is a decision that ``check`` accepts.

    Where the person asked about the plan, which is thus on the screen already, ``answer`` is shown
    in its place.

    ``prompt`` asks for one line and may raise EOFError or KeyboardInterrupt: the plan then stays
    unanswered, as it does with "quit", and None is returned. ``check`` raises InputError for a
    decision that cannot be carried out; the person is told and asked again. ``look`` shows rows
    that the plan is about, where there are any to see.
    """
    if answer:
        _show_answer(answer, console)
    else:
        render_plan(plan, console)
    dialogue = _Dialogue(plan, console, prompt, check, look)
    try:
        return dialogue.run()
    except (EOFError, KeyboardInterrupt):
        console.print()
        return None


def _show_answer(answer: str, console: Console) -> None:
    console.print()
    for line in answer.splitlines():
        say(console, line, "cyan", indent=2)
    console.print()


class _Dialogue:
    """One conversation about one plan."""

    def __init__(
        self, plan: Plan, console: Console, prompt: Prompt, check: Check, look: Look | None
    ) -> None:
        self.plan = plan
        self.console = console
        self.prompt = prompt
        self.check = check
        self.look = look
        self.high_risk = highest_risk(plan) == "deploy"
        self.may_skip = self._refusal(self._decision("skip")) is None

    def run(self) -> Decision | None:
        """Ask for a key until one leads to a decision; None for "quit"."""
        while True:
            say(self.console, self._menu(), "bold")
            key, _, rest = self._read("> ").partition(" ")
            action = _KEYS.get(key.lower())
            if action == "quit":
                return None
            decision = self._try(action, key, rest.strip())
            if decision is not None:
                return decision

    def _menu(self) -> str:
        yes = "type approve" if self.high_risk else "[Enter] approve"
        keys = [yes, "[e]dit", "[w]hy", "[r]eject", *(["[s]kip"] if self.may_skip else [])]
        keys += ["[l]ook at rows"] if self.look else []
        keys += ["[o]verride the audit"] if self.plan.gate else []
        return "  ".join([*keys, "[q]uit, resume later"])

    def _try(self, action: str | None, key: str, rest: str) -> Decision | None:
        """The decision that an action leads to; None, with a word why, if it leads to none."""
        if action == "approve" and not rest:
            return self._approve(key)
        if action == "edit":
            return self._edit(rest)
        if action == "look" and self.look:
            self.look()
            return None
        if action == "ask":
            return self._with_words("ask", rest, "Your question: ")
        if action == "reject":
            return self._with_words("reject", rest, "What should be different? ")
        if action == "override":
            return self._override(rest)
        if action == "skip":
            return self._accepted(self._decision("skip", note=rest))
        self._complain("Please answer with one of these keys.")
        return None

    def _approve(self, key: str) -> Decision | None:
        if self.high_risk and key != "approve":
            self._complain("This acts outside the run's folder: type approve in full to allow it.")
            return None
        answers: dict[str, str] = {}
        for question in self.plan.questions:
            answers |= self._answer(question)
        return self._accepted(self._decision("approve", answers=answers))

    def _answer(self, question: Question) -> dict[str, str]:
        """The answer to one question, checked; empty if the default is kept."""
        while True:
            text = self._read(f"{visible(question.text)} [{visible(question.default)}] ")
            answer = {question.id: text} if text else {}
            if self._accepted(self._decision("approve", answers=answer)):
                return answer

    def _edit(self, first: str) -> Decision | None:
        """Changes, one a line, each checked as it is entered; an empty line ends them."""
        edits: dict[str, Any] = {}
        line = first or self._read("parameter=value: ")
        while line:
            edits |= self._change(line, edits)
            line = self._read("parameter=value (Enter: no more): ")
        return self._decision("edit", edits=edits) if edits else None

    def _change(self, line: str, edits: dict[str, Any]) -> dict[str, Any]:
        """One change as place -> value; empty, with a word why, if it cannot be made."""
        try:
            place, value = _parse_change(line, self.plan)
            self.check(self._decision("edit", edits={**edits, place: value}))
        except InputError as error:
            self._complain(str(error))
            return {}
        say(self.console, f"{place} becomes {shown(value)}", "green", indent=2)
        return {place: value}

    def _with_words(self, action: str, words: str, question: str) -> Decision | None:
        words = words or self._read(question)
        if not words:
            self._complain("Nothing was said, so nothing was decided.")
            return None
        return self._accepted(self._decision(action, note=words[:_LONGEST_NOTE]))

    def _override(self, words: str) -> Decision | None:
        """Go on with what the audit stopped; the reason leads the report."""
        words = words or self._read("Why? The report will say so on its first line: ")
        if not words:
            self._complain("Without a reason nothing was decided.")
            return None
        return self._accepted(self._decision("approve", override=words[:_LONGEST_NOTE]))

    def _decision(self, action: Any, **parts: Any) -> Decision:
        return Decision(action=action, plan=self.plan.digest(), **parts)

    def _accepted(self, decision: Decision) -> Decision | None:
        refusal = self._refusal(decision)
        if refusal is not None:
            self._complain(refusal)
            return None
        return decision

    def _refusal(self, decision: Decision) -> str | None:
        try:
            self.check(decision)
        except InputError as error:
            return str(error)
        return None

    def _complain(self, words: str) -> None:
        say(self.console, words, "yellow")

    def _read(self, question: str) -> str:
        """One line, without blanks around it; bytes that are no text become question marks."""
        return self.prompt(question).encode(errors="replace").decode().strip()


def _parse_change(line: str, plan: Plan) -> tuple[str, Any]:
    """``step.parameter`` and the value of ``parameter=value``; the step may be left out if clear.

    Raises InputError if it is no change, the value is no YAML, or several steps are meant.
    """
    name, equals, text = (part.strip() for part in line.partition("="))
    if not equals or not name:
        raise InputError(f"{line!r} is not parameter=value.", "Example: test=0.3")
    return _place(name, plan), read_value(text)


def _place(name: str, plan: Plan) -> str:
    if "." in name:
        return name
    steps = zip(step_names(plan.steps), plan.steps, strict=True)
    places = [f"{step_name}.{name}" for step_name, step in steps if name in step.params]
    if len(places) > 1:
        raise InputError(f"{name!r} is in several steps.", f"Write one of: {', '.join(places)}.")
    if not places:
        known = dict.fromkeys(parameter for step in plan.steps for parameter in step.params)
        raise InputError(f"No step has {name!r}.", f"Parameters: {', '.join(known) or 'none'}.")
    return places[0]
