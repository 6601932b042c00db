import gzip
import os
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.capture import FlowSettings, flow_schema
from pipelines.datasets.fields import feature_columns, group_of
from pipelines.datasets.sources import describe_source, load_source, source_files
from pipelines.errors import InputError


@pytest.fixture
def two_classes(tmp_path: Path, write_capture) -> Path:
    write_capture(tmp_path / "Benign" / "web.pcap", range(1000, 1005))
    write_capture(tmp_path / "Malware" / "bot.pcap", range(1000, 1003))
    return tmp_path


def test_captures_become_rows_of_the_contract(two_classes: Path) -> None:
    loaded = load_source(two_classes, "folder")
    rows = loaded.rows
    assert rows.column_names == ["label", "capture", *flow_schema(FlowSettings()).names]
    assert rows["label"].to_pylist() == ["Benign"] * 5 + ["Malware"] * 3
    assert set(rows["capture"].to_pylist()) == {"Benign/web.pcap", "Malware/bot.pcap"}
    assert group_of(rows.schema.field("label")) == "label"
    assert group_of(rows.schema.field("capture")) == "split"
    assert not {"label", "capture", "flow", "src_ip"} & set(feature_columns(rows.schema))
    assert rows.schema.field("label").type == pa.string()
    assert loaded.warnings == []
    assert [(record.file, record.packets) for record in loaded.health] == [
        ("Benign/web.pcap", 5),
        ("Malware/bot.pcap", 3),
    ]


def test_the_same_5_tuple_in_two_captures_is_two_groups(two_classes: Path) -> None:
    assert len(set(load_source(two_classes, "folder").rows["flow"].to_pylist())) == 8


def test_a_flow_cut_by_a_time_out_stays_one_group(tmp_path: Path, write_capture) -> None:
    write_capture(tmp_path / "a.pcap", [1000, 1001, 1002, 1000])
    write_capture(tmp_path / "b.pcap", [1000])
    rows = load_source(tmp_path, "file", settings=FlowSettings(idle_seconds=1)).rows
    flows = rows.filter(pa.array([name == "a" for name in rows["label"].to_pylist()]))["flow"]
    assert len(flows) == 4 and len(set(flows.to_pylist())) == 3


def test_groups_do_not_depend_on_where_the_source_lies(two_classes: Path, tmp_path_factory) -> None:
    moved = tmp_path_factory.mktemp("other") / "place"
    before = load_source(two_classes, "folder").rows["flow"].to_pylist()
    two_classes.rename(moved)
    assert load_source(moved, "folder").rows["flow"].to_pylist() == before


def test_packets_may_be_the_rows(two_classes: Path) -> None:
    rows = load_source(two_classes, "folder", "packet").rows
    assert rows.num_rows == 8
    assert rows["packet_length"].type.list_size == 1
    assert "bidirectional_packets" not in rows.column_names


def test_a_source_is_described_without_reading_it(two_classes: Path) -> None:
    found = describe_source(two_classes)
    assert (found.layout, found.label, found.label_choices) == (
        "captures",
        "folder",
        ["file", "folder"],
    )
    sizes = {file.path: file.bytes for file in found.files}
    assert sizes == {
        p: (two_classes / p).stat().st_size for p in ("Benign/web.pcap", "Malware/bot.pcap")
    }
    assert [(c.name, c.files, c.bytes) for c in found.classes] == [
        ("Benign", 1, sizes["Benign/web.pcap"]),
        ("Malware", 1, sizes["Malware/bot.pcap"]),
    ]
    assert [c.name for c in describe_source(two_classes, "file").classes] == ["bot", "web"]
    assert describe_source(two_classes, "file").reason == "It was named."


