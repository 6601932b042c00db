"""What loaders, splits and audits find in real traffic; the figures are known from elsewhere."""

import csv
import ipaddress
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.audit.audit import Audit, audit
from pipelines.audit.lookup import FieldAudit
from pipelines.cleaning.filters import apply_filters, propose_filters
from pipelines.cleaning.kinds import Pool
from pipelines.datasets.absent import check_absent, is_absent, without_absent
from pipelines.datasets.description import ColumnMap
from pipelines.datasets.fields import BEHAVIOUR, feature_columns, group_of
from pipelines.datasets.fixed_split import fixed_split
from pipelines.datasets.keys import text_codes
from pipelines.datasets.sources import describe_source, load_source
from pipelines.datasets.splits import draw_rows, make_split
from pipelines.errors import InputError


@pytest.fixture(scope="module")
def sessions(data: Path) -> Path:
    return data / "ustc_tfc2016" / "sessions"


@pytest.fixture(scope="module")
def families(sessions: Path) -> pa.Table:
    return load_source(sessions, "file").rows


@pytest.fixture(scope="module")
def kdd(data: Path) -> pa.Table:
    return load_source(data / "nsl_kdd").rows


def by_name(found: Audit) -> dict[str, FieldAudit]:
    return {row.name: row for row in found.fields}


def test_ustc_is_proposed_as_folders_with_twenty_files(sessions: Path) -> None:
    found = describe_source(sessions)
    assert (found.label, len(found.files)) == ("folder", 20)
    assert [(c.name, c.files) for c in found.classes] == [("Benign", 10), ("Malware", 10)]
    assert "20 classes" in found.reason


def test_ustc_sessions_are_all_there(families: pa.Table, sessions: Path) -> None:
    """Every listed session is a group; the others are fragments and packets cut in their ports."""
    with (sessions.parent / "sessions.csv").open(newline="") as file:
        listed = {
            (row["label"], int(row["proto"]), *sorted([end(row, "s"), end(row, "d")]))
            for row in csv.DictReader(file)
        }
    columns = ("label", "protocol", "src_ip", "src_port", "dst_ip", "dst_port")
    found = {
        (label, protocol, *sorted([(src, sport), (dst, dport)]))
        for label, protocol, src, sport, dst, dport in zip(
            *(families[name].to_pylist() for name in columns), strict=True
        )
    }
    assert listed <= found
    assert all(0 in (one[1], other[1]) for _, _, one, other in found - listed)
    assert len(set(families["flow"].to_pylist())) == len(found)


def end(session: dict[str, str], side: str) -> tuple[bytes, int]:
    """Address and port of a listed session; the list writes IPv6 as 32 hexadecimal digits."""
    text = session[{"s": "src", "d": "dst"}[side]]
    mapped = ipaddress.IPv6Address(f"::ffff:{text}").packed if "." in text else bytes.fromhex(text)
    return mapped, int(session[f"{side}port"])


def test_ustc_malware_against_benign_is_given_away(sessions: Path) -> None:
    rows = load_source(sessions, "folder").rows
    split = make_split(rows, "time", 0.5)
    assert split.document.proof.groups_on_two_sides == 0
    found = audit(rows, split)
    fields = by_name(found)
    for name in ("ttl", "mac_vendor", "prefix_16", "src_mac", "mac_vendor + ttl"):
        assert fields[name].accuracy >= 0.99
        assert fields[name].verdict == "shortcut" and fields[name].masked
        assert fields[name].majority == pytest.approx(0.50, abs=0.01)
    assert fields["first_packet_length"].accuracy == pytest.approx(0.998, abs=0.01)
    assert fields["lowest_port"].accuracy == pytest.approx(0.86, abs=0.03)
    assert "first_packet_length" in {row.name for row in found.shortcuts}
    assert found.verdict == "doubtful" and found.mend.masks == []
    bare = audit(rows, split, masks=[])
    assert bare.verdict == "leaking"
    assert {"addresses", "macs", "ttl", "time"} <= set(bare.mend.masks)
    ftp = next(row for row in found.replays if row.capture == "Benign/FTP.pcap")
    assert ftp.label == "Benign" and ftp.share > 0.95
    assert any("Benign/FTP.pcap" in text for text in found.advice)
    assert "1970" in split.warnings[0]


def test_ustc_families_and_the_replays_across_their_split(families: pa.Table) -> None:
    split = make_split(families, "time", 0.5)
    assert split.warnings == []
    sizes = split.document.sizes
    assert len(sizes["test"]) == 20
    for name, size in sizes["test"].items():
        groups = sum(sizes[side][name].groups for side in sizes)
        assert abs(size.groups - groups / 2) <= 0.5
    found = audit(families, split)
    fields = by_name(found)
    assert fields["first_packet_length"].accuracy == pytest.approx(0.664, abs=0.01)
    assert fields["protocol + lowest_port"].accuracy == pytest.approx(0.491, abs=0.01)
    replayed = {row.label: row for row in found.duplicates}
    assert replayed["FTP"].duplicates == replayed["FTP"].of > 150
    assert replayed["MySQL"].share == 1.0
    assert replayed["Virut"].share < 0.05


