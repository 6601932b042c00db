"""What left the machine for a run, byte for byte."""

import base64
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from agents.terminal.egress_command import NOTHING, body_of, egress, read_egress
from pipelines.errors import NetloopError
from pipelines.store.run import RunFolder

BODY = '{"messages": "naïve \u202e \x1b[2J\ttab"}\r\nsecond line'
BYTES = bytes(range(256))
COMMAND = "import sys, typer; from agents.terminal.egress_command import egress; typer.run(egress)"


def record(body: str | bytes, place: str) -> dict[str, Any]:
    text = isinstance(body, str)
    return {
        "at": "2026-01-02T03:04:05+00:00",
        "method": "POST",
        "url": "http://127.0.0.1:8000/v1/chat/completions",
        "place": place,
        "bytes": len(body.encode() if text else body),
        **({"body": body} if text else {"base64": base64.b64encode(body).decode()}),
    }


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, {"status": "done"})


@pytest.fixture
def sent(run: RunFolder) -> list[dict[str, Any]]:
    """Two requests, one of them no text."""
    records = [record(BODY, "design/1/propose"), record(BYTES, "design/1/answer/ab")]
    write(run, *map(json.dumps, records))
    return records


def write(run: RunFolder, *lines: str) -> None:
    (run.path / "egress.jsonl").write_text("".join(f"{line}\n" for line in lines))


def test_a_pipe_gets_the_exact_bytes(run: RunFolder, sent: list[dict[str, Any]]) -> None:
    command = [sys.executable, "-c", COMMAND, "last", "--workspace", str(run.workspace)]
    out = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    heading, rest = out.split(b"\n", 1)
    assert heading == (
        b"2026-01-02T03:04:05+00:00 POST http://127.0.0.1:8000/v1/chat/completions: "
        b"%d bytes, design/1/propose" % len(BODY.encode())
    )
    body = BODY.encode()
    assert rest[: len(body) + 1] == body + b"\n"
    heading, rest = rest[len(body) + 1 :].split(b"\n", 1)
    assert heading.endswith(b"256 bytes, design/1/answer/ab")
    assert rest == BYTES + b"\n"


def test_a_terminal_gets_no_control_character(run: RunFolder, sent: list[dict[str, Any]]) -> None:
    command = [sys.executable, "-c", COMMAND, run.id, "--workspace", str(run.workspace)]
    shown = on_terminal(command)
    assert r"naïve \u202e \x1b[2J\ttab" in shown.replace("\\\\u", "\\\\u")
    assert "second line" in shown
    assert not [c for c in shown if (ord(c) < 32 and c not in "\r\n") or 127 <= ord(c) < 160]
    assert r"\x00\x01" in shown and r"\xff" in shown  # to the last byte


def on_terminal(command: list[str]) -> str:
    """All that a command writes to a terminal."""
    main, other = pty.openpty()
    process = subprocess.Popen(command, stdout=other, stdin=other)
    os.close(other)
    pieces = []
    while True:
        try:
            piece = os.read(main, 1 << 16)
        except OSError:  # Linux says so when the last writer has gone
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(main)
    assert process.wait(60) == 0
    return b"".join(pieces).decode()


def test_json_is_the_records(
    run: RunFolder, sent: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    egress(run.id, as_json=True, workspace=run.workspace)
    assert json.loads(capsys.readouterr().out) == sent


@pytest.mark.parametrize("body", [BODY.encode(), BYTES, b""])
def test_what_the_door_wrote_is_read_back(run: RunFolder, body: bytes) -> None:
    """The writer and the reader of the file agree, whatever the bytes."""
    import httpx2 as httpx

    from agents.llm.egress import Door
    from agents.llm.settings import LlmSettings

    base = "http://127.0.0.1:8000/v1"
    url = f"{base}/chat/completions"
    out = httpx.MockTransport(lambda request: httpx.Response(200))
    path = run.path / "egress.jsonl"
    door = Door(LlmSettings(base_url=base, model="m"), out, path, "design/1", lambda body: None)
    door.handle_request(httpx.Request("POST", url, content=body, extensions={"timeout": {}}))
    (sent,) = read_egress(path)
    assert body_of(sent) == body
    assert (sent["url"], sent["place"], sent["bytes"]) == (url, "design/1", len(body))


@pytest.mark.parametrize("as_json", [False, True])
def test_nothing_left(run: RunFolder, as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    for lines in (None, []):
        if lines is not None:
            write(run, *lines)
        egress("last", as_json=as_json, workspace=run.workspace)
        assert capsys.readouterr().out == ("[]\n" if as_json else NOTHING)


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        "{}",
        json.dumps({**record("x", "p"), "body": {"other": 1}}),
        json.dumps({**record(b"x", "p"), "base64": "!"}),
        json.dumps({**record("x", "p"), "body": None}),
        json.dumps({**record("xyz", "p"), "body": "xy"}),
        json.dumps({**record(b"xyz", "p"), "base64": "eHk="}),
        json.dumps(record("x", "p"))[:40],
    ],
)
def test_a_damaged_line_is_named_and_nothing_is_told_in_part(run: RunFolder, line: str) -> None:
    write(run, json.dumps(record("x", "p")), line)
    with pytest.raises(NetloopError, match=r"Line 2 of .*egress\.jsonl is damaged"):
        read_egress(run.path / "egress.jsonl")


def test_a_run_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises((NetloopError, typer.Exit), match="There are no runs"):
        egress("last", workspace=tmp_path)
