"""Detection over captures and tables: one record for each row, whatever the source looks like."""

import gzip
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.capture import FlowSettings, read_flows, read_packet_rows
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.sources import load_source
from pipelines.errors import InputError
from pipelines.models.registry import new_model
from pipelines.operate import detect as module
from pipelines.operate.detect import check_source, detect, in_batches
from pipelines.operate.detector import Detector, DetectorInfo, package
from pipelines.operate.eve import eve_line
from pipelines.progress import silent

REQUIRED = {
    "timestamp",
    "flow_id",
    "event_type",
    "src_ip",
    "src_port",
    "dest_ip",
    "dest_port",
    "proto",
    "community_id",
    "flow",
    "ml",
}


@pytest.fixture
def capture(lab):
    """One day of the lab's web traffic."""
    return lab / "web" / "2025-03-04.pcap"


def flows_of(path, settings=None) -> int:
    return sum(table.num_rows for table in read_flows(path, settings or FlowSettings()))


def test_one_valid_line_for_each_flow(detector, lab):
    for path in sorted(lab.glob("*/2025-03-04.pcap")):
        lines = [eve_line(record) for record in detect(detector, path)]
        records = [json.loads(line) for line in lines]
        assert len(records) == flows_of(path)
        assert all(set(record) >= REQUIRED for record in records)
        assert all("\n" not in line for line in lines)
        assert len({record["flow_id"] for record in records}) == len(records)


def test_verdicts_are_the_models(detector, capture):
    """The label of each record is the model's best class for that flow."""
    rows = pa.concat_tables(read_flows(capture))
    best = detector.classifier.predict_proba(rows).argmax(axis=1)
    records = list(detect(detector, capture))
    assert [record["ml"]["label"] for record in records] == [
        detector.manifest.classes[number] for number in best
    ]
    assert [record["src_port"] for record in records] == rows["src_port"].to_pylist()


def test_it_knows_the_traffic_that_it_learned(detector, lab):
    found = Counter(r["ml"]["label"] for r in detect(detector, lab / "dns" / "2025-03-03.pcap"))
    assert found.most_common(1)[0][0] == "dns"


def test_attacks_are_alerts_and_the_rest_are_flows(detector, lab):
    for record in detect(detector, lab):
        is_benign = record["ml"]["label"] in detector.manifest.benign
        assert record["event_type"] == ("flow" if is_benign else "alert")


def test_a_folder_is_read_whole_and_each_record_names_its_capture(detector, lab):
    records = list(detect(detector, lab))
    named = Counter(record["pcap_filename"] for record in records)
    expected = {
        path.relative_to(lab).as_posix(): flows_of(path) for path in sorted(lab.glob("*/*.pcap"))
    }
    assert named == expected


def test_a_single_capture_is_not_named(detector, capture):
    assert all("pcap_filename" not in record for record in detect(detector, capture))


def test_batches_change_nothing(detector, lab, monkeypatch):
    whole = list(detect(detector, lab))
    monkeypatch.setattr(module, "BATCH_ROWS", 3)
    assert list(detect(detector, lab)) == whole


def test_gzip(detector, capture, tmp_path):
    packed = tmp_path / "capture.pcap.gz"
    packed.write_bytes(gzip.compress(capture.read_bytes()))
    assert list(detect(detector, packed)) == list(detect(detector, capture))


def test_flows_are_cut_as_the_detector_learned(detector, tmp_path, plain, info, capture):
    """With a short idle time-out there are more flows, and a record for each."""
    short = FlowSettings(idle_seconds=1)
    package(tmp_path / "short", plain, info.model_copy(update={"settings": short}))
    records = list(detect(Detector.load(tmp_path / "short"), capture))
    assert len(records) == flows_of(capture, short) > flows_of(capture)


def test_packets(packet_detector, capture):
    records = list(detect(packet_detector, capture))
    assert len(records) == sum(table.num_rows for table in read_packet_rows(capture))
    assert {record["event_type"] for record in records} <= {"ml", "alert"}
    assert {record["direction"] for record in records} == {"to_server", "to_client"}
    times = [record["timestamp"] for record in records]
    assert times == sorted(times)