def test_a_time_split_of_ustc_never_tests_on_a_flow_older_than_its_training(families) -> None:
    split = make_split(families, "time", 0.5, 0.2)
    _, labels = text_codes(families, "label")
    times, flow = (families[name].to_numpy() for name in ("first_seen_ns", "flow"))
    for label in range(20):
        mine = np.flatnonzero(labels == label)
        _, place = np.unique(flow[mine], return_inverse=True)
        first = np.full(place.max() + 1, np.iinfo(np.int64).max)
        np.minimum.at(first, place, times[mine])
        began, side = first[place], split.side[mine]
        assert began[side == 0].max() <= began[side == 1].min()
        assert began[side == 1].max() <= began[side == 2].min()


def test_ustc_filters(families: pa.Table) -> None:
    pool = Pool(families)
    proposed = {found.filter.name: found.filter for found in propose_filters(pool)}
    assert not any(found.recommended for found in proposed.values())
    assert proposed["exact_duplicates"].rows > 2000
    kept, quarantine = apply_filters(pool, [proposed["few_packets"]])
    assert kept.num_rows + quarantine.num_rows == families.num_rows
    assert pc.min(kept["bidirectional_packets"]).as_py() == 2


def test_masks_leave_behaviour_only(families: pa.Table) -> None:
    names = feature_columns(families.schema)
    assert {group_of(families.schema.field(name)) for name in names} <= set(BEHAVIOUR)


def test_a_second_folder_is_tested_on_whole(data: Path) -> None:
    """The two raw captures share flows with the sessions cut from them: none is trained on."""
    source = load_source(data / "ustc_tfc2016" / "sessions", "file").rows
    other = load_source(data / "ustc_tfc2016" / "full", "file").rows
    rows, split = fixed_split(source, other)
    assert len(split.rows_on("test")) == other.num_rows
    assert set(split.document.sizes["test"]) >= {"Tinba", "Facetime"}
    assert audit(rows, split).fields


