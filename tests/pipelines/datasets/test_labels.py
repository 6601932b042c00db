from pathlib import Path

import pytest

from pipelines.datasets.labels import assign_labels, propose_label, stem
from pipelines.errors import InputError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Neris.pcap", "Neris"),
        ("a/b/Nsis-ay.pcapng", "Nsis-ay"),
        ("x.pcap.gz", "x"),
        ("v1.2.cap", "v1.2"),
        ("x.PCAP.GZ", "x"),
        ("dump", "dump"),
        (" Zeus .pcap", "Zeus"),
    ],
)
def test_the_class_of_a_file_is_its_stem(name: str, expected: str) -> None:
    assert stem(name) == expected


@pytest.mark.parametrize(
    ("captures", "label", "words"),
    [
        (["a.pcap", "b.pcap"], "file", "directly"),
        (["a.pcap", "Malware/b.pcap"], "file", "directly"),
        (["pcap/Aria/1.pcap", "pcap/Hue/1.pcap"], "file", "one sub-folder, pcap"),
        (["B/x.pcap", "B/y.pcap", "M/z.pcap"], "folder", "would make 3 classes"),
        (["B/1.pcap", "B/2.pcap", "M/1.pcap"], "folder", "1 file name comes back"),
        (["B/x.pcap", "M/y.pcap"], "folder", "one capture"),
    ],
)
def test_a_label_is_proposed_with_its_reason(tmp_path, captures, label, words) -> None:
    proposed, reason = propose_label(tmp_path, captures)
    assert proposed == label and words in reason


def test_a_manifest_in_the_folder_comes_first_if_it_is_one(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("name,class\nx,y\n")
    assert propose_label(tmp_path, ["a.pcap"])[0] == "file"
    (tmp_path / "labels.csv").write_text("file,label\n")
    assert propose_label(tmp_path, ["a.pcap"])[0] == "labels.csv"


def test_files_of_one_name_in_several_folders_are_pointed_out(tmp_path: Path) -> None:
    labels, warnings = assign_labels(tmp_path, ["a/x.pcap", "b/x.pcap", "b/y.pcap"], "file")
    assert labels == {"a/x.pcap": "x", "b/x.pcap": "x", "b/y.pcap": "y"}
    assert warnings == ["Files of one name in several folders count as one class: x."]
    assert assign_labels(tmp_path, ["a/x.pcap", "a/x.pcapng"], "file")[1] == []


def test_the_folder_below_the_source_is_the_class_however_deep_the_file(tmp_path: Path) -> None:
    labels, _ = assign_labels(tmp_path, ["M/2019/june/x.pcap", "B/y.pcap"], "folder")
    assert labels == {"M/2019/june/x.pcap": "M", "B/y.pcap": "B"}
    with pytest.raises(InputError, match=r"1 capture lies directly.*z\.pcap"):
        assign_labels(tmp_path, ["M/x.pcap", "z.pcap"], "folder")


def manifest(
    folder: Path, text: str, captures: tuple[str, ...] = ("a.pcap", "s/b.pcap")
) -> list[str]:
    for name in captures:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return list(captures)


def test_a_manifest_names_files_and_its_other_columns_are_ignored(tmp_path: Path) -> None:
    captures = manifest(tmp_path, "sha,file,label,note\n1,a.pcap, Zeus ,x\n2,s/b.pcap,Neris,\n")
    labels, warnings = assign_labels(tmp_path, captures, "labels.csv")
    assert labels == {"a.pcap": "Zeus", "s/b.pcap": "Neris"} and warnings == []


def test_a_manifest_from_excel_or_windows(tmp_path: Path) -> None:
    captures = manifest(tmp_path, "\ufefffile, label\r\n.\\a.pcap,x\r\ns\\b.pcap,y\r\n")
    assert assign_labels(tmp_path, captures, "labels.csv")[0] == {"a.pcap": "x", "s/b.pcap": "y"}


def test_a_manifest_above_the_source_counts_from_its_own_folder(tmp_path: Path) -> None:
    manifest(tmp_path, "file,label\nsessions/a.pcap,x\n", ("sessions/a.pcap",))
    assert assign_labels(tmp_path / "sessions", ["a.pcap"], "../labels.csv")[0] == {"a.pcap": "x"}
    absolute = str(tmp_path / "labels.csv")
    assert assign_labels(tmp_path / "sessions", ["a.pcap"], absolute)[0] == {"a.pcap": "x"}


def test_captures_and_rows_without_the_other_are_named(tmp_path: Path) -> None:
    captures = manifest(tmp_path, "file,label\na.pcap,x\ngone.pcap,y\ns/b.pcap,\n")
    labels, warnings = assign_labels(tmp_path, captures, "labels.csv")
    assert labels == {"a.pcap": "x"}
    assert warnings == [
        "1 file is named in labels.csv but not here: gone.pcap.",
        "1 capture was left out, without a class in labels.csv: s/b.pcap.",
    ]


def test_paths_out_of_the_source_choose_nothing(tmp_path: Path) -> None:
    source = tmp_path / "in"
    captures = manifest(source, "file,label\n../secret.pcap,x\n/etc/passwd,y\na.pcap,z\n")
    (tmp_path / "secret.pcap").write_bytes(b"")
    labels, warnings = assign_labels(source, captures, "labels.csv")
    assert labels == {"a.pcap": "z"}
    assert "2 files are named in labels.csv but not here" in warnings[0]


def test_a_file_with_two_classes_is_an_error_and_twice_the_same_is_none(tmp_path: Path) -> None:
    captures = manifest(tmp_path, "file,label\na.pcap,x\na.pcap,y\n")
    with pytest.raises(InputError, match="two classes, 'x' and 'y'"):
        assign_labels(tmp_path, captures, "labels.csv")
    captures = manifest(tmp_path, "file,label\na.pcap,x\n./a.pcap,x\n")
    assert assign_labels(tmp_path, captures, "labels.csv")[0] == {"a.pcap": "x"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,class\na.pcap,x\n", "no column label"),
        ("", "no column file and no column label"),
        ("file,label\nother.pcap,x\n", "names no capture of the 2"),
        ("file,label\na.pcap\n", "names no capture"),
    ],
)
def test_manifests_that_say_nothing(tmp_path: Path, text: str, words: str) -> None:
    captures = manifest(tmp_path, text)
    with pytest.raises(InputError, match=words):
        assign_labels(tmp_path, captures, "labels.csv")


def test_a_manifest_that_is_no_text(tmp_path: Path) -> None:
    captures = manifest(tmp_path, "file,label\n")
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match="cannot be read"):
        assign_labels(tmp_path, captures, "labels.csv")


@pytest.mark.parametrize(
    "rows",
    [
        b"a.pcap,x\n" * 2000 + b"\xff.pcap,y\n",  # beyond what reading the header decodes
        b"a" * 200_000 + b",x\n",
        b"a\0.pcap,x\n",
    ],
)
def test_a_manifest_that_is_damaged_further_down(tmp_path: Path, rows: bytes) -> None:
    captures = manifest(tmp_path, "file,label\n")
    (tmp_path / "labels.csv").write_bytes(b"file,label\n" + rows)
    with pytest.raises(InputError, match=r"labels\.csv cannot be read"):
        assign_labels(tmp_path, captures, "labels.csv")


def test_an_unknown_rule_or_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'filename'") as caught:
        assign_labels(tmp_path, ["a.pcap"], "filename")
    assert "file, folder" in caught.value.mend
    with pytest.raises(InputError, match=r"no truth\.csv"):
        assign_labels(tmp_path, ["a.pcap"], "truth.csv")
