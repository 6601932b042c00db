"""Whatever an attacker writes into data, at ``schema`` and ``stats`` a planner reads none of it.

It reads the same as it would over the harmless twin of the data, where only texts differ.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from injections import CANARY, INJECTIONS, leaks

from agents.planners.base import Evidence
from agents.planners.rules import RulePlanner
from agents.spec import Sees
from agents.wall.view import names_of, plan_view, view

HOSTILE = [*INJECTIONS.values()]
Walk = dict[str, Evidence]
Walks = tuple[Walk, Walk]
pytestmark = pytest.mark.slow
WITHOUT_WORDS: tuple[Sees, ...] = ("schema", "stats")
WITH_WORDS: tuple[Sees, ...] = ("redacted", "raw")
LONGEST_CELL, LONGEST_ATTACHMENT = 240, 8_000


def shown(evidence: Evidence, sees: Sees, workspace: Path) -> dict[str, Any]:
    return view(evidence, sees, names_of(evidence), workspace)


UNLIKE = ("seconds", "rows_per_second", "warnings")


def alike(seen: Any) -> Any:
    """What a run and its twin have in common: all but clocks, warnings of strange names, and
    scores, for which rows a split draws depends on what columns and classes are called."""
    if isinstance(seen, dict):
        return {key: alike(value) for key, value in seen.items() if key not in UNLIKE}
    if isinstance(seen, list):
        return [*map(alike, seen)]
    return 0.0 if isinstance(seen, float) else seen


@pytest.fixture(scope="session")
def walks(over_tables: Walks, over_captures: Walks, over_whole_runs: Walks) -> dict[str, Walks]:
    return {"table": over_tables, "captures": over_captures, "run": over_whole_runs}


@pytest.mark.parametrize("sees", WITHOUT_WORDS)
@pytest.mark.parametrize("data", ["table", "captures", "run"])
def test_nothing_that_data_says_is_in_any_form_in_what_a_planner_reads(
    walks: dict[str, Walks], data: str, sees: Sees, tmp_path: Path
) -> None:
    hostile, _ = walks[data]
    assert set(hostile) >= {"requirements", "cleaning", "augmentation", "design"}
    for stage, evidence in hostile.items():
        document = json.dumps(shown(evidence, sees, tmp_path))
        assert leaks(document) == [], stage
        assert leaks(json.dumps(json.loads(document), ensure_ascii=False)) == [], stage


def test_scores_of_classes_are_told_by_their_numbers(
    over_whole_runs: Walks, tmp_path: Path
) -> None:
    seen = shown(over_whole_runs[0]["operation, read"], "stats", tmp_path)
    (model, *_) = seen["numbers"]["evaluate_models"]["models"]
    assert [*model["per_class"]] == ["class_1", "class_2", "class_3", "class_4"]


def test_the_evidence_itself_is_full_of_it(walks: dict[str, Walks]) -> None:
    """Else the test before could not fail: classes, columns, files and captures are hostile."""
    for data, (hostile, twin) in walks.items():
        assert leaks(hostile["requirements"].model_dump_json()) != [], data
        assert leaks(hostile["design"].model_dump_json(exclude={"spec"})) != [], data
        for evidence in twin.values():
            assert leaks(evidence.model_dump_json(exclude={"spec"})) == [], data


@pytest.mark.parametrize("sees", WITHOUT_WORDS)
@pytest.mark.parametrize("data", ["table", "run"])
def test_a_planner_reads_the_same_as_over_the_harmless_twin(
    walks: dict[str, Walks], data: str, sees: Sees, tmp_path: Path
) -> None:
    hostile, twin = walks[data]
    assert {"requirements", "cleaning, read", "design"} <= {*twin}
    for stage, evidence in twin.items():
        seen, other = shown(hostile[stage], sees, tmp_path), shown(evidence, sees, tmp_path)
        assert alike(seen) == alike(other), stage


def test_over_captures_only_numbers_differ(walks: dict[str, Walks], tmp_path: Path) -> None:
    """Texts of other lengths make packets of other sizes; names and structure are the same."""
    hostile, twin = walks["captures"]
    assert [*twin] == ["requirements", "requirements, read", "cleaning"]
    for stage, other in twin.items():
        seen = shown(hostile[stage], "schema", tmp_path)
        assert seen == shown(other, "schema", tmp_path), stage


@pytest.mark.parametrize("data", ["table", "captures", "run"])
def test_plans_made_from_hostile_data_pass_the_wall_without_it(
    walks: dict[str, Walks], data: str
) -> None:
    for evidence in walks[data][0].values():
        plan = RulePlanner().propose(evidence, None, None)
        named = plan.model_copy(update={"summary": HOSTILE[0], "failure": HOSTILE[1]})
        seen = plan_view(named, names_of(evidence, [named]))
        assert leaks(json.dumps(seen)) == []
        assert seen["failed"]


def texts(value: Any, marked: bool = False) -> Iterator[tuple[str, bool]]:
    """Every text below a value, keys too, and whether it is marked as data."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield key, marked
            yield from texts(below, marked or [*value] == ["data"])
    elif isinstance(value, list):
        for below in value:
            yield from texts(below, marked)
    elif isinstance(value, str):
        yield value, marked


@pytest.mark.parametrize("sees", WITH_WORDS)
@pytest.mark.parametrize("data", ["table", "captures"])
def test_what_a_person_allowed_is_marked_short_and_visible(
    walks: dict[str, Walks], data: str, sees: Sees, tmp_path: Path
) -> None:
    seen = shown(walks[data][0]["cleaning"], sees, tmp_path)
    assert seen["records"], "records were allowed"
    assert CANARY in json.dumps(seen["records"])
    for text, marked in texts(seen):
        assert marked or leaks(text) == [], text
        assert len(text) <= (LONGEST_ATTACHMENT if marked else 400)
        for character in text:
            category = unicodedata.category(character)
            assert category[0] != "C" or character == "\n", (hex(ord(character)), text)
            assert not "\ufe00" <= character <= "\ufe0f", text
            assert not "\U000e0000" <= character <= "\U000e01ef", text
        assert not marked or not re.search(r"[<>]|\[/?INST|\[TOOL_CALLS", text), text
    for record in seen["records"]:
        for text, _ in texts(record):
            assert len(text) <= LONGEST_CELL


def test_an_attachment_is_told_by_its_size_or_quoted(
    over_tables: Walks, attachment: Path, tmp_path: Path
) -> None:
    evidence = over_tables[0]["requirements"]
    told = {
        "kind": "text",
        "bytes": attachment.stat().st_size,
        "lines": len(attachment.read_text().splitlines()),
    }
    for sees in WITHOUT_WORDS:
        assert shown(evidence, sees, tmp_path)["attachments"] == [told]
    for sees in WITH_WORDS:
        (seen,) = shown(evidence, sees, tmp_path)["attachments"]
        assert {**seen, "text": 0} == {**told, "text": 0}
        assert HOSTILE[0] in seen["text"]["data"]
        assert "<|im_start|>" not in seen["text"]["data"]
