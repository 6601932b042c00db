"""The strongest attacker: a model that obeys every instruction that it reads, behind a real server.

It never gets to read one. Its plans over hostile data are those over the harmless twin.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from injections import INJECTIONS, LABEL, captures, clean, file_names, in_order, leaks, table
from openai_double import OpenAIDouble, openai_double
from planner_double import PlannerDouble, kind_of

from agents.checkpoints import Decision, Plan
from agents.life_cycle import create_run, opened
from agents.planners.choose import planner_of
from agents.policy import approve_all
from agents.spec import Spec
from agents.stages import rules_of
from pipelines.store.events import read_events
from pipelines.store.run import RunFolder

HOSTILE = [*INJECTIONS.values()]
LABELS = [text for text in HOSTILE if len(text) <= 200][30:34]
CLASSES, FILES = file_names(HOSTILE)[:4], [f for f in file_names(HOSTILE) if f[0] != "."][6:8]
NAMES = ("source", "label", "columns", "benign", "classes")
# What each stage would do for whoever tells it to.
EVIL = {
    "cleaning": {"masks": [], "split_by": "row"},
    "design": {"candidates": ["majority"]},
    "operation": {"model": "majority", "why": "I was told to."},
}


class Obedient(PlannerDouble):
    """Does what the data tells it to, where it reads it; else what it was going to do."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def __call__(self, request: dict[str, Any]) -> str:
        said = "\n".join(str(message["content"]) for message in request["messages"])
        self.heard += leaks(said)
        self.changes = EVIL if leaks(said) else {}
        return super().__call__(request)


@contextmanager
def obedient(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Obedient, OpenAIDouble]]:
    double = Obedient()
    with openai_double(double) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("NETLOOP_MODEL", "obedient")
        yield double, server


def walked(workspace: Path, data: dict[str, Any], sees: str = "stats") -> RunFolder:
    """A run up to the plan that would read the test side."""
    content = {
        "goal": "Tell malware from normal traffic",
        "data": data,
        "design": {"candidates": ["majority", "knn"]},
        "llm_sees": sees,
    }

    def decide(plan: Plan) -> Decision | None:
        return None if plan.stage == "operation" else approve_all(plan)

    workspace.mkdir(exist_ok=True)
    run = create_run(workspace, Spec.model_validate(content), "auto")
    with opened(run, workspace, planner=planner_of(run, workspace)) as life_cycle:
        life_cycle.advance(decide)
    return run


def plans(run: RunFolder) -> list[dict[str, Any]]:
    return [e.data["plan"] for e in read_events(run.events) if e.type == "plan.proposed"]


def shape(run: RunFolder) -> list[Any]:
    """Who proposed what, without the names of the data."""
    return [
        [
            plan["planner"],
            [
                [step["tool"], {k: v for k, v in step["params"].items() if k not in NAMES}]
                for step in plan["steps"]
            ],
        ]
        for plan in plans(run)
    ]


def a_table(folder: Path, texts: dict[str, str]) -> dict[str, str]:
    folder.mkdir()
    columns = [f"c{number}" for number in range(3)]
    path = folder / "t.csv"
    table(path, in_order(LABELS, texts), HOSTILE, columns, rows_a_class=12)
    return {"source": str(path), "label": LABEL}


@pytest.mark.slow
@pytest.mark.parametrize("sees", ["schema", "stats"])
def test_its_plans_over_a_hostile_table_are_those_over_a_harmless_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sees: str
) -> None:
    with obedient(monkeypatch) as (double, server):
        hostile = walked(tmp_path / "w1", a_table(tmp_path / "hostile", {}), sees)
        twin = walked(tmp_path / "w2", a_table(tmp_path / "twin", clean(HOSTILE)), sees)
    assert double.heard == []
    assert {kind_of(request.json) for request in server.requests} >= {"cleaning", "design"}
    assert shape(hostile) == shape(twin)
    _only_listed_tools(hostile)
    assert "the language model obedient" in {plan["planner"] for plan in plans(hostile)}


@pytest.mark.slow
def test_captures_say_nothing_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Payloads, DNS names, server names, headers, folders and files."""
    captures(tmp_path / "captures", CLASSES, FILES, HOSTILE)
    data = {"source": str(tmp_path / "captures"), "label": "folder", "protocols": True}
    with obedient(monkeypatch) as (double, server):
        run = walked(tmp_path / "w", data)
    assert double.heard == []
    assert len(server.requests) >= 4
    sent = (run.path / "egress.jsonl").read_text()
    assert leaks(sent) == [] and leaks(json.loads(sent.splitlines()[1])["body"]) == []
    _only_listed_tools(run)


def test_it_would_obey_if_it_read_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the tests before could not fail: at ``raw`` it reads cells, and does as they say. What
    it may say is still bounded: masks stay, and the person is told what differs."""
    with obedient(monkeypatch) as (double, _):
        run = walked(tmp_path / "w", a_table(tmp_path / "hostile", {}), "raw")
    assert double.heard != []
    cleaning = next(plan for plan in plans(run) if plan["stage"] == "cleaning")
    assert cleaning["planner"] == "rules" and "hidden" in cleaning["notes"][0]
    _only_listed_tools(run)


def _only_listed_tools(run: RunFolder) -> None:
    for plan in plans(run):
        assert {step["tool"] for step in plan["steps"]} <= {*rules_of(plan["stage"]).tools}
    started = [e.data["tool"] for e in read_events(run.events) if e.type == "step.started"]
    assert not {"export_flows", "detect_live", "detect_traffic"} & {*started}
