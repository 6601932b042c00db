"""The event log: appended, numbered across processes, whole lines survive a torn one."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.store.events import EventLog, read_events


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def types(path: Path) -> list[str]:
    return [event.type for event in read_events(path)]


def test_no_log_is_no_events(path: Path) -> None:
    assert read_events(path) == []


def test_what_is_appended_is_read(path: Path) -> None:
    log = EventLog(path, "r1")
    given = [log.append("run.started", goal="find C2"), log.append("run.finished", status="done")]
    assert read_events(path) == given
    assert [(e.v, e.run, e.seq, e.type) for e in given] == [
        (1, "r1", 0, "run.started"),
        (1, "r1", 1, "run.finished"),
    ]
    assert given[0].data == {"goal": "find C2"}
    assert given[0].ts.endswith("+00:00")


def test_the_next_process_goes_on_counting(path: Path) -> None:
    EventLog(path, "r").append("run.started")
    EventLog(path, "r").append("run.resumed")
    assert [event.seq for event in read_events(path)] == [0, 1]


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_line_torn_by_a_kill_is_left_out(path: Path, cut: int) -> None:
    log = EventLog(path, "r")
    log.append("run.started")
    log.append("step.started")
    path.write_bytes(path.read_bytes()[:-cut])
    again = EventLog(path, "r")
    again.append("run.resumed")
    whole = ["run.started"] if cut > 1 else ["run.started", "step.started"]
    assert types(path) == [*whole, "run.resumed"]
    assert [event.seq for event in read_events(path)] == list(range(len(whole) + 1))


def test_a_damaged_line_in_the_middle_does_not_make_numbers_come_twice(path: Path) -> None:
    log = EventLog(path, "r")
    for _ in range(3):
        log.append("step.started")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\xff{\n" + lines[2])
    assert EventLog(path, "r").append("run.resumed").seq == 3
    assert [event.seq for event in read_events(path)] == [0, 2, 3]


@pytest.mark.parametrize("line", [b"", b"\0", b"[]", b"3", b"{}", b"null", b'{"type": "other"}'])
def test_lines_that_are_no_events_are_left_out(path: Path, line: bytes) -> None:
    EventLog(path, "r").append("run.started")
    with path.open("ab") as file:
        file.write(line + b"\n")
    EventLog(path, "r").append("run.finished")
    assert types(path) == ["run.started", "run.finished"]


@pytest.mark.parametrize(
    "text",
    [
        "a\nb",
        "a\r\nb",
        "a\u2028b",
        "a\u2029b",
        "a\x85b",
        "a\x0bb\x0cb\x1cb\x1db\x1e",
        "\udcff.pcap",
    ],
)
def test_a_name_from_traffic_cannot_break_the_log(path: Path, text: str) -> None:
    """Line separators that Python splits at, and a path that is no text, are one event each."""
    EventLog(path, "r").append("step.finished", classes=[text])
    EventLog(path, "r").append("run.finished")
    assert types(path) == ["step.finished", "run.finished"]
    assert read_events(path)[0].data == {"classes": [text]}
    assert path.read_bytes().count(b"\n") == 2
    assert path.read_bytes().isascii()


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.text() | st.integers()))
def test_any_data_comes_back(tmp_path_factory: pytest.TempPathFactory, data: dict) -> None:
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    EventLog(path, "r").append("step.finished", values=data)
    assert read_events(path)[0].data == {"values": data}
    assert json.loads(path.read_bytes())["data"] == {"values": data}
