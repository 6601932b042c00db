"""Rows of captures: the same bytes whoever reads them, and only what is missing is read again."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.capture import FlowSettings
from pipelines.datasets.capture_rows import Reading, captures_of
from pipelines.datasets.captures import find_captures
from pipelines.datasets.sources import load_source, open_source
from pipelines.errors import InputError
from pipelines.executors import SERIAL, Workers
from pipelines.store.files import hash_file
from pipelines.store.rows import NAME, write_tables

ROOT = Path(__file__).parents[3]


@pytest.fixture
def source(tmp_path: Path, write_capture) -> Path:
    """Two classes of three captures each, and a rotating capture of two files."""
    folder = tmp_path / "captures"
    for place in range(3):
        write_capture(folder / "Benign" / f"a{place}.pcap", range(1000, 1004 + place))
        write_capture(folder / "Malware" / f"b{place}.pcap", [2000 + place])
    write_capture(folder / "Malware" / "ring.pcap0", [5, 6])
    write_capture(folder / "Malware" / "ring.pcap1", [6, 7])
    return folder


def imported(source: Path, out: Path, reading: Reading) -> str:
    """The hash of the rows that an import writes."""
    out.mkdir()
    opened = open_source(source, "folder", reading)
    write_tables(out, opened.tables, opened.schema)
    return hash_file(out / NAME)


@pytest.mark.parametrize("granularity", ["flow", "packet"])
def test_equal_bytes_whoever_reads(source: Path, tmp_path: Path, granularity) -> None:
    hashes = {
        imported(source, tmp_path / str(place), Reading(granularity, FlowSettings(), workers, root))
        for place, (workers, root) in enumerate(
            [
                (SERIAL, None),
                (SERIAL, tmp_path / "one"),
                (SERIAL, tmp_path / "one"),  # everything is there
                (Workers("processes", 2), tmp_path / "two"),
            ]
        )
    }
    assert len(hashes) == 1


def test_a_dask_cluster_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address=None,
    ) as cluster:
        workers = Workers(cluster.scheduler_address)
        one = imported(source, tmp_path / "1", Reading(workers=workers, shards=tmp_path / "s"))
    assert one == imported(source, tmp_path / "2", Reading())


@pytest.mark.slow
def test_a_dask_cluster_of_its_own_processes(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    reading = Reading(workers=Workers("dask", 2), shards=tmp_path / "s")
    assert imported(source, tmp_path / "1", reading) == imported(source, tmp_path / "2", Reading())


# --- rotating captures ---------------------------------------------------------------------------


def test_the_files_of_a_rotation_are_one_capture(source: Path) -> None:
    loaded = load_source(source, "folder")
    rows = loaded.rows.to_pylist()
    ring = [row for row in rows if row["capture"] == "Malware/ring.pcap0"]
    assert {row["label"] for row in ring} == {"Malware"}
    # both files begin at the same second, so the flow of port 6 runs back in time: read in order
    assert sorted(row["src_port"] for row in ring) == [5, 6, 7]
    assert not any(row["capture"] == "Malware/ring.pcap1" for row in rows)
    assert any("2 files are read as 1 rotating capture" in text for text in loaded.warnings)
    health = next(record for record in loaded.health if record.file == "Malware/ring.pcap0")
    assert [part.file for part in health.files] == ["ring.pcap0", "ring.pcap1"]
    assert health.packets == 4


def test_files_of_several_classes_are_no_rotation(source: Path) -> None:
    (source / "labels.csv").write_text(
        "file,label\nMalware/ring.pcap0,One\nMalware/ring.pcap1,Two\n"
    )
    found = find_captures(source)
    captures, warnings = captures_of(found, "labels.csv")
    assert [(capture.name, capture.label) for capture in captures] == [
        ("Malware/ring.pcap0", "One"),
        ("Malware/ring.pcap1", "Two"),
    ]
    assert not any("rotating" in text for text in warnings)


# --- death and company ---------------------------------------------------------------------------

IMPORT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from pipelines.capture import shards
from pipelines.datasets.capture_rows import Reading
from pipelines.datasets.sources import open_source
from pipelines.executors import Workers
from pipelines.store.rows import write_tables

if __name__ == "__main__":
    out = Path({out!r})
    out.mkdir(exist_ok=True)
    opened = open_source(Path({source!r}), "folder", Reading(
        workers=Workers({kind!r}, {count}), shards=Path({shards!r})))
    def tables():
        for number, table in enumerate(opened.tables):
            if number == {die_at}:
                os.kill(os.getpid(), signal.SIGKILL)
            yield table
    write_tables(out, tables(), opened.schema)
"""


def start(tmp_path: Path, source: Path, out: str, **more) -> subprocess.Popen:
    script = tmp_path / f"{out}.py"
    setting = {"kind": "serial", "count": 1, "die_at": -1} | more
    script.write_text(
        IMPORT.format(
            root=str(ROOT),
            out=str(tmp_path / out),
            source=str(source),
            shards=str(tmp_path / "shards"),
            **setting,
        )
    )
    return subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE)


def shards_in(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.glob("*/*/rows.parquet")}


def test_a_killed_import_begins_where_it_stopped(source: Path, tmp_path: Path) -> None:
    shutil.rmtree(source / "Malware")
    shutil.move(source / "Benign", source / "Malware")
    (source / "Benign").mkdir()
    for name in ("a1.pcap", "a2.pcap"):
        shutil.move(source / "Malware" / name, source / "Benign" / name)
    killed = start(tmp_path, source, "killed", die_at=1)
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    before = shards_in(tmp_path / "shards")
    assert 1 <= len(before) < 3  # serial: what was not asked for was not made
    reading = Reading(shards=tmp_path / "shards")
    assert imported(source, tmp_path / "1", reading) == imported(source, tmp_path / "2", Reading())
    after = shards_in(tmp_path / "shards")
    assert len(after) == 3
    assert {path: after[path] for path in before} == before


def test_two_imports_of_one_folder_at_once(source: Path, tmp_path: Path) -> None:
    both = [
        start(tmp_path, source, "one", kind="processes", count=2),
        start(tmp_path, source, "two"),
    ]
    said = [process.communicate(timeout=240)[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert hash_file(tmp_path / "one" / NAME) == hash_file(tmp_path / "two" / NAME)
    assert not list((tmp_path / "shards").glob("*/.making-*"))


def test_a_folder_of_shards_that_cannot_be_made(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    opened = open_source(source, "folder", Reading(shards=tmp_path / "file" / "shards"))
    with pytest.raises(InputError, match="cannot be written") as caught:
        list(opened.tables)
    assert "--workspace" in caught.value.mend


# --- what the end of the rows says ---------------------------------------------------------------


def test_health_and_classes_are_complete_after_the_last_table(source: Path) -> None:
    opened = open_source(source, "folder")
    assert (opened.health, opened.classes.total()) == ([], 0)
    rows = sum(table.num_rows for table in opened.tables)
    assert (opened.classes.total(), len(opened.health)) == (rows, 7)
    assert dict(opened.classes) == {"Benign": 15, "Malware": 6}


def test_one_class_is_refused_after_the_last_table(source: Path) -> None:
    shutil.rmtree(source / "Benign")
    opened = open_source(source, "folder")
    with pytest.raises(InputError, match="6 rows of one class"):
        list(opened.tables)
    assert len(list(open_source(source, "folder", least_classes=1).tables)) > 0