def test_captures_are_known_by_their_first_bytes_or_their_suffix(
    tmp_path: Path, write_capture
) -> None:
    write_capture(tmp_path / "noname")
    packed = write_capture(tmp_path / "x.bin").read_bytes()
    (tmp_path / "packed.pcap.gz").write_bytes(gzip.compress(packed))
    (tmp_path / "labels.csv").write_text("a,b\n")
    (tmp_path / ".hidden.pcap").write_bytes(packed)
    assert [file.path for file in describe_source(tmp_path).files] == [
        "noname",
        "packed.pcap.gz",
        "x.bin",
    ]
    assert sorted(set(load_source(tmp_path).rows["label"].to_pylist())) == [
        "noname",
        "packed",
        "x.bin",
    ]


def test_a_file_that_is_no_capture_is_reported_and_the_rest_is_read(two_classes: Path) -> None:
    (two_classes / "Benign" / "notes.pcap").write_text("not a capture at all")
    (two_classes / "Benign" / "empty.pcap").write_bytes(b"")
    loaded = load_source(two_classes, "folder")
    assert loaded.rows.num_rows == 8
    assert [text.split(" was")[0] for text in loaded.warnings] == [
        "Benign/empty.pcap",
        "Benign/notes.pcap",
    ]
    assert [record.file for record in loaded.health] == [
        "Benign/empty.pcap",
        "Benign/notes.pcap",
        "Benign/web.pcap",
        "Malware/bot.pcap",
    ]


def test_a_truncated_capture_keeps_what_came_before(two_classes: Path) -> None:
    path = two_classes / "Benign" / "web.pcap"
    path.write_bytes(path.read_bytes()[:-20])
    loaded = load_source(two_classes, "folder")
    assert loaded.rows["label"].to_pylist().count("Benign") == 4
    assert next(record for record in loaded.health if "web" in record.file).corrupt == 1


def test_a_capture_without_flows_is_named(two_classes: Path, write_capture) -> None:
    write_capture(two_classes / "Benign" / "silent.pcap", [])
    loaded = load_source(two_classes, "folder")
    assert loaded.rows.num_rows == 8
    assert loaded.warnings == ["1 capture holds no flow: Benign/silent.pcap."]


