"""What a life-cycle stage may propose and what code checks after it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agents.checkpoints import Plan, Stage
from agents.state import Review, State
from pipelines.errors import NetloopError

if TYPE_CHECKING:
    from agents.workbench import Workbench

Facts = Callable[["Workbench", State], dict[str, Any]]


def allow(plan: Plan, state: State) -> None:
    """A stage in which every plan may run."""


def never(bench: "Workbench", state: State) -> bool:
    """A stage whose plan is executed once."""
    return False


@dataclass(frozen=True)
class StageRules:
    """One stage. ``required`` stages cannot be skipped: later ones need what they make.

    ``check`` raises InputError for a plan that must not run, whoever approves it. ``another`` says
    whether there is room for another trial if the planner asks for one.
    """

    name: Stage
    tools: tuple[str, ...]
    required: bool
    facts: Facts
    review: Callable[["Workbench", State], Review]
    check: Callable[[Plan, State], None] = allow
    another: Callable[["Workbench", State], bool] = never

    def checked(self, plan: Plan) -> Plan:
        """The plan itself. Raises NetloopError if it is another stage's or uses a tool that is."""
        strange = [step.tool for step in plan.steps if step.tool not in self.tools]
        if plan.stage != self.name or strange:
            raise NetloopError(
                f"The planner {plan.planner} proposed {strange or plan.stage} in {self.name}.",
                f"This stage may use: {', '.join(self.tools) or 'no tool'}.",
            )
        return plan
