"""``netloop data export``: files, pipes, labels, masks, refusals."""

import contextlib
import csv
import io
import json
import os
import signal
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_line import NETLOOP, Command, Ended

Piped = Callable[..., Ended]


def capture(packets: int = 3, port: int = 53, start: int = 0) -> bytes:
    """UDP of one flow, a packet a second."""
    content = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    udp = struct.pack("!HHHH", 40000, port, 12, 0) + b"data"
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0)
    frame = bytes(12) + b"\x08\x00" + ip + bytes((10, 0, 0, 1, 10, 0, 0, 2)) + udp
    for second in range(start, start + packets):
        content += struct.pack("<IIII", second, 0, len(frame), len(frame)) + frame
    return content


@pytest.fixture
def captures(tmp_path: Path) -> None:
    """A capture of one flow, and a folder of two."""
    (tmp_path / "one.pcap").write_bytes(capture())
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "dns.pcap").write_bytes(capture())
    (folder / "=cmd.pcap").write_bytes(capture(2, 443))


@pytest.fixture
def export(netloop: Command, captures: None) -> Command:
    """``netloop data export`` beside them, in this process."""
    return lambda *options: netloop("data", "export", *options)


@pytest.fixture
def piped(tmp_path: Path, captures: None) -> Piped:
    """The same in a process of its own, which may read standard input."""

    def run(*options: object, stdin: bytes | None = None) -> Ended:
        command = [NETLOOP, "data", "export", *map(str, options)]
        done = subprocess.run(command, input=stdin, capture_output=True, cwd=tmp_path, check=False)
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_goes_to_standard_output_and_the_rest_does_not(export) -> None:
    done = export("one.pcap")
    assert done.code == 0, done.err
    (row,) = rows(done.out)
    assert (row["src_ip"], row["bidirectional_packets"]) == ("10.0.0.1", "3")
    assert "1 row of" in done.err
    assert "--masks default" in done.err


@pytest.mark.parametrize("profile", ["nfstream", "zeek-conn", "ipfix", "nprint", "cic"])
def test_every_profile(export, profile: str) -> None:
    done = export("one.pcap", "--profile", profile)
    assert done.code == 0, done.err
    assert len(rows(done.out)) == (3 if profile == "nprint" else 1)


def test_a_zeek_log(export) -> None:
    done = export("one.pcap", "--profile", "zeek-conn", "--format", "tsv")
    lines = done.out.splitlines()
    assert lines[0] == r"#separator \x09"
    assert lines[-1].split("\t")[2:7] == ["10.0.0.1", "40000", "10.0.0.2", "53", "udp"]


def test_parquet_with_labels_of_several_captures(export, tmp_path: Path) -> None:
    out = tmp_path / "flows.parquet"
    done = export("many", "--label", "file", "--format", "parquet", "--out", out, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["rows"] == 2
    table = pq.read_table(out)
    assert dict(zip(table["capture"].to_pylist(), table["label"].to_pylist(), strict=True)) == {
        "dns.pcap": "dns",
        "=cmd.pcap": "=cmd",
    }
    assert table.schema.field("src_ip").metadata[b"group"] == b"addresses"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".flows")] == []


def test_a_label_is_no_formula(export) -> None:
    found = rows(export("many", "--label", "file", "--profile", "cic").out)
    assert sorted(row["Label"] for row in found) == ["'=cmd", "dns"]


def test_masks_leave_columns_out(export) -> None:
    (row,) = rows(export("one.pcap", "--masks", "default").out)
    assert "src_ip" not in row
    assert "src_port" not in row
    assert row["bidirectional_packets"] == "3"
    (row,) = rows(export("one.pcap", "--masks", "ports").out)
    assert "src_ip" in row
    assert "src_port" not in row


def test_time_outs(export) -> None:
    assert len(rows(export("one.pcap", "--active", "2").out)) == 2
    assert len(rows(export("one.pcap", "--idle", "1").out)) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["one.pcap", "--profile", "nfsteam"], "did you mean nfstream"),
        (["nowhere.pcap"], "nowhere.pcap"),
        (["one.pcap", "--format", "parquet"], "--out"),
        (["one.pcap", "--out", "one.pcap"], "is there already"),
        (["one.pcap", "--out", "no/folder.csv"], "cannot be written"),
        (["one.pcap", "--masks", "faces"], "no field group"),
        (["one.pcap", "--idle", "0"], "idle_seconds"),
        (["one.pcap", "--idle", "inf"], "idle_seconds"),
        (["one.pcap", "--active", "nan"], "active_seconds"),
        (["one.pcap", "--active", "1e300"], "active_seconds"),
        (["one.pcap", "--label", "host"], "file, folder"),
        (["one.pcap", "--format", "xml"], "xml"),
    ],
)
def test_refusals_say_what_and_how_to_mend(export, options: list[str], words: str) -> None:
    done = export(*options)
    assert done.code == 2
    assert words in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert done.out == ""


def test_what_fails_leaves_no_file(export, tmp_path: Path) -> None:
    (tmp_path / "broken.pcap").write_bytes(b"no capture")
    assert export("broken.pcap", "--out", "flows.csv").code == 2
    assert not (tmp_path / "flows.csv").exists()


