"""Runs over data in which an attacker wrote wherever he could, and over its harmless twin.

The twin of a table keeps the hostile cells, so that all numbers are the same: no cell is evidence.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from injections import (
    INJECTIONS,
    LABEL,
    captures,
    clean,
    clean_columns,
    file_names,
    in_order,
    table,
)

from agents import state as _state  # noqa: F401  (strict msgpack, before any test imports langgraph)
from agents.checkpoints import Plan, Stage
from agents.life_cycle import Decide, create_run, opened
from agents.planners.base import Evidence, Reading
from agents.planners.rules import RulePlanner
from agents.policy import approve_all
from agents.spec import Spec
from agents.state import Feedback, Review

Walk = dict[str, Evidence]
HOSTILE = [*INJECTIONS.values()]
# Longer ones are refused as labels, already when rows are read.
LABELS = [text for text in HOSTILE if len(text) <= 200]
COLUMNS = 30
# Of folders, so that each class has flows enough to be split.
CLASSES = file_names(HOSTILE)[:6]
FILES = [text for text in file_names(HOSTILE) if not text.startswith(".")][6:9]


class Watching(RulePlanner):
    """The rules, and the evidence that they were handed before and after each stage."""

    def __init__(self) -> None:
        self.seen: Walk = {}

    def propose(self, evidence: Evidence, feedback: Feedback | None, before: Plan | None) -> Plan:
        self.seen[evidence.stage] = evidence
        return super().propose(evidence, feedback, before)

    def read(self, evidence: Evidence, plan: Plan, found: Review) -> Reading:
        self.seen[f"{evidence.stage}, read"] = evidence
        return super().read(evidence, plan, found)


def before(stage: Stage) -> Decide:
    """Yes to every plan up to a stage, about which nobody answers."""
    return lambda plan: None if plan.stage == stage else approve_all(plan)


def walked(workspace: Path, decide: Decide, **parts: Any) -> Walk:
    """The evidence of every stage of a run that is reached with these decisions."""
    spec = Spec.model_validate({"goal": "Tell malware from normal traffic", **parts})
    planner = Watching()
    with opened(create_run(workspace, spec, "auto"), workspace, planner=planner) as life_cycle:
        life_cycle.advance(decide)
    return planner.seen


@pytest.fixture(scope="session")
def attachment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text file of all injections."""
    path = tmp_path_factory.mktemp("attached") / "notes.txt"
    path.write_text("\n".join(HOSTILE), encoding="utf-8", errors="surrogatepass")
    return path


@pytest.fixture(scope="session")
def over_tables(tmp_path_factory: pytest.TempPathFactory, attachment: Path) -> tuple[Walk, Walk]:
    """The evidence over a table of hostile classes, columns and cells, and over its twin."""
    return _both(lambda folder, texts: _over_table(folder, texts, attachment), tmp_path_factory)


@pytest.fixture(scope="session")
def over_whole_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Walk, Walk]:
    """The same of a few classes, up to the test side; the twin up to before it."""
    return _both(_over_whole_run, tmp_path_factory)


@pytest.fixture(scope="session")
def over_captures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Walk, Walk]:
    """The same over captures: folders, files, payloads, names and headers."""
    return _both(_over_captures, tmp_path_factory)


def _both(
    over: Callable[[Path, dict[str, str]], Walk], folders: pytest.TempPathFactory
) -> tuple[Walk, Walk]:
    return over(folders.mktemp("hostile"), {}), over(folders.mktemp("twin"), clean(HOSTILE))


def _over_table(folder: Path, texts: dict[str, str], attachment: Path) -> Walk:
    path = folder / f"{in_order([FILES[0]], texts)[0]}.csv"
    table(path, in_order(LABELS, texts), HOSTILE, _columns(HOSTILE[:COLUMNS], texts))
    return walked(folder / "w", before("design"), data=_of(path), attachments=[str(attachment)])


def _over_whole_run(folder: Path, texts: dict[str, str]) -> Walk:
    labels = in_order(LABELS[COLUMNS : COLUMNS + 4], texts)
    columns = _columns(HOSTILE[-3:], texts)
    table(folder / "t.csv", labels, HOSTILE, columns, rows_a_class=12)
    decide = before("operation") if texts else approve_all
    design = {"candidates": ["majority", "knn"]}
    return walked(folder / "w", decide, data=_of(folder / "t.csv"), design=design)


def _over_captures(folder: Path, texts: dict[str, str]) -> Walk:
    classes, files = in_order(CLASSES, texts), in_order(FILES, texts)
    captures(folder / "captures", classes, files, in_order(HOSTILE, texts))
    data = {"source": str(folder / "captures"), "label": "folder", "protocols": True}
    return walked(folder / "w", before("cleaning" if texts else "design"), data=data)


def _columns(columns: list[str], texts: dict[str, str]) -> list[str]:
    return clean_columns(columns) if texts else columns


def _of(path: Path) -> dict[str, str]:
    return {"source": str(path), "label": LABEL}
