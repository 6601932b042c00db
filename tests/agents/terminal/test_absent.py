"""Families that are absent from the labelled rows, as it is typed: from the spec to the report."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from rich.console import Console

from agents.output import RunOutput
from agents.terminal.findings import print_models
from pipelines.store.run import RunFolder
from tests.shared.command_line import Command, command_runner

SIZES = {"usual": 0.0, "flood": 50.0, "scan": -20.0}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_runner(monkeypatch, capsys)


@pytest.fixture
def content(tmp_path: Path) -> dict[str, Any]:
    """A spec of a table in which scans are no floods: a model of these takes them for usual."""
    random, path = np.random.default_rng(0), tmp_path / "records.csv"
    lines = ["size,rate,family,kind"]
    for number in range(320):
        family = ("usual", "flood", "usual", "scan")[number % 4]
        kind = "good" if family == "usual" else "bad"
        lines.append(f"{SIZES[family] + random.normal()},{random.normal()},{family},{kind}")
    path.write_text("\n".join(lines) + "\n")
    return {
        "goal": "Tell bad records from good ones",
        "data": {
            "source": str(path),
            "label": "kind",
            "columns": {"groups": {"family": "label"}},
            "accept_shortcuts": "The sizes are what there is to learn.",
            "sample": {"per_class": 5, "draws": 4, "absent": {"family": ["scan"]}},
        },
        "requirements": {"metric": "accuracy", "benign": ["good"]},
        "augmentation": {
            "arms": ["duplicates"], "amounts": [1, 2], "models": ["knn"], "per_class": 4, "draws": 6
        },
        "design": {"candidates": ["knn", "majority"]},
    }  # fmt: skip


@pytest.fixture
def spec_file(tmp_path: Path, content: dict[str, Any]) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(json.dumps(content))  # JSON is YAML
    return path


def test_a_run_tells_it_to_people_to_programs_and_in_the_report(
    run: Command, spec_file: Path, tmp_path: Path
) -> None:
    ended = run("run", spec_file, "--approve", "auto", "--json", "--workspace", tmp_path / "w")
    found = json.loads(ended.out)
    jsonschema.validate(found, RunOutput.model_json_schema())
    assert found["status"] == "done", ended.err
    knn = next(row for row in found["models"] if row["name"] == "knn")
    rows, test = knn["absent"]["rows"], found["split"]["sizes"]["test"]
    assert 30 < rows < 50
    assert knn["absent"]["mean"] < 0.1 and knn["absent"]["std"] < 0.2
    assert knn["accuracy"] == pytest.approx(1 - rows / test, abs=0.1)
    shown = run("runs", "show", found["run"], "--workspace", tmp_path / "w").out
    assert f"On {rows} test rows of absent families" in shown
    assert "worst draw" in shown
    page = Path(found["report"]).read_text()
    assert "Families that no draw holds" in page
    assert f"No labelled row is of family scan; {rows} of the test rows are." in page
    assert "Never learned from: family scan." in page, "in the plans"
    assert "8 of them of absent families" in page and "absent families at 2:1" in page


def test_a_study_of_arms_says_how_many_of_its_judges_are_of_absent_families(
    run: Command, spec_file: Path, tmp_path: Path
) -> None:
    ended = run("augment", spec_file, "--workspace", tmp_path / "w")
    assert ended.code == 0, ended.err
    words = " ".join(ended.out.split())
    assert "32 validation rows, 8 of them of absent families." in words
    assert "Families that no draw holds: accuracy 0." in words
    assert "Surest there is duplicates, " in words
    [folder] = RunFolder.all(tmp_path / "w")
    page = (folder.path / "augmentation.html").read_text()
    assert "32 rows of their own, 8 of them of absent families;" in page
    assert "absent families at 2:1" in page
    assert "Families that no draw holds: accuracy" in page


def test_as_json_every_arm_has_its_gain_on_them(
    run: Command, spec_file: Path, tmp_path: Path
) -> None:
    found = json.loads(run("augment", spec_file, "--json", "--workspace", tmp_path / "w").out)
    assert (found["test_rows"], found["absent_rows"]) == (32, 8)
    knn = found["models"]["knn"]
    assert knn["absent"]["mean"] < 0.5
    for outcome in knn["outcomes"]:
        assert outcome["absent"]["ci"][0] <= outcome["absent"]["gain"] <= outcome["absent"]["ci"][1]


def test_without_absent_families_nothing_is_said_of_them(
    run: Command, spec_file: Path, tmp_path: Path
) -> None:
    none = ("--set", "data.sample.absent={}")
    ended = run("augment", spec_file, *none, "--workspace", tmp_path / "w")
    assert ended.code == 0, ended.err
    assert "of absent families" not in ended.out and "no draw holds" not in ended.out
    [folder] = RunFolder.all(tmp_path / "w")
    assert "absent families" not in (folder.path / "augmentation.html").read_text()


def test_whoever_approves_sees_what_is_absent(
    run: Command, spec_file: Path, tmp_path: Path
) -> None:
    workspace = ("--workspace", tmp_path / "w")
    run("run", spec_file, "--approve", "ask", *workspace)
    told = ""
    for _ in range(3):
        told = run("runs", "approve", "last", *workspace).told
        if "explore_arms" in told:
            break
    assert "Never learned from: family scan." in told
    assert '{"family":["scan"]}' in told and "set in the spec: never learned from" in told
    edited = run("runs", "edit", "last", 'explore_arms.absent={"family": [flood]}', *workspace)
    assert '{"family":["flood"]}' in edited.told, "and may change it"


@pytest.mark.parametrize(
    ("absent", "said", "mend"),
    [
        ("{famly: [scan]}", "no column 'famly'", "Did you mean 'family'?"),
        ("{family: [scna]}", "No row has 'scna' in column 'family'", "Did you mean 'scan'?"),
        ("{family: [scan, flood]}", "bad (0 rows left)", "Take values out of sample.absent"),
        ("{family: [usual]}", "good (0 rows left)", "Take values out of sample.absent"),
        ("{size: [a]}", "'size' of sample.absent holds no texts", "These do: "),
        ("{family: []}", "data.sample.absent", "at least 1 item"),
    ],
)
def test_what_cannot_be_absent(
    run: Command, spec_file: Path, tmp_path: Path, absent: str, said: str, mend: str
) -> None:
    change = ("--set", f"data.sample.absent={absent}", "--workspace", tmp_path / "w")
    ended = run("augment", spec_file, *change)
    assert ended.code == 2, ended.err
    assert said in ended.told and mend in ended.told
    assert "Traceback" not in ended.told


def test_a_run_without_a_study_of_arms_refuses_the_same(
    run: Command, spec_file: Path, tmp_path: Path
) -> None:
    changes = ("--set", "augmentation=null", "--set", "data.sample.absent={family: [scna]}")
    ended = run("run", spec_file, "--approve", "auto", *changes, "--workspace", tmp_path / "w")
    assert ended.code == 2
    told = " ".join(f"{ended.out} {ended.err}".split())
    assert "No row has 'scna' in column 'family'" in told and "Did you mean 'scan'?" in told


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_table_fits_a_terminal(width: int) -> None:
    out = StringIO()
    console = Console(file=out, width=width, markup=False, highlight=False)
    spread = {"rows": 1248, "mean": 0.4966, "std": 0.0432, "min": 0.4463, "max": 0.6, "ci": (0, 1)}
    row = {"name": "hist_gradient_boosting", "macro_f1": 0.9, "ci": (0.8, 1.0), "accuracy": 0.9}
    print_models([{**row, "absent": spread}, {**row, "name": "knn"}], "knn", console)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "On 1,248 test rows of absent families" in out.getvalue()
    assert lines[-1].split()[1:] == ["0.497", "0.043", "0.446"]
