"""``netloop detect`` beside a capturing program: pipes, signals, interfaces, rotations."""

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import pytest
from command_line import NETLOOP, Command, run_here

from pipelines.capture import FlowSettings
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.sources import load_source
from pipelines.models.registry import new_model
from pipelines.operate.detector import DetectorInfo, package
from pipelines.progress import silent

pytestmark = pytest.mark.slow  # every process loads a model

REPOSITORY = Path(__file__).resolve().parents[3]
WAIT = 60
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def capture(tiny_lab: Path) -> Path:
    return tiny_lab / "web" / "2025-03-04.pcap"


@pytest.fixture(scope="module")
def detectors(tiny_lab: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A detector of flows that end after a second of silence, and one of packets."""
    folder = tmp_path_factory.mktemp("detectors")
    for granularity in ("flow", "packet"):
        rows = load_source(tiny_lab, "folder", granularity).rows
        model = new_model("majority")
        labels = rows["label"].to_pylist()
        model.fit(rows, labels, masks=DEFAULT_MASKS, seed=0, validation=None, progress=silent)
        info = DetectorInfo(
            name="lab",
            goal="Find the attacks",
            granularity=granularity,
            masks=list(DEFAULT_MASKS),
            settings=FlowSettings(idle_seconds=1),
        )
        package(folder / granularity, model, info)
    return {name: folder / name for name in ("flow", "packet")}


@pytest.fixture(scope="module")
def expected(detectors: dict[str, Path], capture: Path) -> dict[str, list[str]]:
    """The lines that the capture gives as a file."""
    return {
        name: run_here("detect", folder, capture, folder=capture.parent).out.splitlines()
        for name, folder in detectors.items()
    }


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the command in an empty folder; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: object, **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [NETLOOP, "detect", *map(str, words)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "80"},
            **{"stdin": subprocess.DEVNULL, **options},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str], str]:
    out, err = process.communicate(timeout=WAIT)
    assert "Traceback" not in err
    return process.returncode, out.splitlines(), " ".join(err.split())


def live_packet(port: int = 5) -> bytes:
    """A record of pcap, of now: a UDP datagram from that port."""
    frame = bytes.fromhex("02000000000202000000000108004500001d00010000401100000a0000010a000002")
    frame += port.to_bytes(2, "big") + bytes.fromhex("0035 0009 0000") + b"x"
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    words = (seconds, nanoseconds // 1_000, len(frame), len(frame))
    return b"".join(word.to_bytes(4, "little") for word in words) + frame


PCAP = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")


@pytest.mark.parametrize("granularity", ["flow", "packet"])
def test_a_pipe_gives_the_lines_of_the_file(
    start, detectors, capture, expected, granularity
) -> None:
    assert len(expected[granularity]) > 10
    with subprocess.Popen(["cat", capture], stdout=subprocess.PIPE) as cat:
        code, lines, told = ended(start(detectors[granularity], "-", stdin=cat.stdout))
    assert (code, sorted(lines)) == (0, sorted(expected[granularity]))
    assert "reading standard input" in told
    assert "Health of the captures 1 capture, 258 packets" in told


def test_a_redirected_file_and_a_named_pipe(start, detectors, capture, expected, tmp_path) -> None:
    with capture.open("rb") as file:
        assert ended(start(detectors["flow"], "-", stdin=file))[:2] == (0, expected["flow"])
    os.mkfifo(tmp_path / "fifo")
    process = start(detectors["flow"], tmp_path / "fifo")
    (tmp_path / "fifo").write_bytes(capture.read_bytes())  # waits until the command reads
    code, lines, told = ended(process)
    assert (code, lines) == (0, expected["flow"])
    assert "reading fifo" in told


def test_a_line_comes_as_soon_as_its_flow_is_silent(start, detectors) -> None:
    """Into a pipe, not a terminal: the line is flushed, while the capture goes on."""
    process = start(detectors["flow"], "-", stdin=subprocess.PIPE)
    assert process.stdin and process.stdout
    process.stdin.buffer.write(PCAP + live_packet(port=5))
    process.stdin.flush()
    record = json.loads(process.stdout.readline())
    assert (record["src_port"], record["event_type"]) == (5, "flow")
    assert process.poll() is None
    process.stdin.buffer.write(live_packet(port=6))
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["src_port"] == 6
    process.stdin.close()
    assert process.wait(WAIT) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_open_flows_and_tells_of_health(start, detectors, number, code) -> None:
    process = start(detectors["flow"], "-", stdin=subprocess.PIPE)
    assert process.stdin and process.stdout
    process.stdin.buffer.write(PCAP + live_packet(port=5))
    process.stdin.flush()
    process.stdout.readline()  # it runs
    process.stdin.buffer.write(live_packet(port=6) + live_packet(port=7))
    process.stdin.flush()
    process.send_signal(number)
    assert process.wait(WAIT) == code
    lines, told = process.stdout.read().splitlines(), " ".join(process.stderr.read().split())
    assert {json.loads(line)["src_port"] for line in lines} == {6, 7}
    assert "3 flows" in told
    assert "1 capture, 3 packets" in told
    assert "Traceback" not in told


def test_a_writer_that_dies_is_told_of(start, detectors) -> None:
    process = start(detectors["packet"], "-", stdin=subprocess.PIPE)
    assert process.stdin
    process.stdin.buffer.write(PCAP + live_packet() + live_packet()[:-1])
    code, lines, told = ended(process)
    assert (code, len(lines)) == (0, 1)
    assert "standard input at byte 83: the file ends inside a record" in told


def test_a_rotation_keeps_flows_whole(netloop, detectors, capture, expected, tmp_path) -> None:
    """A capture cut into ten files by its records gives the lines of the whole."""
    content = capture.read_bytes()
    records, here = [], 24
    while here < len(content):
        after = here + 16 + int.from_bytes(content[here + 8 : here + 12], "little")
        records.append(content[here:after])
        here = after
    (tmp_path / "cut").mkdir()
    for number in range(10):
        part = b"".join(records[len(records) * number // 10 : len(records) * (number + 1) // 10])
        (tmp_path / "cut" / f"web.pcap{number or ''}").write_bytes(content[:24] + part)
    done = netloop("detect", detectors["flow"], tmp_path / "cut")
    assert done.code == 0
    found = [json.loads(line) for line in done.out.splitlines()]
    assert {record.pop("pcap_filename") for record in found} <= {
        f"web.pcap{number or ''}" for number in range(10)
    }
    order = lambda record: record["flow_id"]  # noqa: E731
    assert sorted(found, key=order) == sorted(map(json.loads, expected["flow"]), key=order)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "There must be a source or an --interface, and not both."),
        (["x.pcap", "--interface", "lo"], "There must be a source or an --interface"),
        (["x.pcap", "--seconds", "1"], "--filter, --seconds and --packets go with --interface."),
        (["-", "--packets", "1"], "--filter, --seconds and --packets go with --interface."),
        (["--interface", "lo", "--seconds", "0"], "--seconds and --packets must be more than 0."),
        (["--interface", "lo", "--packets", "-5"], "--seconds and --packets must be more than 0."),
        (["/dev/zero"], "zero is no capture: it begins with 00 00 00 00."),
        (["absent.pcap"], "There is no capture at absent.pcap: the path does not exist."),
    ],
)
def test_what_cannot_be_detected_on(netloop, detectors, words, sentence) -> None:
    done = netloop("detect", detectors["flow"], *words)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.told


def test_an_empty_standard_input(start, detectors) -> None:
    code, lines, told = ended(start(detectors["flow"], "-"))
    assert (code, lines) == (2, [])
    assert "standard input is empty." in told


def test_a_terminal_holds_no_capture(start, detectors) -> None:
    controlling, terminal = pty.openpty()
    code, _, told = ended(start(detectors["flow"], "-", stdin=terminal))
    os.close(controlling)
    os.close(terminal)
    assert code == 2
    assert "Standard input is a terminal" in told
    assert "tcpdump -U -w - | netloop detect MODEL -" in told


@pytest.fixture
def root() -> None:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except (PermissionError, AttributeError) as error:
        pytest.skip(f"capturing is not possible here: {error}")


@pytest.fixture
def filters(root) -> None:
    if find_library("pcap") is None:
        pytest.skip("filters of an interface are compiled by libpcap, which is not installed")


@pytest.mark.parametrize("how", ["packets", "signal"])
def test_an_interface(filters, start, detectors, how) -> None:
    """Datagrams to a port of loopback, until one is seen and ever after."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        limit = ["--packets", "3"] if how == "packets" else []
        process = start(
            detectors["packet"], "--interface", "lo", "--filter", f"udp port {port}", *limit
        )
        assert process.stdout
        end = time.monotonic() + WAIT
        while not select.select([process.stdout], [], [], 0.05)[0] and time.monotonic() < end:
            receiver.sendto(b"x", ("127.0.0.1", port))
        for _ in range(3):
            receiver.sendto(b"x", ("127.0.0.1", port))
    if how == "signal":
        process.send_signal(signal.SIGINT)
    code, lines, told = ended(process)
    records = [json.loads(line) for line in lines]
    assert {record["dest_port"] for record in records} == {port}
    assert code == (0 if how == "packets" else 130)
    assert how == "signal" or len(records) == 3
    assert f"1 capture, {len(records)} packets" in told


def test_an_interface_for_some_seconds(root, netloop, detectors) -> None:
    done = netloop("detect", detectors["flow"], "--interface", "lo", "--seconds", "0.5")
    assert done.code == 0
    assert "listening on lo" in done.told


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--interface", "nowhere0"], "there is no interface 'nowhere0'"),
        (["--interface", "lo", "--filter", "udp prot"], "the filter 'udp prot' cannot be used"),
    ],
)
def test_interfaces_and_filters_that_do_not_exist(
    root, netloop, detectors, words, sentence
) -> None:
    done = netloop("detect", detectors["flow"], *words)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.told
    assert "Mend --interface or --filter." in done.told


def test_the_page_on_detection_knows_every_option(netloop: Command) -> None:
    page = (REPOSITORY / "docs" / "detect.md").read_text()
    shown = netloop("detect", "--help").out
    assert set(re.findall(r"--(?:interface|filter|seconds|packets)", page)) == {
        "--interface",
        "--filter",
        "--seconds",
        "--packets",
    }
    assert set(re.findall(r" --([a-z]+)", page)) <= set(re.findall(r"--([a-z]+)", shown))


def test_data_inspect_reads_standard_input(capture, tmp_path) -> None:
    with capture.open("rb") as file:
        shown = subprocess.check_output(
            [NETLOOP, "data", "inspect", "-", "--json"], stdin=file, text=True, cwd=tmp_path
        )
    (health,) = json.loads(shown)["health"]
    assert (health["file"], health["packets"], health["corrupt"]) == ("standard-input", 258, 0)
