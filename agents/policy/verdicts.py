"""What a policy makes of a plan: a verdict a step, and one decision that says which rule it was."""

from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from agents.checkpoints import Action, Decision, Plan, Step, step_names
from agents.policy.rules import Rule, Verdict, acts_outside, risk_of, steps_of
from agents.policy.words import about, in_words, rule_for

_LONGEST_NOTE = 4000


@dataclass(frozen=True)
class Ruling:
    """What becomes of one step, by which rule (None: no rule matched), and why in words."""

    step: str
    verdict: Verdict
    rule: int | None
    words: str


class Policy(BaseModel):
    """Rules in order; the first that matches a step decides it. No match: refused."""

    model_config = ConfigDict(extra="forbid")

    unmatched: ClassVar[Verdict] = "refuse"

    rules: list[Rule] = Field(min_length=1)
    _place: str = PrivateAttr(default="the policy")

    def at(self, place: str) -> Self:
        """The policy itself, called ``place`` in decisions."""
        self._place = place
        return self

    def decide(self, plan: Plan) -> Decision | None:
        """Yes if every step is approved, no if one is refused, None if a person must look."""
        rulings = self.rulings(plan)
        refused = [ruling for ruling in rulings if ruling.verdict == "refuse"]
        if refused:
            return _decision("abort", plan, refused)
        if all(ruling.verdict == "approve" for ruling in rulings):
            return _decision("approve", plan, rulings)
        return None

    def rulings(self, plan: Plan) -> list[Ruling]:
        """The verdict on each step; of a plan without steps one verdict."""
        steps = steps_of(plan)
        return [
            self._ruling(plan, name, step)
            for name, step in zip(step_names(steps), steps, strict=True)
        ]

    def _ruling(self, plan: Plan, name: str, step: Step) -> Ruling:
        for number, rule in enumerate(self.rules, start=1):
            if rule.matches(plan, step):
                words = f"rule {number} of {self._place} ({in_words(rule)})"
                return Ruling(name, rule.decide, number, words)
        return Ruling(name, self.unmatched, None, self._why_unmatched(plan, name, step))

    def _why_unmatched(self, plan: Plan, name: str, step: Step) -> str:
        near = (
            f" Rule {number} speaks of it, but {rule.objection(step)}."
            for number, rule in enumerate(self.rules, start=1)
            if rule.speaks_of(plan, step)
        )
        return (
            f"No rule of {self._place} matches {name} of the {plan.stage} plan "
            f"(risk {risk_of(step)}, {about(step.estimate.minutes)}).{next(near, '')} "
            f"One that would: {rule_for(plan, step)}"
        )


class Remembered(Policy):
    """Rules that a person laid down at the approval screen. No match: the person is asked.

    They never speak of a plan that acts outside the run's folder, that failed or that the audit
    stopped, and never approve one with open questions.
    """

    unmatched: ClassVar[Verdict] = "ask"

    def decide(self, plan: Plan) -> Decision | None:
        """As a policy does; None wherever only a person may answer."""
        if plan.failure or plan.gate or acts_outside(plan):
            return None
        decision = super().decide(plan)
        if decision is not None and decision.action == "approve" and plan.questions:
            return None
        return decision


def approve_all(plan: Plan) -> Decision | None:
    """The answer of ``--approve auto``: yes, with every question's default.

    None, so that a person is asked, for a plan that acts outside the run's folder.
    """
    if acts_outside(plan):
        return None
    return Decision(action="approve", plan=plan.digest(), by="auto")


def _decision(action: Action, plan: Plan, rulings: list[Ruling]) -> Decision:
    """The decision, whose note names the rules and the steps that each of them decided."""
    steps: dict[str, list[str]] = {}
    for ruling in rulings:
        steps.setdefault(ruling.words, []).append(ruling.step)
    unmatched = {ruling.words for ruling in rulings if ruling.rule is None}
    notes = [w if w in unmatched else f"{', '.join(names)}: {w}" for w, names in steps.items()]
    return Decision(
        action=action, plan=plan.digest(), note="; ".join(notes)[:_LONGEST_NOTE], by="policy"
    )
