"""``netloop data next`` on tables and captures, and the sheet used as what it is for."""

import csv
import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import Command

from pipelines.capture.community_id import community_id
from pipelines.datasets.flow_labels import address_bytes
from pipelines.datasets.sources import load_source

pytestmark = pytest.mark.usefixtures("small_forests")


def write_table(path: Path, rows: int, seed: int, label: str | None = "kind") -> Path:
    """Records of two classes that overlap, ``label`` naming the column of the class."""
    random = np.random.default_rng(seed)
    lines = [",".join(["size", "rate", "word", *([label] if label else [])])]
    for number in range(rows):
        attack = number % 2
        cells = [f"{attack + random.normal(0, 0.8):.4f}", f"{random.normal():.4f}",
                 random.choice(["odd", "usual"]), *(["bg"[attack]] if label else [])]  # fmt: skip
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_spec(folder: Path, source: Path, label: str, **data: object) -> Path:
    path = folder / "spec.yaml"
    content = {"goal": "Tell these apart", "data": {"source": str(source), "label": label, **data}}
    path.write_text(yaml.safe_dump(content))
    return path


def read_sheet(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write_spec(tmp_path, write_table(tmp_path / "labelled.csv", 20, 0), "kind")


def test_records_to_label(netloop: Command, tmp_path: Path, spec: Path) -> None:
    pool = write_table(tmp_path / "pool.csv", 300, 1, label=None)
    ended = netloop("data", "next", spec, "--unlabelled", pool, "--count", "12")
    assert ended.code == 0, ended.err
    assert ended.out == "rows_to_label.csv\n"
    assert "12 rows to label" in ended.told
    rows = read_sheet(tmp_path / "rows_to_label.csv")
    lines = pool.read_text().splitlines()
    assert [*rows[0]] == ["file", "row", "guess", "sure", "label", "size", "rate", "word"]
    assert len({row["row"] for row in rows}) == len(rows) == 12
    for row in rows:
        size, rate, word = lines[int(row["row"])].split(",")
        assert (float(row["size"]), float(row["rate"]), row["word"]) == (
            float(size), float(rate), word,
        )  # fmt: skip
        assert (row["file"], row["label"]) == ("pool.csv", "")
        assert row["guess"] in ("b", "g")
        assert 0.5 <= float(row["sure"]) <= 1


def test_a_label_that_is_there_is_ignored(netloop: Command, tmp_path: Path, spec: Path) -> None:
    write_table(tmp_path / "pool.csv", 300, 1, label=None)
    assert netloop("data", "next", spec, "--unlabelled", "pool.csv", "--out", "a.csv").code == 0
    write_table(tmp_path / "pool.csv", 300, 1, label="kind")
    assert netloop("data", "next", spec, "--unlabelled", "pool.csv", "--out", "b.csv").code == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_the_filled_in_sheet_is_a_labelled_table(
    netloop: Command, tmp_path: Path, spec: Path
) -> None:
    write_table(tmp_path / "pool.csv", 300, 1)
    assert netloop("data", "next", spec, "--unlabelled", "pool.csv", "--count", "6").code == 0
    path = tmp_path / "rows_to_label.csv"
    lines = path.read_text().splitlines()
    filled = [line.replace(',"",', ',"g",' if n % 2 else ',"b",') for n, line in enumerate(lines)]
    path.write_text("\n".join(filled[:-1] + lines[-1:]) + "\n")  # one is left blank
    rows = load_source(path, "label").rows
    assert sorted(rows["label"].to_pylist()) == ["b", "b", "g", "g", "g"]


def test_flows_to_label_become_a_labels_file(
    netloop: Command, tmp_path: Path, tiny_lab: Path
) -> None:
    known, pool = tmp_path / "known", tmp_path / "pool"
    for name in ("dns", "web", "scan"):
        first, second = sorted((tiny_lab / name).iterdir())
        for folder, capture in ((known, first), (pool, second)):
            (folder / name).mkdir(parents=True)
            shutil.copy(capture, folder / name)
    shutil.copy(tiny_lab / "labels.csv", pool)  # of other captures: not to be read
    spec = write_spec(tmp_path, known, "folder")
    ended = netloop("data", "next", spec, "--unlabelled", pool, "--count", "9", "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert (told["rows"], told["warnings"]) == (9, [])
    path = Path(told["out"])
    rows = read_sheet(path)
    assert [*rows[0]] == [
        "file", "start", "end", "src_ip", "src_port", "dst_ip", "dst_port", "protocol",
        "community_id", "guess", "sure", "label",
    ]  # fmt: skip
    for row in rows:
        ends = [bytes(address_bytes(row[f"{end}_ip"]) or ()) for end in ("src", "dst")]
        ports = int(row["src_port"]), int(row["dst_port"])
        assert row["community_id"] == community_id(*ends, *ports, int(row["protocol"]))
        assert row["start"] <= row["end"]
        assert row["guess"] in ("dns", "web", "scan")
    head, *lines = path.read_text().splitlines()
    classes = [row["file"].partition("/")[0] for row in rows]
    filled = [line.removesuffix('""') + name for line, name in zip(lines, classes, strict=True)]
    path.write_text("\n".join([head, *filled]) + "\n")
    labelled = load_source(pool, str(path), least_classes=1).rows
    assert sorted(labelled["label"].to_pylist()) == sorted(classes)
    assert all(
        row["capture"].startswith(row["label"])
        for row in labelled.select(["capture", "label"]).to_pylist()
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no"),
        ("size,rate,word\n", "0 different rows"),
        ("size,word\n1,a\n", "no column 'rate'"),
        ("size,rate,word\n1,fast,a\n", "Column 'rate'"),
        ("size,rate,word\n1,2,a\n1,2,a\n3,4,b\n", "2 different rows"),
        ("1,2,a\n3,4,b\n", "no column 'size'"),
    ],
)
def test_a_table_that_cannot_serve(
    netloop: Command, tmp_path: Path, spec: Path, content: str, said: str
) -> None:
    (tmp_path / "pool.csv").write_text(content)
    ended = netloop("data", "next", spec, "--unlabelled", "pool.csv")
    assert ended.code == 2, ended.err
    assert said in ended.told
    assert not (tmp_path / "rows_to_label.csv").exists()


def test_captures_are_not_like_a_table(
    netloop: Command, tmp_path: Path, spec: Path, tiny_lab: Path
) -> None:
    ended = netloop("data", "next", spec, "--unlabelled", tiny_lab / "dns")
    assert (ended.code, "one holds captures, the other a table" in ended.told) == (2, True)
    spec = write_spec(tmp_path, tiny_lab, "folder")
    write_table(tmp_path / "pool.csv", 40, 1)
    ended = netloop("data", "next", spec, "--unlabelled", "pool.csv")
    assert (ended.code, "one holds captures, the other a table" in ended.told) == (2, True)


def test_one_class_is_not_enough(netloop: Command, tmp_path: Path, spec: Path) -> None:
    table = (tmp_path / "labelled.csv").read_text().replace(",b\n", ",g\n")
    (tmp_path / "labelled.csv").write_text(table)
    ended = netloop("data", "next", spec, "--unlabelled", "labelled.csv")
    assert (ended.code, "of one class" in ended.told) == (2, True)


def test_labels_that_were_filled_in_are_not_overwritten(
    netloop: Command, tmp_path: Path, spec: Path
) -> None:
    (tmp_path / "rows_to_label.csv").write_text("mine")
    ended = netloop("data", "next", spec, "--unlabelled", "labelled.csv")
    assert (ended.code, "is there already" in ended.told) == (2, True)
    assert (tmp_path / "rows_to_label.csv").read_text() == "mine"


@pytest.mark.parametrize("count", ["0", "1001", "many"])
def test_how_many_may_be_asked_for(netloop: Command, spec: Path, count: str) -> None:
    assert netloop("data", "next", spec, "--unlabelled", ".", "--count", count).code == 2


def test_a_public_layout_without_its_labels(netloop: Command, tmp_path: Path, data: Path) -> None:
    packed = (data / "nsl_kdd" / "KDDTrain+_20Percent.txt.gz").read_bytes()
    whole = gzip.decompress(packed).decode().splitlines()
    (tmp_path / "known.txt").write_text("\n".join(whole[:60]) + "\n")
    bare = [line.rsplit(",", 2)[0] for line in whole[60:400]]
    (tmp_path / "pool.txt").write_text("\n".join(bare) + "\n")
    spec = write_spec(tmp_path, tmp_path / "known.txt", "class")
    assert netloop("data", "next", spec, "--unlabelled", "pool.txt", "--out", "a.csv").code == 0
    (tmp_path / "pool.txt").write_text("\n".join(whole[60:400]) + "\n")
    assert netloop("data", "next", spec, "--unlabelled", "pool.txt", "--out", "b.csv").code == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert not {"class", "attack", "category", "difficulty"} & {*read_sheet(tmp_path / "a.csv")[0]}
