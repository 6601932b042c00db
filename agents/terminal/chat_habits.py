"""Always and never: a narrow rule for things like this, shown before it is kept."""

from functools import partial
from pathlib import Path

from rich.console import Console

from agents.checkpoints import Plan, Step
from agents.policy import Rule, acts_outside, in_words, remember, remembered, rule_like
from agents.policy.memory import Always
from agents.terminal.chat_ask import Prompt, ask_line
from agents.terminal.tables import say, say_exact
from pipelines.errors import InputError

_ABOUT = "The rules stand in the workspace and hold for later runs too."


class Habits:
    """What a workspace remembers of what a person always allows or never."""

    def __init__(self, workspace: Path, console: Console, prompt: Prompt) -> None:
        self.workspace = workspace
        self.console = console
        self.ask = partial(ask_line, prompt, console)

    def refusal(self, plan: Plan) -> str:
        """Which remembered rule refuses a plan, in words; empty if none does."""
        policy = remembered(self.workspace)
        decision = policy.decide(plan) if policy else None
        return decision.note if decision is not None and decision.action == "abort" else ""

    def keep(self, plan: Plan, verdict: Always, name: str) -> bool:
        """Show the rules that a plan makes and keep them if the person says yes.

        An approval speaks of every step of the plan or of step ``name``, a refusal of one step.
        Raises InputError for a step that acts outside the run's folder: it is asked about always.
        """
        if acts_outside(plan):
            raise InputError(
                "This plan acts outside the run's folder: no rule covers it.",
                "You are asked about it each time.",
            )
        steps = self._meant(plan, verdict, name)
        rules = [rule_like(plan, step, verdict, "said at the approval screen") for step in steps]
        for rule in rules:
            say(self.console, in_words(rule), "bold", indent=2)
        if self.ask("Remember this for later runs too? [y/N] ", _ABOUT).lower() not in _YES:
            say(self.console, "Nothing was remembered.", "yellow")
            return False
        self._remember(rules)
        return True

    def _meant(self, plan: Plan, verdict: Always, name: str) -> list[Step | None]:
        if not plan.steps:
            return [None]
        if verdict == "approve" and not name:
            return [*plan.steps]
        tools = list(dict.fromkeys(step.tool for step in plan.steps))
        if not name:
            name = tools[0] if len(tools) == 1 else self._which(tools)
        if name not in tools:
            raise InputError(f"{name!r} is no step of the plan.", f"Steps: {', '.join(tools)}.")
        return [next(step for step in plan.steps if step.tool == name)]

    def _which(self, tools: list[str]) -> str:
        return self.ask(f"Never which step: {', '.join(tools)}? ", "The step that is never to run.")

    def _remember(self, rules: list[Rule]) -> None:
        """Keep the rules and say how each is taken back."""
        for rule in rules:
            remember(self.workspace, rule)
        policy = remembered(self.workspace)
        kept = policy.rules if policy else []
        numbers = [
            n for n, rule in enumerate(kept, start=1) if in_words(rule) in map(in_words, rules)
        ]
        place = "" if self.workspace == Path(".netloop") else f" --workspace {self.workspace}"
        say(self.console, "Remembered. To take it back:", "green")
        for number in reversed(numbers):  # so that the numbers of the others stay
            say_exact(self.console, f"  netloop policy revoke {number}{place}")


_YES = ("y", "yes")
