"""Plans to put before a policy."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.checkpoints import Plan, Stage, Step
from tools.registry import TOOLS
from tools.spec import Estimate

MakePlan = Callable[..., Plan]


@pytest.fixture
def plan() -> MakePlan:
    """``plan("design", step, ...)``: a plan of these steps."""

    def make(stage: Stage = "design", *steps: Step, **parts: Any) -> Plan:
        return Plan(stage=stage, planner="rules", summary="", steps=list(steps), **parts)

    return make


@pytest.fixture
def step() -> Callable[..., Step]:
    """``step("train_cnn", minutes=10, epochs=30)``: costs by name, and all else parameters."""

    def make(tool: str, **given: Any) -> Step:
        costs = {name: given.pop(name) for name in Estimate.model_fields if name in given}
        return Step(tool=tool, risk=TOOLS[tool].risk, estimate=Estimate(**costs), params=given)

    return make
