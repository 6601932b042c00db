"""The report of a run as its folder tells it: what is offered, what is called how."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.augment.findings import Exploration
from pipelines.augment.made_rows import MadeRows
from pipelines.store.events import EventLog
from pipelines.store.run import RunFolder
from tools.report import build_report

SIZES = {
    side: {"rows": 2, "groups": 2, "classes": {"a": 1, "b": 1}}
    for side in ("train", "validation", "test")
}
Start = Callable[..., RunFolder]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """A run with a status that imported captures (0 for a table) and split them."""

    def make(status: str, captures: int = 2, by: str = "time", **record: Any) -> RunFolder:
        spec = {"goal": "g", "data": {"source": "s", "test": None}}
        run = RunFolder.create(tmp_path / "w", {"spec": spec, "status": status, **record})
        digest = run.store.make(lambda folder: (folder / "health.json").write_text("[]"))
        finish(
            run, "import_rows", {"label": "file", "granularity": "flow", "captures": captures},
            rows=digest,
        )  # fmt: skip
        split = run.store.make(lambda folder: (folder / "manifest.json").write_text("{}"))
        found = {"by": by, "group": "flow", "groups_on_two_sides": 0, "warnings": []}
        finish(run, "split_rows", {**found, "sizes": SIZES}, split=split)
        return run

    return make


def finish(run: RunFolder, step: str, numbers: dict[str, Any], **artifacts: str) -> None:
    EventLog(run.events, run.id).append(
        "step.finished", step=step, numbers=numbers, artifacts=artifacts
    )


def verbs(run: RunFolder) -> list[str]:
    """The commands that a report offers, without the run's id and the workspace."""
    return [each.split(f" {run.id}")[0] for each in build_report(run).commands]


@pytest.mark.parametrize("status", ["failed", "paused", "interrupted"])
def test_a_run_that_can_go_on_offers_to_resume_first(start: Start, status: str) -> None:
    assert verbs(start(status)) == ["netloop runs resume", "netloop runs show", "netloop report"]


@pytest.mark.parametrize("status", ["done", "target_missed", "refused", "budget"])
def test_a_run_that_ended_offers_no_resume(start: Start, status: str) -> None:
    assert verbs(start(status)) == ["netloop runs show", "netloop report"]


@pytest.mark.parametrize(("captures", "source"), [(2, "CAPTURE"), (0, "TABLE")])
def test_detect_is_offered_once_there_is_a_detector(
    start: Start, captures: int, source: str
) -> None:
    run = start("done", captures)
    finish(run, "package_detector", {}, detector="0" * 64)
    workspace = run.path.parent.parent
    assert build_report(run).commands[-1] == (
        f"netloop detect {run.id} {source} --workspace {workspace}"
    )


def test_a_failed_run_carries_its_error(start: Start) -> None:
    error = "These rows carry no time. Split by row."
    found = build_report(start("failed", error=error))
    assert (found.outcome, found.error) == ("failed", error)
    assert build_report(start("paused", error=None)).error == ""


def test_a_table_has_records_and_rows_not_flows(start: Start) -> None:
    found = build_report(start("done", captures=0, by="row"))
    assert found.data is not None and found.split is not None
    assert (found.data.granularity, found.split.by, found.split.group) == ("record", "row", "row")
    assert found.limits[0].startswith("Tested on records of the same table")


@pytest.mark.parametrize("by", ["time", "capture", "flow", "row", "fixed"])
def test_every_way_to_split_has_its_limit(start: Start, by: str) -> None:
    assert build_report(start("done", by=by)).limits[0].startswith("Tested on ")


def test_captures_have_flows(start: Start) -> None:
    found = build_report(start("done"))
    assert found.data is not None and found.split is not None
    assert (found.data.granularity, found.split.group) == ("flow", "flow")


def test_synthetic_rows_are_told_as_far_as_they_went(start: Start) -> None:
    run = start("done")
    assert (build_report(run).explored, build_report(run).made) == (None, None)
    content = Exploration(metric="accuracy", draws=6, real_rows=8, test_rows=9, arms={}, models={})
    kept = content.model_dump_json()
    digest = run.store.make(lambda folder: (folder / "exploration.json").write_text(kept))
    finish(run, "explore_arms", {}, exploration=digest)
    assert build_report(run).explored == content
    made = MadeRows(
        arm="smote", amount=2, rows=9, screened_out=1, train_rows=5, notes=[], gate="Fine."
    )
    finish(run, "augment_rows", made.model_dump())
    assert build_report(run).made == made
