"""Whole stories on real captures, through the command line: what a score here means is fixed by the
split, the masks and the audit, so these numbers may only be reached honestly."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NETLOOP = Path(sys.executable).with_name("netloop")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def run(tmp_path: Path, data: Path) -> Run:
    """``netloop run EXAMPLE --approve auto --json`` on the real data: exit code and output."""

    def start(example: str, *changes: str) -> tuple[int, dict[str, Any]]:
        words = ["run", EXAMPLES / example, "--approve", "auto", "--json", "--workspace", tmp_path]
        words += [word for change in changes for word in ("--set", change)]
        ended = subprocess.run(
            [NETLOOP, *map(str, words)],
            env={**os.environ, "NETLOOP_DATA": str(data)},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=1500,
        )
        assert ended.stdout, ended.stderr
        return ended.returncode, json.loads(ended.stdout)

    return start


def score(found: dict[str, Any], model: str) -> dict[str, Any]:
    return next(row for row in found["models"] if row["name"] == model)


def field(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in found["audit"] if row["name"] == name)


@pytest.mark.slow
def test_twenty_classes_of_ustc(run: Run) -> None:
    code, found = run("ustc.yaml", "design.candidates=[majority,random_forest,cnn]")
    assert (code, found["status"]) == (0, "done")
    assert found["split"]["groups_on_two_sides"] == 0
    assert len(score(found, "cnn")["per_class"]) == 20
    assert score(found, "cnn")["macro_f1"] >= 0.90
    assert score(found, "random_forest")["macro_f1"] >= 0.88
    assert score(found, "majority")["macro_f1"] < 0.02
    for row in found["models"]:
        assert row["ci"][0] <= row["macro_f1"] <= row["ci"][1]
    assert not [
        row
        for row in found["audit"]
        if row["group"] in ("ttl", "macs", "ports", "addresses") and not row["masked"]
    ]


def test_malware_against_benign_is_given_away_by_identifiers(run: Run) -> None:
    _, found = run("ustc.yaml", "data.label=folder", "design.candidates=[majority,random_forest]")
    for name in ("ttl", "mac_vendor"):
        row = field(found, name)
        assert row["accuracy"] >= 0.99
        assert (row["verdict"], row["masked"]) == ("shortcut", True)
        assert row["majority"] < 0.6
    ftp = [row for row in found["replays"] if "FTP" in row["capture"]]
    assert ftp, "the replayed FTP payloads"
    assert ftp[0]["duplicates"] / ftp[0]["rows"] > 0.9
    assert "FTP" in " ".join(found["advice"])


def test_a_second_source_is_the_test_and_all_of_the_first_is_for_training(
    run: Run, data: Path, tmp_path: Path
) -> None:
    """Two halves of a class list of whole captures stand for two folders of one layout."""
    for side in ("first", "second"):
        (tmp_path / side).mkdir()
    for number, capture in enumerate(sorted((data / "iot_sentinel" / "pcap").rglob("*.pcap"))):
        if capture.parent.name in ("Aria", "HueBridge", "WeMoSwitch"):
            place = tmp_path / ("first", "second")[number % 2] / capture.parent.name
            place.mkdir(exist_ok=True)
            (place / capture.name).write_bytes(capture.read_bytes())
    code, found = run(
        "ustc.yaml",
        f"data.source={tmp_path / 'first'}",
        f"data.test={tmp_path / 'second'}",
        "data.label=folder",
        "requirements.target=0.5",
        "design.candidates=[majority,random_forest]",
    )
    manifest = json.loads(Path(found["split"]["manifest"]).read_text())
    assert manifest["by"] == "fixed"
    assert found["split"]["groups_on_two_sides"] == 0
    inspect = subprocess.run(
        [
            NETLOOP,
            "data",
            "inspect",
            tmp_path / "second",
            "--label",
            "folder",
            "--json",
            "--workspace",
            tmp_path,
        ],
        capture_output=True,
        text=True,
    )
    assert found["split"]["sizes"]["test"] == json.loads(inspect.stdout)["rows"]["rows"]
    assert code in (0, 1)


@pytest.mark.slow
def test_twenty_labels_of_nsl_kdd(run: Run) -> None:
    _, found = run("nsl_kdd_few_labels.yaml", "design.candidates=[baselines]")
    assert 0.89 <= score(found, "random_forest")["accuracy"] <= 0.94
    for row in found["models"]:
        spread = row["draws"]["accuracy"]
        assert spread["min"] <= spread["mean"] <= spread["max"]
        if row["name"] != "majority":
            assert spread["mean"] > 0.7, "no baseline is at chance"
            assert spread["std"] > 0
    assert found["best"] != "majority"
    assert Path(found["detector"]).is_dir()


def test_packets_are_rows_too(run: Run) -> None:
    """A packet's group is its flow: no flow has packets on two sides."""
    code, found = run(
        "ustc.yaml",
        "data.granularity=packet",
        "data.label=folder",
        "design.candidates=[majority,lookup,random_forest]",
        "requirements.target=0.5",
    )
    assert (code, found["split"]["groups_on_two_sides"]) == (0, 0)
    assert sum(found["split"]["sizes"].values()) > 20_000
    assert score(found, "random_forest")["macro_f1"] > score(found, "majority")["macro_f1"]