def test_ipv6_icmp_and_odd_protocols_get_a_line_each(detector, write_capture, frames):
    path = write_capture(
        [
            (10**15 + 1, frames["udp"]("2001:db8::1", 9, "2001:db8::2", 53, b"x")),
            (10**15 + 2, frames["icmp"]("10.0.0.1", "10.0.0.2", 8)),
            (10**15 + 3, frames["icmp"]("2001:db8::1", "2001:db8::2", 128)),
            (10**15 + 4, frames["ip"]("10.0.0.1", "10.0.0.2", 47, b"gre!")),
        ]
    )
    protocols = sorted(record["proto"] for record in detect(detector, path))
    assert protocols == ["GRE", "ICMP", "IPv6-ICMP", "UDP"]


def test_a_capture_without_packets_gives_no_line(detector, write_capture):
    health = []
    assert list(detect(detector, write_capture([]), health=health)) == []
    assert [(record.file, record.packets) for record in health] == [("capture.pcap", 0)]


def test_a_capture_without_ip_gives_no_line(detector, write_capture):
    arp = bytes.fromhex("ffffffffffff0200000000010806") + bytes(28)
    health = []
    assert list(detect(detector, write_capture([(10**15, arp)]), health=health)) == []
    assert (health[0].packets, health[0].decoded) == (1, 0)


