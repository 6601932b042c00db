"""The story of packets: the same masks, splits and audit as flows, from the lab to the detector."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Ended, run_here

Netloop = Callable[..., Ended]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with a small lab in it."""
    folder = tmp_path_factory.mktemp("packets")
    assert run_here("lab", "lab", "--size", "tiny", folder=folder).code == 0
    return folder


@pytest.fixture(scope="module")
def netloop(folder: Path) -> Netloop:
    """Run a command there, in this process; it must succeed."""

    def run(*words: object, code: int = 0) -> Ended:
        done = run_here(*words, folder=folder)
        assert done.code == code, done.err
        return done

    return run


SOURCE = ("lab", "--label", "folder")
PACKETS = (*SOURCE, "--granularity", "packet")


def found(done: Ended) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(done.out)
    return values


@pytest.mark.slow
@pytest.mark.parametrize("by", ["flow", "time", "capture", "host", "day"])
def test_a_packet_goes_where_its_flow_goes(netloop: Netloop, by: str) -> None:
    flows = found(netloop("data", "split", *SOURCE, "--by", by, "--json"))
    packets = found(netloop("data", "split", *PACKETS, "--by", by, "--json"))
    assert packets["groups_on_two_sides"] == 0
    assert packets["groups"] == flows["groups"]
    listed = [json.loads(Path(made["manifest"]).read_text())["groups"] for made in (flows, packets)]
    assert listed[0] == listed[1], "the same groups on the same sides"
    assert packets["sizes"]["test"]["rows"] > flows["sizes"]["test"]["rows"]


@pytest.mark.slow
def test_packets_are_audited_as_flows_are(netloop: Netloop) -> None:
    audit = found(netloop("data", "audit", *PACKETS, "--by", "flow", "--json"))
    assert audit["verdict"] == "trustworthy" and audit["masks"]
    groups = {row["group"]: row for row in audit["groups"]}
    assert groups["addresses"]["masked"] and not groups["payload"]["masked"]
    assert "counts" not in groups, "a packet has no count"
    assert {row["name"] for row in audit["leaks"]} == {
        "copied_rows", "near_duplicates", "shared_hosts",
    }  # fmt: skip


@pytest.mark.slow
def test_a_packet_detector_is_trained_tested_and_used(netloop: Netloop, folder: Path) -> None:
    trained = netloop(
        "train", "cnn", *PACKETS, "--by", "flow", "--epochs", 2, "--out", "detector", "--json"
    )
    (row,) = found(trained)["models"]
    assert row["name"] == "cnn" and row["ci"][0] <= row["macro_f1"] <= row["ci"][1]
    described = json.loads((folder / "detector" / "detector.json").read_text())
    assert described["granularity"] == "packet"
    tested = found(netloop("evaluate", "detector", *SOURCE, "--json"))
    assert tested["models"][0]["name"] == "cnn"
    lines = netloop("detect", "detector", "lab/web").out.splitlines()
    records = [json.loads(line) for line in lines]
    assert len(records) > 100 and {record["event_type"] for record in records} == {"ml"}


@pytest.mark.slow
def test_a_run_over_packets_ends_in_a_report(netloop: Netloop, folder: Path) -> None:
    (folder / "packets.yaml").write_text(
        "goal: Tell the classes of the lab apart, packet by packet\n"
        "data: {source: lab, label: folder, granularity: packet, split: {by: capture}}\n"
        "design: {candidates: [majority, random_forest]}\n"
    )
    ended = found(netloop("run", "packets.yaml", "--approve", "auto", "--json"))
    assert (ended["status"], ended["verdict"], ended["notice"]) == ("done", "trustworthy", None)
    assert ended["best"] == "random_forest"
    page = Path(ended["report"]).read_text()
    assert "fall if shuffled" in page and "not one probability moved" in page
    assert "a row is a" in page and "packet" in page


@pytest.mark.slow
def test_few_labels_of_packets(netloop: Netloop, folder: Path) -> None:
    (folder / "few.yaml").write_text(
        "goal: How far a few labelled packets go\n"
        "data: {source: lab, label: folder, granularity: packet, split: {by: flow},\n"
        "  sample: {per_class: 5, draws: 2}}\n"
        "design: {candidates: [majority, random_forest]}\n"
    )
    ended = found(netloop("run", "few.yaml", "--approve", "auto", "--json"))
    assert ended["status"] == "done" and ended["models"][1]["draws"]


@pytest.mark.slow
def test_a_leak_in_packets_stops_the_run_until_somebody_says_why(
    netloop: Netloop, folder: Path
) -> None:
    """Captures of one class each come from hosts of their own: addresses tell everything."""
    lines = (
        "goal: What the gate does\n"
        "data: {source: told.csv, label: kind, masks: [], columns: {groups: {who: addresses}}}\n"
        "design: {candidates: [majority]}\n"
    )
    rows = [f"{'ab'[i % 2]}-host,{i * 37 % 101},{'ab'[i % 2]}" for i in range(200)]
    (folder / "told.csv").write_text("\n".join(["who,x,kind", *rows]))
    (folder / "gate.yaml").write_text(lines)
    stopped = netloop("run", "gate.yaml", "--approve", "auto", "--json", code=1)
    assert "the audit found a leak" in stopped.err and "--override" in stopped.err
    assert found(stopped)["status"] == "failed" and found(stopped)["models"] == []
    netloop("runs", "approve", "last", "--override", "  ", code=2)
    done = netloop("runs", "approve", "last", "--override", "known there too", "--json")
    said = found(done)["notice"]
    assert said.startswith("This number was accepted although the audit found a leak: who alone")
    assert said.endswith("Overridden by a person: known there too")
    shown = netloop("runs", "show", "last").out
    assert " ".join(shown.split()).startswith(said)
    assert said.split(" (accuracy")[0] in Path(found(done)["report"]).read_text()
