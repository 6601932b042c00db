"""What the planner of the cleaning stage is told of rows: counts, never what is in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.life_cycle import create_run, opened
from agents.planners.base import Evidence
from agents.planners.rules import RulePlanner
from agents.policy import approve_all
from agents.spec import Spec
from agents.stages.cleaning import filters_with_examples

SECRET = "sekret"


class Listening(RulePlanner):
    """The rules, with all that they were told."""

    def __init__(self) -> None:
        self.told: list[Evidence] = []

    def propose(self, evidence: Evidence, *rest: Any) -> Any:
        self.told.append(evidence)
        return super().propose(evidence, *rest)


@pytest.fixture
def noisy(tmp_path: Path, table: Path) -> Path:
    """The small table with a repeated and an impossible record, in a service of its own."""
    lines = table.read_text().splitlines()
    path = tmp_path / "noisy.csv"
    lines += [f"1.5,700.0,1,{SECRET},attack"] * 2 + [f"-2,700.0,1,{SECRET},normal"]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_no_example_reaches_the_planner(
    tmp_path: Path, noisy: Path, spec: Callable[..., Spec]
) -> None:
    run = create_run(tmp_path, spec(data={"source": str(noisy), "label": "kind"}), "ask")
    with opened(run, tmp_path) as life_cycle:
        planner = life_cycle.bench.planner = Listening()
        life_cycle.advance(lambda plan: None if plan.stage == "cleaning" else approve_all(plan))
        pending = life_cycle.pending()
        seen = filters_with_examples(life_cycle.bench, life_cycle.state())
    told = next(one for one in planner.told if one.stage == "cleaning")
    filters = {found["name"]: found for found in told.facts["filters"]}
    assert filters["exact_duplicates"]["rows"] == 1
    assert filters["implausible_rows"]["rows"] == 1
    assert not any("examples" in found for found in filters.values())
    assert SECRET not in told.model_dump_json(), "what rows hold is for a person's eyes"
    assert pending is not None
    plan = pending.model_dump_json()
    assert SECRET not in plan and "implausible_rows (1)" in plan
    assert SECRET in str(seen.pop("examples")["implausible_rows"]), "a person can look at them"
    assert seen == {key: told.facts[key] for key in seen}, "with the numbers that planners have"
    assert len(list(tmp_path.rglob("examples.json"))) == 1, "nothing was computed anew"