def test_a_broken_capture_among_others_is_told(export, tmp_path: Path) -> None:
    (tmp_path / "many" / "broken.pcap").write_bytes(b"no capture")
    done = export("many")
    assert done.code == 0
    assert len(rows(done.out)) == 2
    assert "broken.pcap was left out" in done.err


def rotation(folder: Path, names: tuple[str, str]) -> Path:
    """One flow of five packets in two files of a rotation."""
    for start, name in zip((0, 3), names, strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(capture(3 if start == 0 else 2, start=start))
    return folder


PIECES = ("web_00001_19700101000000.pcap", "web_00002_19700101000003.pcap")


def test_files_of_a_rotating_capture_are_one_capture(export, tmp_path: Path) -> None:
    done = export(rotation(tmp_path / "ring", PIECES))
    (row,) = rows(done.out)
    assert row["bidirectional_packets"] == "5"
    assert "capture" not in row
    assert "from 1 capture" in done.err


def test_a_rotating_capture_beside_another_has_the_name_of_its_first_file(
    export, tmp_path: Path
) -> None:
    folder = rotation(tmp_path / "ring", PIECES)
    (folder / "dns.pcap").write_bytes(capture(1, 443))
    found = {row["capture"]: row["bidirectional_packets"] for row in rows(export(folder).out)}
    assert found == {"dns.pcap": "1", PIECES[0]: "5"}


def test_files_of_a_rotation_with_two_classes_stay_apart(export, tmp_path: Path) -> None:
    folder = rotation(tmp_path / "ring", PIECES)
    (folder / "labels.csv").write_text(f"file,label\n{PIECES[0]},good\n{PIECES[1]},bad\n")
    found = rows(export(folder, "--label", "labels.csv").out)
    assert {row["label"]: row["bidirectional_packets"] for row in found} == {
        "good": "3",
        "bad": "2",
    }


def test_classes_of_single_flows_are_refused(export, tmp_path: Path) -> None:
    header = "src_ip,dst_ip,src_port,dst_port,protocol,label"
    (tmp_path / "labels.csv").write_text(f"{header}\n10.0.0.1,10.0.0.2,40000,53,17,bad\n")
    done = export("one.pcap", "--label", "labels.csv")
    assert (done.code, done.out) == (2, "")
    assert "classes of single flows" in done.err


def test_standard_input(export, piped) -> None:
    done = piped("-", stdin=capture())
    assert done.code == 0, done.err
    assert rows(done.out) == rows(export("one.pcap").out)


def test_a_named_pipe(export, piped, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cp", tmp_path / "one.pcap", pipe]) as writer:
        done = piped(pipe)
        assert writer.wait() == 0
    assert rows(done.out) == rows(export("one.pcap").out)


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (capture(), ["--label", "file"], "Leave out --label"),
        (b"", [], "is empty"),
        (b"no capture", [], "standard input"),
    ],
)
def test_streams_that_are_refused(piped, content: bytes, options: list[str], words: str) -> None:
    done = piped("-", *options, stdin=content)
    assert done.code == 2
    assert words in " ".join(done.err.split())


def test_only_what_identifies_is_warned_of(export) -> None:
    assert "Addresses" in export("one.pcap", "--masks", "ports").err
    assert "Addresses" not in export("one.pcap", "--masks", "default").err
    assert "Addresses" not in export("one.pcap", "--profile", "text").err


def test_no_name_of_a_capture_commands_a_terminal(export, tmp_path: Path) -> None:
    (tmp_path / "many" / "\x1b]0;owned\x07\u202e.pcap").write_bytes(capture(1, 80))
    ours, theirs = os.openpty()
    command = [NETLOOP, "data", "export", "many"]
    done = subprocess.run(
        command, stdout=theirs, stderr=subprocess.DEVNULL, cwd=tmp_path, check=False
    )
    os.close(theirs)
    shown = b""
    # Linux reports the end of a terminal as an error.
    with contextlib.suppress(OSError):
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    assert done.returncode == 0
    assert rb"\x1b]0;owned\x07\u202e.pcap" in shown
    assert b"\x1b" not in shown
    assert "\x1b]0;owned\x07" in export("many").out


def test_a_file_is_readable_as_the_umask_says(export, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert export("one.pcap", "--out", "flows.csv").code == 0
    finally:
        os.umask(before)
    assert (tmp_path / "flows.csv").stat().st_mode & 0o777 == 0o640


def test_rows_are_utf_8_whatever_the_locale(export, piped, tmp_path: Path, monkeypatch) -> None:
    done = export("one.pcap", "--profile", "text", "--out", "text.csv")
    assert done.code == 0
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    assert piped("one.pcap", "--profile", "text").out == (tmp_path / "text.csv").read_text()


def test_ctrl_c_ends_a_stream_and_loses_no_flow() -> None:
    packets = 4000
    command = [NETLOOP, "data", "export", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin
        assert process.stdout
        # More than a pipe holds: once it is written, somebody is reading and hears signals.
        process.stdin.write(capture(packets))
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        found = rows(process.stdout.read().decode())
        process.stdin.close()
        assert process.wait() == 130
    assert sum(int(row["bidirectional_packets"]) for row in found) == packets