def test_malware_captures_take_their_labels_from_the_manifest(data: Path) -> None:
    folder = data / "malware_captures"
    found = describe_source(folder)
    assert (found.label, len(found.files), len(found.classes)) == ("labels.csv", 43, 31)
    assert found.label_choices == ["file", "folder", "labels.csv"]
    loaded = load_source(folder, "labels.csv")
    with (folder / "labels.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert len(loaded.health) == 43
    packets = {record.file: record.packets for record in loaded.health}
    assert packets == {row["file"]: int(row["packets"]) for row in listed}
    with pytest.raises(InputError, match="of 31 classes cannot be split by capture"):
        make_split(loaded.rows, "capture", 0.5)


def test_many_captures_a_class_can_be_split_by_capture(data: Path) -> None:
    rows = load_source(data / "iot_sentinel" / "pcap", "folder").rows
    split = make_split(rows, "capture", 0.5, 0.2, 1)
    assert split.document.proof.checked == 146
    names, captures = text_codes(rows, "capture")
    assert all(len(np.unique(split.side[captures == place])) == 1 for place in range(len(names)))
    assert all(size.rows for size in split.document.sizes["test"].values())


def test_nsl_kdd_is_found_among_its_helper_files(data: Path, kdd: pa.Table) -> None:
    found = describe_source(data / "nsl_kdd")
    assert found.preset == "nsl_kdd"
    assert [file.path for file in found.files] == ["KDDTrain+_20Percent.txt.gz"]
    with (data / "nsl_kdd" / "Field_Names.csv").open(newline="") as file:
        fields = [(row[0], row[1]) for row in csv.reader(file) if row]
    features = feature_columns(kdd.schema, [])
    assert features == [name for name, _ in fields[:41]]
    texts = [name for name in features if str(kdd.schema.field(name).type) == "string"]
    assert texts == [name for name, kind in fields[:41] if kind == "symbolic"]
    assert kdd.num_rows == 25_192


def test_nsl_kdd_labels_in_all_three_forms(data: Path) -> None:
    path = data / "nsl_kdd" / "KDDTrain+_20Percent.txt.gz"
    with (data / "nsl_kdd" / "Attack_Types.csv").open(newline=None) as file:
        category = dict(line.strip().split(",") for line in file if line.strip())
    attack = load_source(path, "attack").rows["label"].to_pylist()
    assert len(set(attack)) == 22
    assert load_source(path, "category").rows["label"].to_pylist() == [
        "normal" if name == "normal" else category[name] for name in attack
    ]
    assert Counter(load_source(path).rows["label"].to_pylist()) == {
        "normal": 13_449,
        "attack": 11_743,
    }


def test_nsl_kdd_columns_alone_go_far(kdd: pa.Table) -> None:
    split = make_split(kdd, "row", 0.5, seed=0)
    found = audit(kdd, split)
    fields = by_name(found)
    assert set(fields) == set(feature_columns(kdd.schema, []))
    assert fields["src_bytes"].accuracy > 0.83 and fields["src_bytes"].verdict == "shortcut"
    assert fields["src_bytes"].majority == pytest.approx(0.534, abs=0.01)
    assert fields["flag"].accuracy == pytest.approx(0.882, abs=0.01)
    assert found.fields[0].name == "src_bytes"
    assert {row.duplicates for row in found.duplicates} == {0}


def test_nsl_kdd_twenty_draws_of_twenty_rows(kdd: pa.Table) -> None:
    train = kdd.take(make_split(kdd, "row", 0.5).rows_on("train"))
    labels = np.array(train["label"].to_pylist())
    for rows in draw_rows(train, 10, 20):
        assert Counter(labels[rows]) == {"normal": 10, "attack": 10}


def test_nsl_kdd_names_families_that_may_be_absent(kdd: pa.Table) -> None:
    """The label columns that are not the class outlive the import, and no model reads them."""
    assert {"attack", "category"} <= {*kdd.column_names} - {*feature_columns(kdd.schema, [])}
    assert "class" not in kdd.column_names, "it is the label"
    absent = {"category": ["probe", "r2l"], "attack": ["rootkit"]}
    check_absent(kdd, absent)
    counts = Counter(kdd.filter(is_absent(kdd, absent))["category"].to_pylist())
    assert counts == {"probe": 2289, "r2l": 209, "u2r": 4}
    left = without_absent(kdd, absent, 5000)
    assert Counter(left["label"].to_pylist()) == {"normal": 13_449, "attack": 11_743 - 2502}
    with pytest.raises(InputError, match="no column 'class'"):
        check_absent(kdd, {"class": ["attack"]})


def test_nsl_kdd_attacks_of_one_row_are_recommended_for_quarantine(data: Path) -> None:
    rows = load_source(data / "nsl_kdd", "attack").rows
    proposals = [found.filter for found in propose_filters(Pool(rows))]
    small = next(found for found in proposals if found.recommended)
    assert small.classes_lost == ["ftp_write", "land", "loadmodule", "spy"]
    kept, _ = apply_filters(Pool(rows), [small])
    assert not make_split(kept, "row", 0.5).document.sizes["test"].keys() & set(small.classes_lost)


def test_iot23_is_five_captures_of_one_table(data: Path) -> None:
    columns = ColumnMap(time="ts", classes={"benign": "Benign"})
    loaded = load_source(data / "iot23", columns=columns)
    rows = loaded.rows
    assert rows.num_rows == 38_583 and loaded.warnings == []
    assert len(set(rows["capture"].to_pylist())) == 5
    features = feature_columns(rows.schema)
    assert not {"uid", "id_orig_h", "id_resp_p", "detailed_label", "first_seen_ns"} & set(features)
    assert {"orig_bytes", "conn_state", "history"} <= set(features)
    captures = dict(zip(rows["capture"].to_pylist(), rows["label"].to_pylist(), strict=True))
    assert captures["CTU-Honeypot-Capture-4-1-labeled.csv.gz"] == "Benign"
    split = make_split(rows, "time", 0.5)
    assert split.document.proof.groups_on_two_sides == 0
    assert {"day", "hour", "id_orig_h"} <= set(by_name(audit(rows, split)))


def test_iot23_benign_is_one_class_however_it_is_written(data: Path) -> None:
    loaded = load_source(data / "iot23")
    assert loaded.warnings == []
    assert Counter(loaded.rows["label"].to_pylist()) == {"Malicious": 29_460, "Benign": 9_123}


def test_unsw_sbytes_alone(data: Path) -> None:
    rows = load_source(data / "unsw_nb15").rows
    assert "attack_cat" not in feature_columns(rows.schema, [])
    assert "sttl" not in feature_columns(rows.schema)
    found = by_name(audit(rows, make_split(rows, "row", 0.5)))
    assert found["sbytes"].accuracy == pytest.approx(0.878, abs=0.01)
    assert found["sttl"].masked and found["sttl"].group == "ttl"


@pytest.mark.parametrize("name", ["cicids2017_sample", "iscxtor2016_excerpt"])
def test_other_tables_load_split_and_audit(data: Path, name: str) -> None:
    loaded = load_source(data / name)
    rows = loaded.rows
    assert not any("." in column or " " in column for column in rows.column_names)
    assert not pc.any(
        pc.is_inf(
            pc.drop_null(
                pa.chunked_array(
                    [
                        chunk
                        for column in rows.columns
                        if str(column.type) == "double"
                        for chunk in column.chunks
                    ]
                )
            )
        )
    ).as_py()
    split = make_split(rows, "row", 0.3)
    assert audit(rows, split).fields
    split.check(rows)


def test_robustness_captures_hold_no_surprise(data: Path) -> None:
    """Broken and odd captures of 34 link types: read or reported, never a traceback."""
    folder = data / "robustness" / "pcap"
    loaded = load_source(folder, "folder")
    listed = len(describe_source(folder, "folder").files)
    assert listed > 600 and len(loaded.health) == listed
    decoded = {record.file for record in loaded.health if record.decoded}
    assert set(loaded.rows["capture"].to_pylist()) == decoded
