"""The command in an empty folder, a terminal that remembers, and a plan with everything in it."""

import io
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import Command, run_here, run_process
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
def netloop(tmp_path: Path) -> Command:
    """``netloop("run", ...)`` in an empty folder, with no terminal and no key; in this process."""
    return partial(run_here, folder=tmp_path)


@pytest.fixture
def process(tmp_path: Path) -> Command:
    """The same in a process of its own."""
    return partial(run_process, folder=tmp_path)


@pytest.fixture(scope="session")
def table_spec(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Path:
    """A spec over the small table, with fast candidates."""
    content = {
        "goal": "Tell attacks from normal records",
        "data": {"source": str(table), "label": "kind"},
        "design": {"candidates": ["majority", "logistic_regression"]},
    }
    path = tmp_path_factory.mktemp("spec") / "spec.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def spec_file(tmp_path: Path, table_spec: Path) -> Path:
    """That spec in the folder where the command works."""
    return Path(shutil.copy(table_spec, tmp_path / "spec.yaml"))


@pytest.fixture(scope="session")
def ended_run(tmp_path_factory: pytest.TempPathFactory, table_spec: Path) -> tuple[Path, Any]:
    """A folder in which one run went to its end, and the JSON that it printed."""
    folder = tmp_path_factory.mktemp("ended")
    ended = run_here("run", table_spec, "--approve", "auto", "--json", folder=folder)
    assert ended.code == 0, ended.err
    return folder, json.loads(ended.out)


@pytest.fixture(scope="session")
def paused_run(tmp_path_factory: pytest.TempPathFactory, table_spec: Path) -> Path:
    """A folder in which one run waits with its cleaning plan."""
    folder = tmp_path_factory.mktemp("paused")
    for words in (("run", table_spec), ("runs", "approve", "last")):
        ended = run_here(*words, folder=folder)
        assert ended.code == 3, ended.err
    return folder


@pytest.fixture
def finished(tmp_path: Path, ended_run: tuple[Path, Any]) -> Any:
    """A copy of the ended run where the command works; its output."""
    folder, output = ended_run
    shutil.copytree(folder / ".netloop", tmp_path / ".netloop")
    return output


@pytest.fixture
def paused(tmp_path: Path, paused_run: Path) -> None:
    """A copy of the run that waits with its cleaning plan, where the command works."""
    shutil.copytree(paused_run / ".netloop", tmp_path / ".netloop")


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
                kind="share",
                default="0.5",
                reason="More makes the test surer and the training poorer.",
            )
        ],
        changes=['~ split_rows.by: "flow" -> "time"', "+ audit_shortcuts: new"],
    )
