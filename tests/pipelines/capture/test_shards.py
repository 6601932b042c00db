"""Shards: made once, whole or not at all, whoever is killed and whoever else is at work."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.capture import FlowSettings, flow_schema, packet_schema, read_flows
from pipelines.capture import shards as shards_module
from pipelines.capture.shard_progress import MEGABYTE, Meter, make_told, teller
from pipelines.capture.shards import RECORD, ShardTask, code_version, make_shard, read_shard
from pipelines.errors import InputError, NetloopError
from pipelines.store.rows import NAME, read_tables

ROOT = Path(__file__).parents[3]
BEGIN = 1_700_000_000_000_000_000


@pytest.fixture
def capture(make, tmp_path: Path) -> Path:
    path = tmp_path / "web.pcap"
    frame = make.ethernet(make.ipv4(make.udp(1, 2, b"hello"), protocol=17))
    path.write_bytes(make.pcap(*[(BEGIN + n * 1_000_000_000, frame) for n in range(5)]))
    return path


def task_of(path: Path, **changes) -> ShardTask:
    root = path.parent / "shards"
    return replace(
        ShardTask((path,), root, "flow", FlowSettings(), code_version()),
        **changes,
    )


def rows_of(shard) -> pa.Table:
    return pa.concat_tables(read_tables(shard.folder))


def test_a_shard_holds_the_rows_and_the_health_of_its_capture(capture: Path) -> None:
    shard = make_shard(task_of(capture))
    assert rows_of(shard).equals(pa.concat_tables(read_flows(capture)))
    assert rows_of(shard).schema.equals(flow_schema(FlowSettings()), check_metadata=True)
    assert (shard.record.rows, shard.record.health.packets) == (1, 5)
    assert shard.record.health.file == "web.pcap"
    assert {path.name for path in shard.folder.iterdir()} == {NAME, RECORD, "lock"}


def test_packets_may_be_the_rows_of_a_shard(capture: Path) -> None:
    shard = make_shard(task_of(capture, granularity="packet"))
    assert rows_of(shard).schema.equals(packet_schema(FlowSettings()))
    assert shard.record.rows == 5


def test_it_is_made_once(capture: Path) -> None:
    shard = make_shard(task_of(capture))
    before = (shard.folder / NAME).stat()
    again = make_shard(task_of(capture))
    assert (again.folder / NAME).stat() == before
    assert again == shard


@pytest.mark.parametrize(
    "changes",
    [
        {"granularity": "packet"},
        {"settings": FlowSettings(idle_seconds=1)},
        {"is_part": True},
    ],
)
def test_what_decides_its_rows_decides_its_name(capture: Path, changes: dict) -> None:
    shard = make_shard(task_of(capture))
    assert make_shard(task_of(capture, **changes)).folder != shard.folder


def test_other_content_is_another_shard(capture: Path) -> None:
    shard = make_shard(task_of(capture))
    content = bytearray(capture.read_bytes())
    content[-1] ^= 1
    capture.write_bytes(content)
    assert make_shard(task_of(capture)).folder != shard.folder


def test_other_code_is_refused(capture: Path) -> None:
    with pytest.raises(NetloopError, match="another version of netloop"):
        make_shard(task_of(capture, code="0" * 64))


def test_what_is_no_capture_is_remembered_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(b"no capture at all, but long enough")
    for _ in range(2):
        shard = make_shard(task_of(path))
        assert "a.pcap is no capture" in shard.record.refused
        assert (shard.record.rows, list(read_tables(shard.folder))) == (0, [])


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        make_shard(task_of(tmp_path / "gone.pcap"))


def test_a_name_that_is_no_text(capture: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(capture.parent) + b"/caf\xe9.pcap"))
    try:
        capture.rename(path)
    except OSError:
        pytest.skip("this file system refuses such names")
    assert make_shard(task_of(path)).record.health.file == "caf\\udce9.pcap"


def test_a_file_that_changes_while_it_is_read(capture: Path) -> None:
    size = capture.stat().st_size

    def grow(*_: object) -> None:
        if capture.stat().st_size == size:
            with capture.open("ab") as file:
                file.write(bytes(16))

    with pytest.raises(InputError, match="changed while it was read"):
        make_shard(task_of(capture), grow)
    assert not list((capture.parent / "shards").glob("*/*/" + RECORD))


# --- damage and death ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / NAME).write_bytes(b"PAR1"),
        lambda folder: (folder / NAME).unlink(),
        lambda folder: (folder / RECORD).unlink(),
        lambda folder: (folder / RECORD).write_text("{"),
        lambda folder: (folder / RECORD).write_text(json.dumps({"rows": 1})),
    ],
)
def test_a_damaged_shard_is_made_again(capture: Path, harm) -> None:
    shard = make_shard(task_of(capture))
    harm(shard.folder)
    assert read_shard(shard.folder) is None
    assert rows_of(make_shard(task_of(capture))).num_rows == 1


DYING = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from pipelines.capture import shards
from pipelines.capture.settings import FlowSettings

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

setattr({where}, {name!r}, die)
path = Path({path!r})
shards.make_shard(
    shards.ShardTask((path,), path.parent / "shards", "flow", FlowSettings(), shards.code_version())
)
"""


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("shards", "read_flows"),  # before a row
        ("shards.RowWriter", "__exit__"),  # rows without a footer
        ("shards", "write_atomic"),  # a whole Parquet file without a record
        ("Path", "rename"),  # all is there but for its name
    ],
)
def test_whoever_is_killed_leaves_no_shard(capture: Path, where: str, name: str) -> None:
    script = DYING.format(root=str(ROOT), where=where, name=name, path=str(capture))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    root = capture.parent / "shards"
    (left,) = root.glob("*/.making-*")
    assert read_shard(left.with_name(left.name.removeprefix(".making-"))) is None
    shard = make_shard(task_of(capture))
    assert rows_of(shard).num_rows == 1
    assert {path.name for path in shard.folder.parent.iterdir()} == {shard.folder.name}


