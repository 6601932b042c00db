"""A terminal that remembers what was written to it, and a plan with everything in it."""

import io
from collections.abc import Callable

import pytest
from rich.cells import cell_len
from rich.console import Console

from agents.checkpoints import Plan, Question, Step
from tools.spec import Estimate


class Screen:
    """A console of a given width, and the lines that it shows."""

    def __init__(self, width: int = 80) -> None:
        self.width = width
        self.console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)

    @property
    def text(self) -> str:
        """Everything that was written."""
        return self.console.file.getvalue()  # type: ignore[attr-defined]

    @property
    def words(self) -> str:
        """Everything that was written, on one line."""
        return " ".join(self.text.split())

    def check_width(self) -> None:
        """Every line fits the screen."""
        for line in self.text.splitlines():
            assert cell_len(line) <= self.width, line


@pytest.fixture
def screen() -> Callable[[int], Screen]:
    """``screen(width)``: a new one."""
    return Screen


@pytest.fixture
def plan() -> Plan:
    """A second version of a cleaning plan, with changes and a question."""
    return Plan(
        stage="cleaning",
        version=2,
        planner="rules",
        summary="Set 1,204 rows aside, split by time, hide identifiers and look for shortcuts.",
        steps=[
            Step(
                tool="clean_rows",
                params={"filters": ["repeated_rows", "broadcast"]},
                reasons={"filters": "repeated_rows: 1,180 rows; broadcast: 24 rows"},
                risk="write",
                estimate=Estimate(rows=7129, minutes=0.005, memory_mb=64),
            ),
            Step(
                tool="split_rows",
                params={"by": "time", "test": 0.5, "validation": 0.2},
                reasons={"by": "train on earlier flows, test on later ones, as in operation"},
                risk="write",
                estimate=Estimate(rows=7129, minutes=0.3, memory_mb=120, measured=True),
            ),
            Step(
                tool="audit_shortcuts",
                params={"masks": ["addresses", "macs", "ports", "time", "ttl", "ip_id"]},
                reasons={"masks": "they name hosts and moments, not behaviour"},
                estimate=Estimate(rows=7129, minutes=4, memory_mb=64),
            ),
        ],
        questions=[
            Question(
                id="split_rows.test",
                text="Which share of each class should be held out?",
                kind="number",
                default="0.5",
                reason="More makes the test surer and the training poorer.",
            )
        ],
        changes=['~ split_rows.by: "flow" -> "time"', "+ audit_shortcuts: new"],
    )
