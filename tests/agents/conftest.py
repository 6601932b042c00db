"""A small table and a finished spec: enough to walk the whole life cycle in seconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents import state as _state  # noqa: F401  (strict msgpack, before any test imports langgraph)
from agents.spec import Spec


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 records of two classes that overlap, in three numeric columns and one of words."""
    random = np.random.default_rng(7)
    lines = ["duration,bytes,errors,service,kind"]
    for number in range(300):
        attack = number % 2
        duration, size = random.gamma(2 + attack, 1.0), random.lognormal(6 + attack, 1.0)
        service = random.choice(["http", "dns", "ssh"])
        name = "attack" if attack else "normal"
        lines.append(f"{duration:.4f},{size:.1f},{random.poisson(1 + attack)},{service},{name}")
    path = tmp_path_factory.mktemp("table") / "flows.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def spec(table: Path) -> Callable[..., Spec]:
    """A spec over the table; keyword arguments replace its parts."""

    def make(**parts: Any) -> Spec:
        content = {
            "goal": "Tell attacks from normal records",
            "data": {"source": str(table), "label": "kind"},
            "design": {"candidates": ["majority", "logistic_regression"]},
        }
        return Spec.model_validate({**content, **parts})

    return make
