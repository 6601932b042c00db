"""Who says yes when no person does: everything, nobody, or the first rule that matches."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.checkpoints import STAGES, Decision, Plan, Step
from pipelines.errors import InputError
from tools.registry import TOOLS
from tools.spec import Risk

Verdict = Literal["approve", "ask", "refuse"]


class Rule(BaseModel):
    """One line of a policy: what it matches and what follows."""

    model_config = ConfigDict(extra="forbid")

    stage: str = "*"
    tool: str = "*"
    risk: list[Risk] | None = None
    max_minutes: float | None = Field(default=None, ge=0)
    decide: Verdict

    def matches(self, plan: Plan, step: Step | None) -> bool:
        """Whether the rule speaks of this step (of the empty plan, if there is no step)."""
        if not fnmatchcase(plan.stage, self.stage):
            return False
        if step is None:
            return self.tool == "*"
        if not fnmatchcase(step.tool, self.tool) or (self.risk and step.risk not in self.risk):
            return False
        return self.max_minutes is None or step.estimate.minutes <= self.max_minutes


class Policy(BaseModel):
    """Rules in order; the first that matches a step decides it. No match: a person is asked."""

    model_config = ConfigDict(extra="forbid")

    rules: list[Rule] = Field(min_length=1)

    def decide(self, plan: Plan) -> Decision | None:
        """Yes if every step is approved, no if one is refused, None if a person must look."""
        steps: list[Step | None] = [*plan.steps] or [None]
        verdicts = [self._verdict(plan, step) for step in steps]
        if "refuse" in verdicts:
            return Decision(
                action="abort", plan=plan.digest(), note="refused by policy", by="policy"
            )
        if all(verdict == "approve" for verdict in verdicts):
            return Decision(action="approve", plan=plan.digest(), by="policy")
        return None

    def _verdict(self, plan: Plan, step: Step | None) -> Verdict:
        return next((rule.decide for rule in self.rules if rule.matches(plan, step)), "ask")


def load_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises InputError: no such file, no YAML, an unknown key, a stage or tool that does not exist.
    """
    try:
        policy = Policy.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(
            f"--approve {path}: not ask, not auto, and no policy file: {error.strerror}."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(
            f"The policy {path} is not YAML: {' '.join(str(error).split())}."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"The policy {path}: {place}: {first['msg'].lower()}.",
            "Example: rules: [{stage: design, tool: 'train_*', max_minutes: 30, decide: approve}]",
        ) from error
    for rule in policy.rules:
        _check_name(path, "stage", rule.stage, STAGES)
        _check_name(path, "tool", rule.tool, tuple(TOOLS))
    return policy


def _check_name(path: Path, kind: str, pattern: str, known: tuple[str, ...]) -> None:
    """A rule that can match nothing is a slip, and one that refuses would be passed over."""
    if not any(fnmatchcase(name, pattern) for name in known):
        raise InputError(
            f"The policy {path}: no {kind} is called {pattern!r}.", f"Known: {', '.join(known)}."
        )


def approve_all(plan: Plan) -> Decision:
    """The answer of ``--approve auto``: yes, with every question's default."""
    return Decision(action="approve", plan=plan.digest(), by="auto")