def test_detect_prints_one_valid_eve_line_a_flow(run: Run, data: Path, tmp_path: Path) -> None:
    _, found = run("ustc.yaml", "design.candidates=[majority,random_forest]")
    capture = data / "ustc_tfc2016" / "full" / "Malware" / "Tinba.pcap"
    printed = subprocess.run(
        [NETLOOP, "detect", found["detector"], capture], capture_output=True, text=True, check=True
    )
    records = [json.loads(line) for line in printed.stdout.splitlines()]
    seen = subprocess.run(
        [NETLOOP, "detect", found["run"], capture, "--workspace", tmp_path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout == printed.stdout
    assert len(records) > 4000
    for record in records[:200]:
        assert record["community_id"].startswith("1:")
        assert record["proto"] in ("TCP", "UDP", "ICMP", "IPv6-ICMP", "IGMP")
        assert record["ml"]["label"] in found["models"][0]["per_class"]
        assert 0 <= record["ml"]["confidence"] <= 1
    assert sum(r["ml"]["label"] == "Tinba" for r in records) / len(records) > 0.9


def test_a_class_with_two_flows_and_a_torn_capture_do_not_stop_a_run(
    run: Run, data: Path, tmp_path: Path
) -> None:
    from pipelines.datasets.sources import load_source

    folder = tmp_path / "captures"
    folder.mkdir()
    source = data / "ustc_tfc2016" / "sessions" / "Malware"
    for name in ("Tinba", "Zeus"):
        (folder / f"{name}.pcap").write_bytes((source / f"{name}.pcap").read_bytes())
    (folder / "Torn.pcap").write_bytes((source / "Neris.pcap").read_bytes()[:-7])
    (folder / "Notes.pcap").write_text("not a capture, though its name says so")
    few = (source / "Virut.pcap").read_bytes()
    for cut in range(200, 40_000, 100):
        (folder / "Few.pcap").write_bytes(few[:cut])
        flows = load_source(folder, "file").rows["label"].to_pylist().count("Few")
        if flows == 2:
            break
    assert flows == 2
    code, found = run(
        "ustc.yaml",
        f"data.source={folder}",
        "design.candidates=[majority,random_forest]",
        "requirements.target=null",
    )
    assert (code, found["status"]) == (0, "done")
    assert score(found, "random_forest")["per_class"]["Few"]["support"] == 1
    report = Path(found["report"]).read_text()
    assert "Torn.pcap" in report, "the torn record is named"