MAKING = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from pipelines.capture import shards
from pipelines.capture.settings import FlowSettings

path, slow = Path({path!r}), {slow}
real = shards.read_flows
def read(*args, **more):
    Path(path.parent, "began-{number}").touch()
    while slow and not Path(path.parent, "go").exists():
        time.sleep(0.01)
    yield from real(*args, **more)
shards.read_flows = read
root, code = path.parent / "shards", shards.code_version()
task = shards.ShardTask((path,), root, "flow", FlowSettings(), code)
print(shards.make_shard(task).folder)
"""


def test_two_processes_make_one_shard(capture: Path) -> None:
    """The second waits for the first, and reads nothing."""

    def start(number: int, slow: bool) -> subprocess.Popen:
        script = MAKING.format(root=str(ROOT), path=str(capture), number=number, slow=slow)
        return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)

    first = start(1, slow=True)
    wait_for(capture.parent / "began-1")
    second = start(2, slow=False)
    time.sleep(1)  # it may reach the lock or not: both ways it must end well
    assert second.poll() is None
    (capture.parent / "go").touch()
    places = {process.communicate(timeout=120)[0].strip() for process in (first, second)}
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(places) == 1 and read_shard(Path(places.pop())) is not None
    assert not (capture.parent / "began-2").exists()


def wait_for(path: Path) -> None:
    for _ in range(1200):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


# --- progress ------------------------------------------------------------------------------------


def test_the_code_version_is_a_hash_of_what_reads_captures() -> None:
    assert len(code_version()) == 64
    assert shards_module.CODE[0] == "capture"


def test_a_worker_tells_how_far_it_is(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.capture.shard_progress.EVERY_SECONDS", 0.0)
    tell = teller(tmp_path / "7")
    tell("reading a.pcap", 1000, 4000, "bytes")
    assert (tmp_path / "7").read_text() == "1000"
    tell("something else", 5, 10, "files")
    assert (tmp_path / "7").read_text() == "1000"


def test_the_meter_adds_up_what_is_done_and_what_is_under_way(tmp_path: Path) -> None:
    folder = tmp_path / "tellers"
    folder.mkdir()
    files = [tmp_path / "a", tmp_path / "b"]
    for path in files:
        path.write_bytes(bytes(MEGABYTE))
    told = []
    meter = Meter(lambda *call: told.append(call), files, folder)
    meter.look()
    (folder / "0").write_text(str(MEGABYTE // 2))
    meter.look()
    (folder / "0").write_text("")  # just being written
    meter.look()
    meter.finished(1, MEGABYTE)
    assert [call[1] for call in told] == [0, 0.5, 0.5, 1]
    assert {call[2] for call in told} == {2}
    assert [call[3] for call in told][-2:] == ["MB, 0/2 files", "MB, 1/2 files"]


def test_a_worker_that_ended_tells_nothing_more(capture: Path) -> None:
    place = capture.parent / "0"
    place.write_text("12")
    shard = make_told(task_of(capture, teller=place))
    assert not place.exists() and shard.record.rows == 1
