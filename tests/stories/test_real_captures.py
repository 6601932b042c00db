"""Whole stories on real captures, through the command line: what a score here means is fixed by the
split, the masks and the audit, so these numbers may only be reached honestly."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from command_line import Command, run_here

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def netloop(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Command:
    """The command beside the real data; all runs share a workspace, so a capture is read once."""
    folder = tmp_path_factory.mktemp("stories")
    return partial(run_here, folder=folder, env={"NETLOOP_DATA": str(data)})


@pytest.fixture(scope="module")
def run(netloop: Command) -> Run:
    """``netloop run EXAMPLE --approve auto --json``: exit code and output."""

    def start(example: str, *changes: str) -> tuple[int, dict[str, Any]]:
        words = [word for change in changes for word in ("--set", change)]
        ended = netloop("run", EXAMPLES / example, "--approve", "auto", "--json", *words)
        assert ended.out, ended.err
        return ended.code, json.loads(ended.out)

    return start


def score(found: dict[str, Any], model: str) -> dict[str, Any]:
    return next(row for row in found["models"] if row["name"] == model)


def field(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in found["audit"] if row["name"] == name)


@pytest.fixture(scope="module")
def twenty_classes(run: Run) -> dict[str, Any]:
    """Trained on each class's earlier half, tested on its later half."""
    code, found = run("ustc.yaml", "design.candidates=[majority,random_forest,cnn]")
    assert (code, found["status"]) == (0, "done")
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("random_forest", 0.88), ("cnn", 0.90)])
def test_twenty_classes_of_ustc(twenty_classes: dict[str, Any], name: str, least: float) -> None:
    row = score(twenty_classes, name)
    assert len(row["per_class"]) == 20
    assert row["macro_f1"] >= least
    low, high = row["ci"]
    assert low <= row["macro_f1"] <= high
    assert 0.005 < high - low < 0.05


@pytest.mark.slow
def test_the_majority_of_twenty_classes_is_nothing(twenty_classes: dict[str, Any]) -> None:
    row = score(twenty_classes, "majority")
    assert row["ci"][0] <= row["macro_f1"] <= row["ci"][1]
    assert row["macro_f1"] < 0.01


@pytest.mark.slow
def test_no_identifier_of_twenty_classes_is_seen(twenty_classes: dict[str, Any]) -> None:
    assert twenty_classes["split"]["groups_on_two_sides"] == 0
    assert not [
        row
        for row in twenty_classes["audit"]
        if row["group"] in ("ttl", "macs", "ports", "addresses") and not row["masked"]
    ]


def test_malware_against_benign_is_given_away_by_identifiers(run: Run) -> None:
    _, found = run("ustc.yaml", "data.label=folder", "design.candidates=[majority]")
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
    run: Run, netloop: Command, data: Path, tmp_path: Path
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
        "design.candidates=[majority]",
    )
    manifest = json.loads(Path(found["split"]["manifest"]).read_text())
    assert manifest["by"] == "fixed"
    assert found["split"]["groups_on_two_sides"] == 0
    seen = json.loads(
        netloop("data", "inspect", tmp_path / "second", "--label", "folder", "--json").out
    )
    assert found["split"]["sizes"]["test"] == seen["rows"]["rows"]
    assert code in (0, 1)


@pytest.fixture(scope="module")
def twenty_rows(run: Run) -> dict[str, Any]:
    """Ten attacks and ten normal connections, drawn four times."""
    _, found = run(
        "nsl_kdd_few_labels.yaml", "design.candidates=[baselines,cnn]", "data.sample.draws=4"
    )
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("lookup", 0.75, 0.97),
        ("knn", 0.85, 0.97),
        ("logistic_regression", 0.85, 0.97),
        ("random_forest", 0.89, 0.94),
        ("hist_gradient_boosting", 0.85, 0.97),
        ("cnn", 0.82, 0.97),
    ],
)
def test_twenty_labels_of_nsl_kdd_are_enough_to_beat_chance(
    twenty_rows: dict[str, Any], name: str, least: float, most: float
) -> None:
    spread = score(twenty_rows, name)["draws"]["accuracy"]
    assert spread["min"] <= spread["mean"] <= spread["max"]
    assert spread["std"] > 0
    assert least <= spread["mean"] <= most


@pytest.mark.slow
def test_within_twenty_labels_the_majority_is_never_best(twenty_rows: dict[str, Any]) -> None:
    assert twenty_rows["best"] != "majority"
    assert score(twenty_rows, "majority")["draws"]["accuracy"]["mean"] < 0.56
    assert Path(twenty_rows["detector"]).is_dir()


@pytest.mark.slow
def test_twenty_labels_miss_half_of_the_families_that_no_label_is_of(run: Run) -> None:
    """And the score on all rows hides it: nine of ten test rows are of families that are known."""
    changes = ("augmentation=null", "design.candidates=[majority,knn]", "data.sample.draws=4")
    code, found = run("nsl_kdd_absent.yaml", *changes)
    assert (code, found["split"]["groups_on_two_sides"]) == (0, 0)
    knn, majority = score(found, "knn"), score(found, "majority")
    assert knn["absent"]["rows"] == majority["absent"]["rows"] == 1248
    assert 0.3 < knn["absent"]["mean"] < 0.6
    assert knn["draws"]["accuracy"]["mean"] > 0.87
    assert majority["absent"]["mean"] in (0, 1), "a constant answer"


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


@pytest.mark.slow
def test_detect_prints_one_valid_eve_line_a_flow(
    twenty_classes: dict[str, Any], netloop: Command, data: Path
) -> None:
    found = twenty_classes
    capture = data / "ustc_tfc2016" / "full" / "Malware" / "Tinba.pcap"
    printed = netloop("detect", found["detector"], capture)
    assert printed.code == 0, printed.err
    records = [json.loads(line) for line in printed.out.splitlines()]
    assert netloop("detect", found["run"], capture).out == printed.out
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
    few = (source / "Virut.pcap").read_bytes()
    for cut in range(200, 40_000, 100):
        (folder / "Few.pcap").write_bytes(few[:cut])
        flows = load_source(folder, "file", least_classes=1).rows.num_rows
        if flows == 2:
            break
    assert flows == 2
    for name in ("Tinba", "Zeus"):
        (folder / f"{name}.pcap").write_bytes((source / f"{name}.pcap").read_bytes())
    (folder / "Torn.pcap").write_bytes((source / "Neris.pcap").read_bytes()[:-7])
    (folder / "Notes.pcap").write_text("not a capture, though its name says so")
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
