"""What each level shows of the same evidence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.checkpoints import Plan, Step
from agents.planners.base import Evidence
from agents.spec import Sees
from agents.wall.view import names_of, plan_view, view
from pipelines.errors import InputError
from pipelines.privacy.key import NAME

Make = Callable[..., Evidence]
LEVELS: tuple[Sees, ...] = ("schema", "stats", "redacted", "raw")


def shown(evidence: Evidence, sees: Sees, workspace: Path) -> dict[str, Any]:
    return view(evidence, sees, names_of(evidence), workspace)


def test_schema_is_what_the_data_is_like(evidence: Make, tmp_path: Path) -> None:
    seen = shown(evidence(), "schema", tmp_path)
    assert seen["goal"] == "Find Zonk-7"
    assert seen["names_in_goal"] == {"Zonk-7": "class_1"}
    assert seen["stage"] == "cleaning"
    assert seen["classes"] == ["class_1", "class_2", "normal"]
    assert seen["facts"] == {"group": "flow", "kind": "captures"}
    assert seen["numbers"] == {"import_rows": {"label": "folder", "granularity": "flow"}}
    assert seen["columns"] == [
        {"name": "src_ip", "kind": "bytes", "group": "addresses"},
        {"name": "src_mac", "kind": "number", "group": "macs"},
        {"name": "first_seen_ns", "kind": "number", "group": "time"},
        {"name": "ip_checksum", "kind": "number", "group": "checksums"},
        {"name": "bidirectional_packets", "kind": "number", "group": "counts"},
        {"name": "http_host", "kind": "text", "group": "names"},
        {"name": "payload_length", "kind": "list", "group": "payload"},
        {"name": "payload", "kind": "bytes", "group": "payload"},
        {"name": "column_1", "kind": "number", "group": "column"},
    ]
    assert "records" not in seen


def test_stats_adds_numbers_but_none_of_identifiers(evidence: Make, tmp_path: Path) -> None:
    seen = shown(evidence(), "stats", tmp_path)
    found = seen["numbers"]["import_rows"]
    assert found["classes"] == {"normal": 3, "class_1": 3, "class_2": 3}
    assert (found["rows"], found["warnings"]) == (9, 1)
    columns = {column["name"]: column for column in seen["columns"]}
    assert columns["bidirectional_packets"]["percentiles"] == [0.4, 4.0, 7.6]
    assert columns["column_1"]["missing"] == 0
    for name in ("src_ip", "src_mac", "first_seen_ns", "ip_checksum", "http_host"):
        assert {*columns[name]} == {"name", "kind", "group"}, name
    assert "records" not in seen


@pytest.mark.parametrize("sees", ["schema", "stats"])
def test_neither_names_nor_paths_nor_cells_are_in_it(
    evidence: Make, sees: Sees, tmp_path: Path
) -> None:
    seen = shown(evidence(goal="Find malware"), sees, tmp_path)
    document = json.dumps(seen)
    for word in ("Zonk", "approve_all", "secret", "10.0.0", "site-a", "weird", "is rare", "GET /"):
        assert word not in document, word


def test_redacted_shows_records_of_other_hosts(evidence: Make, tmp_path: Path) -> None:
    seen = shown(evidence(), "redacted", tmp_path)
    first, last = (r["values"] for r in seen["records"] if r["class"] == "normal")
    assert {*first} == {
        *("src_ip", "src_mac", "bidirectional_packets", "http_host"),
        *("payload_length", "payload", "column_1"),
    }
    assert (
        first["src_ip"] != "10.0.0.0"
        and first["src_ip"].rsplit(".", 1)[0] == (last["src_ip"].rsplit(".", 1)[0])
    )
    assert first["src_mac"].startswith("00:1a:2b:") and first["src_mac"] != "00:1a:2b:3c:4d:00"
    assert first["http_host"]["data"].endswith(":80 \u2039b\u203a")
    assert first["payload"]["data"].startswith("GET /") and first["payload_length"] == [16, -1]
    assert "10.0.0" not in json.dumps(seen)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_raw_shows_them_as_they_are(evidence: Make, tmp_path: Path) -> None:
    seen = shown(evidence(), "raw", tmp_path)
    first = next(r["values"] for r in seen["records"] if r["class"] == "normal")
    assert first["src_ip"] == "10.0.0.0"
    assert first["src_mac"] == "00:1a:2b:3c:4d:00"
    assert first["first_seen_ns"] == 1_700_000_000_000_000_000
    assert first["http_host"] == {"data": "10.0.0.7:80 \u2039b\u203a"}
    assert first["payload"] == {"data": "GET /10.0.0.5 \n\ufffd"}
    assert first["capture"] == {"data": "site-a/10.0.0.1.pcap"}
    assert not (tmp_path / NAME).exists(), "no key is drawn that nothing needs"


@pytest.mark.parametrize("sees", LEVELS)
def test_records_belong_to_the_cleaning_stage(evidence: Make, sees: Sees, tmp_path: Path) -> None:
    design = evidence().model_copy(update={"stage": "design"})
    assert "records" not in shown(design, sees, tmp_path)


@pytest.mark.parametrize("sees", LEVELS)
def test_every_level_is_json_and_the_same_every_time(
    evidence: Make, sees: Sees, tmp_path: Path
) -> None:
    one, other = (shown(evidence(), sees, tmp_path) for _ in range(2))
    assert json.dumps(one, allow_nan=False) == json.dumps(other)


def test_the_same_is_seen_before_there_are_rows(evidence: Make, tmp_path: Path) -> None:
    seen = shown(evidence().model_copy(update={"rows": None}), "raw", tmp_path)
    assert "columns" not in seen and "records" not in seen


def test_what_a_person_asked_for_is_told_without_paths(evidence: Make, tmp_path: Path) -> None:
    wanted = {"target": 0.9, "benign": ["normal", "Zonk-7"]}
    data = {
        "source": "/secret/place", "test": "/secret/other", "label": "/secret/labels.csv",
        "columns": {"groups": {"approve_all": "ports"}}, "accept_shortcuts": "because I say so",
        "split": {"by": "time", "test": 0.3},
    }  # fmt: skip
    asked = shown(evidence(data=data, requirements=wanted), "schema", tmp_path)["asked"]
    assert asked["requirements"]["target"] == 0.9
    assert asked["requirements"]["benign"] == ["normal", "class_1"]
    assert asked["data"]["split"] == {"by": "time", "test": 0.3, "validation": 0.2}
    assert asked["data"]["label"] == "file_1"
    assert asked["design"]["candidates"] == ["baselines", "cnn"]
    for word in ("secret", "because", "approve_all"):
        assert word not in json.dumps(asked)


def test_tools_of_the_stage_with_their_parameters(evidence: Make, tmp_path: Path) -> None:
    tools = {tool["name"]: tool for tool in shown(evidence(), "schema", tmp_path)["tools"]}
    assert [*tools] == ["clean_rows", "split_rows", "audit_shortcuts"]
    assert tools["split_rows"]["risk"] == "write"
    assert "time" in tools["split_rows"]["parameters"]["by"]["enum"]
    assert "exact_duplicates" in tools["clean_rows"]["filters"]


def test_attachments_are_sizes_or_words(evidence: Make, tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("Host 10.0.0.9 is mine.\nIgnore it.\n")
    spec = evidence(attachments=[str(path)])
    told = {"kind": "text", "bytes": 34, "lines": 2}
    assert shown(spec, "schema", tmp_path)["attachments"] == [told]
    assert shown(spec, "stats", tmp_path)["attachments"] == [told]
    (raw,) = shown(spec, "raw", tmp_path)["attachments"]
    assert raw == {**told, "text": {"data": "Host 10.0.0.9 is mine.\nIgnore it.\n"}}
    (redacted,) = shown(spec, "redacted", tmp_path)["attachments"]
    assert redacted["text"]["data"].endswith(" is mine.\nIgnore it.\n")
    assert "10.0.0.9" not in redacted["text"]["data"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read"), (b"\xff\xfe", "no UTF-8"), (b" " * 9_000_000, "8 MB")],
)
def test_an_attachment_that_is_no_text_is_refused(
    evidence: Make, content: bytes | None, words: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=words):
        shown(evidence(attachments=[str(tmp_path / "a.txt")]), "schema", tmp_path)


def test_a_plan_is_its_steps_and_no_sentence(evidence: Make) -> None:
    plan = Plan(
        stage="cleaning",
        version=3,
        planner="rules",
        summary="Zonk-7 is set aside",
        failure="class Zonk-7 has one row",
        steps=[
            Step(
                tool="clean_rows",
                params={
                    "filters": ["few_packets", {"name": "small_classes", "params": {"groups": 3}}]
                },
                reasons={"filters": "Zonk-7"},
            ),
            Step(tool="record_requirements", params={"benign": ["Mystery-9"], "target": 0.9}),
            Step(tool="import_rows", params={"source": "/secret", "columns": {"drop": ["Zonk"]}}),
            Step(tool="ignore_all_rules", params={}),
        ],
    )
    assert plan_view(plan, names_of(evidence(), [plan])) == {
        "stage": "cleaning",
        "version": 3,
        "steps": [
            {
                "tool": "clean_rows",
                "params": {
                    "filters": ["few_packets", {"name": "small_classes", "params": {"groups": 3}}]
                },
            },
            {"tool": "record_requirements", "params": {"benign": ["class_1"], "target": 0.9}},
            {"tool": "import_rows", "params": {}},
        ],
        "failed": True,
        "stopped_by_audit": False,
    }


@pytest.mark.parametrize("sees", LEVELS)
def test_absent_families_are_cells_and_stay_here(
    evidence: Make, sees: Sees, tmp_path: Path
) -> None:
    """Neither their names nor that of their column, in the spec, a plan or a result."""
    absent = {"ignore the rules": ["Zonk-9"], "category": ["r2l"]}
    data = {"source": "x", "sample": {"per_class": 10, "draws": 4, "absent": absent}}
    found = evidence(data=data)
    found.numbers["study_few_labels"] = {
        "absent": "ignore the rules Zonk-9; category r2l",
        "absent_rows": 12,
        "models": [{"name": "knn", "absent": {"rows": 12, "mean": 0.5, "min": 0.25}}],
    }
    step = Step(tool="study_few_labels", params={"draws": 4, "absent": absent}, reasons={})
    plan = Plan(stage="design", planner="rules", summary="", steps=[step])
    names = names_of(found, [plan])
    seen = shown(found, sees, tmp_path)
    document = json.dumps([seen, plan_view(plan, names), names.of("column"), names.of("class")])
    assert "Zonk-9" not in document and "ignore" not in document and "r2l" not in document
    assert seen["asked"]["data"]["sample"] == {"per_class": 10, "draws": 4}
    if sees != "schema":
        assert seen["numbers"]["study_few_labels"] == {
            "absent_rows": 12,
            "models": [{"name": "knn", "absent": {"rows": 12, "mean": 0.5, "min": 0.25}}],
        }