def test_a_cut_capture_keeps_what_came_before(detector, capture, tmp_path):
    content = capture.read_bytes()
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(content[: len(content) // 3])
    health = []
    records = list(detect(detector, cut, health=health))
    assert 0 < len(records) < flows_of(capture)
    assert len(records) == flows_of(cut)
    assert health[0].corrupt == 1
    assert health[0].file == "cut.pcap"


@pytest.mark.parametrize("cut", range(24, 400, 13))
def test_any_cut_is_survived(detector, write_capture, frames, cut):
    frame = frames["tcp"]("10.0.0.1", 5, "10.0.0.2", 80, 24, b"hello")
    path = write_capture([(10**15 + number, frame) for number in range(5)])
    path.write_bytes(path.read_bytes()[:cut])
    assert len(list(detect(detector, path))) <= 1


def test_a_broken_capture_does_not_stop_a_folder(detector, capture, tmp_path):
    shutil.copy(capture, tmp_path / "a.pcap")
    (tmp_path / "b.pcap").write_text("this is no capture")
    shutil.copy(capture, tmp_path / "c.pcap")
    health, warnings = [], []
    records = list(detect(detector, tmp_path, health=health, warnings=warnings))
    assert {record["pcap_filename"] for record in records} == {"a.pcap", "c.pcap"}
    assert [one.file for one in health] == ["a.pcap", "b.pcap", "c.pcap"]
    assert len(warnings) == 1
    assert warnings[0].startswith("b.pcap was left out: ")


def test_a_folder_of_broken_captures_is_refused(detector, tmp_path):
    (tmp_path / "a.pcap").write_bytes(b"\xd4\xc3\xb2\xa1")
    (tmp_path / "b.pcap").write_bytes(b"\xd4\xc3\xb2\xa1\x02")
    with pytest.raises(InputError, match=r"b\.pcap"):
        list(detect(detector, tmp_path))


def test_a_link_out_of_the_folder_is_not_followed_and_named(detector, capture, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    shutil.copy(capture, inside / "a.pcap")
    (inside / "b.pcap").symlink_to(capture)
    warnings = []
    assert len(list(detect(detector, inside, warnings=warnings))) == flows_of(capture)
    assert "b.pcap" in warnings[0]


@pytest.mark.parametrize("content", [None, b"", b"text", b"\xd4\xc3"])
def test_what_is_no_capture_is_refused(detector, tmp_path, content):
    path = tmp_path / "capture.pcap"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        list(detect(detector, path))
    assert "capture.pcap" in caught.value.message


def test_an_empty_folder_is_refused(detector, tmp_path):
    with pytest.raises(InputError, match="no capture at"):
        list(detect(detector, tmp_path))


def test_progress_is_told(detector, capture):
    seen = []
    list(detect(detector, capture, progress=lambda *step: seen.append(step)))
    assert seen
    assert seen[-1][1] == capture.stat().st_size


def test_records_come_before_the_capture_was_read_whole(detector, write_capture, frames):
    """Bounded memory: with short time-outs the first records come while the file is being read."""
    udp = frames["udp"]
    path = write_capture(
        [
            (
                10**15 + number * 10**6,
                udp(f"10.1.{number >> 8 & 255}.{number & 255}", 1, "10.2.0.1", 2),
            )
            for number in range(90_000)
        ]
    )
    read = []
    records = detect(detector, path, progress=lambda what, done, total, unit: read.append(done))
    next(records)
    assert read[-1] < path.stat().st_size
    assert 1 + sum(1 for _ in records) == 90_000


TABLE = "bytes,service,label\n" + "".join(
    f"{size},{service},{label}\n"
    for size, service, label in [
        *((100 + number, "http", "good") for number in range(20)),
        *((9_000 + number, "ftp", "evil") for number in range(20)),
    ]
)


@pytest.fixture(scope="module")
def packed_table(tmp_path_factory) -> Path:
    """The folder of a packed detector of two classes in a small table, beside that table."""
    folder = tmp_path_factory.mktemp("table")
    (folder / "train.csv").write_text(TABLE)
    rows = load_source(folder / "train.csv", "label").rows
    model = new_model("random_forest")
    labels = rows["label"].to_pylist()
    model.fit(rows, labels, masks=DEFAULT_MASKS, seed=0, validation=None, progress=silent)
    info = DetectorInfo(
        name="table",
        goal="Find evil rows",
        granularity="table",
        masks=list(DEFAULT_MASKS),
        columns={"bytes": "number", "service": "text"},
        benign=["good"],
    )
    package(folder / "detector", model, info)
    return folder / "detector"


@pytest.fixture(scope="module")
def table_detector(packed_table) -> Detector:
    return Detector.load(packed_table)


def test_a_table_without_labels(table_detector, tmp_path):
    (tmp_path / "new.csv").write_text("service,bytes\nhttp,105\nftp,9005\n ftp ,9010\n")
    records = list(detect(table_detector, tmp_path / "new.csv"))
    assert [record["ml"]["label"] for record in records] == ["good", "evil", "evil"]
    assert [record["event_type"] for record in records] == ["ml", "alert", "alert"]
    assert [record["ml"]["row"] for record in records] == [1, 2, 3]


def test_rows_are_counted_through_batches(table_detector, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH_ROWS", 7)
    (tmp_path / "train.csv").write_text(TABLE)
    records = list(detect(table_detector, tmp_path / "train.csv"))
    assert [record["ml"]["row"] for record in records] == list(range(1, 41))


def test_several_tables_are_named(table_detector, tmp_path):
    (tmp_path / "more").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "more" / name).write_text("bytes,service\n105,http\n9001,ftp\n")
    records = list(detect(table_detector, tmp_path / "more"))
    assert [record["file"] for record in records] == ["a.csv", "a.csv", "b.csv", "b.csv"]
    assert [record["ml"]["row"] for record in records] == [1, 2, 1, 2]


def test_a_text_column_may_hold_only_numbers_today(table_detector, tmp_path):
    (tmp_path / "new.csv").write_text("bytes,service\n105,80\n9001,21\n")
    assert len(list(detect(table_detector, tmp_path / "new.csv"))) == 2


def test_rows_that_are_too_short_are_left_out_and_counted(table_detector, tmp_path):
    (tmp_path / "new.csv").write_text("bytes,service\n105,http\n7\n9001,ftp\n")
    warnings = []
    records = list(detect(table_detector, tmp_path / "new.csv", warnings=warnings))
    assert [record["ml"]["row"] for record in records] == [1, 2]
    assert len(warnings) == 1
    assert "1 row was left out, without 2 cells" in warnings[0]


def test_missing_numbers_are_no_error(table_detector, tmp_path):
    (tmp_path / "new.csv").write_text("bytes,service\n-,http\n,ftp\n")
    assert len(list(detect(table_detector, tmp_path / "new.csv"))) == 2


def test_a_missing_column_is_named_with_the_nearest(table_detector, tmp_path):
    (tmp_path / "new.csv").write_text("byte,service\n105,http\n")
    with pytest.raises(InputError, match="no column 'bytes'") as caught:
        list(detect(table_detector, tmp_path / "new.csv"))
    assert caught.value.mend == "Did you mean 'byte'?"


def test_texts_for_numbers_are_refused(table_detector, tmp_path):
    (tmp_path / "new.csv").write_text("bytes,service\nmany,http\n5,ftp\n")
    with pytest.raises(InputError, match=r"'bytes' of .* holds texts"):
        list(detect(table_detector, tmp_path / "new.csv"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.csv", "no table at .*absent.csv: the path does not exist"),
        ("notes.md", r"no table at .*notes.md\."),
        ("capture.pcap", "capture.pcap holds captures, but this detector reads tables"),
    ],
)
def test_a_table_detector_wants_a_table(
    packed_table, table_detector, capture, tmp_path, name, words
):
    (tmp_path / "capture.pcap").write_bytes(capture.read_bytes())
    (tmp_path / "notes.md").write_text("# Notes\n")
    with pytest.raises(InputError, match=words):
        list(detect(table_detector, tmp_path / name))
    with pytest.raises(InputError, match=words):
        check_source(packed_table, tmp_path / name)
    check_source(packed_table, packed_table.with_name("train.csv"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.pcap", "no capture at .*absent.pcap: the path does not exist"),
        ("notes.md", r"no capture at .*notes.md\."),
        ("table.csv", "table.csv holds a table, but this detector reads captures"),
    ],
)
def test_a_source_is_refused_before_the_model_is_loaded(folder, capture, tmp_path, name, words):
    (tmp_path / "notes.md").write_text("# Notes\n")
    (tmp_path / "table.csv").write_text(TABLE)
    shutil.rmtree(folder / "model")
    with pytest.raises(InputError, match=words):
        check_source(folder, tmp_path / name)
    check_source(folder, capture)


def test_a_source_needs_a_detector_to_be_checked_for(capture, tmp_path):
    with pytest.raises(InputError, match=r"it has no detector\.json"):
        check_source(tmp_path, capture)


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 7))
@settings(deadline=None)
def test_batches_keep_rows_and_their_order(sizes, size):
    numbers = iter(range(1_000))
    tables = [
        pa.table({"n": pa.array([next(numbers) for _ in range(s)], pa.int64())}) for s in sizes
    ]
    batches = list(in_batches(tables, size))
    assert all(batch.num_rows == size for batch in batches[:-1])
    assert all(0 < batch.num_rows <= size for batch in batches)
    joined = np.concatenate([np.zeros(0, np.int64), *(b["n"].to_numpy() for b in batches)])
    assert joined.tolist() == list(range(sum(sizes)))


def test_real_captures(detector, data):
    """One line for each flow of real traffic, with a health record for each capture."""
    folder = data / "ustc_tfc2016" / "sessions" / "Malware"
    path = min(folder.glob("*.pcap"), key=lambda path: path.stat().st_size)
    health = []
    records = [json.loads(eve_line(record)) for record in detect(detector, path, health=health)]
    assert len(records) == flows_of(path) > 0
    assert health[0].packets > 0


def test_robustness_captures_never_break_a_line(folder, data):
    """Hostile and odd captures: refused with a clear error, or valid lines."""
    detector, read = Detector.load(folder), 0
    for path in sorted((data / "robustness").rglob("*cap"))[::5]:
        try:
            for record in detect(detector, path):
                assert json.loads(eve_line(record)) == record
                read += 1
        except InputError as error:
            assert error.message
    assert read > 100