def test_links_out_of_the_source_and_to_nothing_are_named_and_not_followed(
    two_classes: Path, tmp_path_factory, write_capture
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    secret = write_capture(elsewhere / "secret.pcap")
    (two_classes / "Benign" / "out.pcap").symlink_to(secret)
    (two_classes / "Benign" / "folder").symlink_to(elsewhere)
    (two_classes / "Benign" / "gone.pcap").symlink_to(elsewhere / "nothing")
    (two_classes / "Benign" / "inside.pcap").symlink_to("web.pcap")
    found = describe_source(two_classes, "folder")
    assert [file.path for file in found.files] == [
        "Benign/inside.pcap",
        "Benign/web.pcap",
        "Malware/bot.pcap",
    ]
    assert found.warnings == [
        "Links out of the source or to no file were left out: Benign/folder, Benign/gone.pcap, "
        "Benign/out.pcap."
    ]


def test_a_pipe_does_not_hang_the_reader(two_classes: Path) -> None:
    os.mkfifo(two_classes / "Benign" / "pipe.pcap")
    (two_classes / "Benign" / "link.pcap").symlink_to("pipe.pcap")
    assert len(describe_source(two_classes, "folder").files) == 2


def test_a_source_may_itself_be_a_link(two_classes: Path, tmp_path_factory) -> None:
    link = tmp_path_factory.mktemp("links") / "data"
    link.symlink_to(two_classes)
    assert load_source(link, "folder").rows.num_rows == 8


def test_names_that_are_no_text_are_spelled_out(two_classes: Path, write_capture) -> None:
    name = os.fsdecode(b"caf\xe9.pcap")
    write_capture(two_classes / "Benign" / name, [1000])
    loaded = load_source(two_classes, "folder")
    assert "Benign/caf\\udce9.pcap" in loaded.rows["capture"].to_pylist()


def test_files_with_names_that_are_no_text_can_be_opened(two_classes: Path, write_capture) -> None:
    name = os.fsdecode(b"caf\xe9.pcap")
    write_capture(two_classes / "Benign" / name)
    files = source_files(two_classes, "folder")
    assert [path.name for path in files] == [name, "web.pcap", "bot.pcap"]
    assert all(path.stat().st_size for path in files)


def test_a_single_capture_is_its_own_file(two_classes: Path) -> None:
    capture = two_classes / "Benign" / "web.pcap"
    assert source_files(capture, "file") == [capture]


def test_the_manifest_is_among_the_files(two_classes: Path) -> None:
    manifest = two_classes / "labels.csv"
    manifest.write_text("file,label\nBenign/web.pcap,good\nMalware/bot.pcap,bad\n")
    captures = [two_classes / "Benign" / "web.pcap", two_classes / "Malware" / "bot.pcap"]
    assert source_files(two_classes) == [*captures, manifest]
    assert source_files(two_classes, str(manifest)) == [*captures, manifest]
    assert source_files(two_classes, "folder") == captures


def test_the_files_of_a_table_are_those_of_its_columns(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    (tmp_path / name).write_text("bytes,label\n1,a\n2,b\n")
    (tmp_path / "other.csv").write_text("x,y\n1,2\n")
    assert source_files(tmp_path) == [tmp_path / name]
    with pytest.raises(InputError, match="no column 'klass'"):
        source_files(tmp_path, "klass")


def test_files_of_nothing_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is an empty folder"):
        source_files(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        source_files(tmp_path / "absent")


def test_one_capture_is_a_source_for_a_test(tmp_path: Path, write_capture) -> None:
    path = write_capture(tmp_path / "Neris.pcap", [1, 2])
    rows = load_source(path, "file", least_classes=1).rows
    assert rows["label"].to_pylist() == ["Neris"] * 2
    assert rows["capture"].to_pylist() == ["Neris.pcap"] * 2
    with pytest.raises(InputError, match="one class, 'Neris'"):
        load_source(path, "file")


def test_a_column_of_identifiers_is_no_label(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("label,size\n" + "".join(f"host-{n},{n}\n" for n in range(1001)))
    with pytest.raises(InputError, match="holds 1,001 classes with names of up to 9 characters"):
        load_source(path)
    path.write_text(f"label,size\n{'a' * 201},1\nb,2\n")
    with pytest.raises(InputError, match="holds 2 classes with names of up to 201 characters"):
        load_source(path)


@pytest.mark.parametrize("make", ["missing", "empty", "documents"])
def test_nothing_to_learn_from(tmp_path: Path, make: str) -> None:
    folder = tmp_path / "data"
    words = {
        "missing": "cannot be read: No such file",
        "empty": "is an empty folder",
        "documents": "holds no capture and no table",
    }[make]
    if make != "missing":
        folder.mkdir()
    if make == "documents":
        (folder / "README.md").write_text("hello, world\n")
        (folder / "fake.pcap").write_bytes(b"\0" * 100)
    for look in (describe_source, load_source):
        with pytest.raises(InputError, match=words) as caught:
            look(folder)
        assert caught.value.mend and caught.value.exit_code == 2


def test_captures_that_all_fail_are_an_error_that_says_why(tmp_path: Path, write_capture) -> None:
    write_capture(tmp_path / "a.pcap", [])
    write_capture(tmp_path / "b.pcap", [])
    with pytest.raises(InputError, match=r"holds \d captures? but no flow at all") as caught:
        load_source(tmp_path)
    assert "a.pcap, b.pcap" in caught.value.mend


def test_progress_counts_bytes_and_files(two_classes: Path) -> None:
    calls = []
    load_source(two_classes, "folder", progress=lambda *call: calls.append(call))
    size = sum(path.stat().st_size for path in two_classes.rglob("*.pcap")) / (1 << 20)
    assert {call[0] for call in calls} == {"reading captures"}
    assert {call[2] for call in calls} == {size}
    done = [call[1] for call in calls]
    assert done == sorted(done) and done[-1] == size
    units = list(dict.fromkeys(call[3] for call in calls))
    assert units == [f"MB, {files}/2 files" for files in range(3)]


def test_reading_twice_gives_the_same_rows(two_classes: Path) -> None:
    assert load_source(two_classes, "folder").rows.equals(load_source(two_classes, "folder").rows)
