"""Flows equal to NFStream's on every capture that it reads, or different for a reason that holds.

The captures that may differ are those of the table in docs/profiles/nfstream.md. For each reason
there is a check that takes NFStream's definition instead of netloop's, or shows that the difference
is what the table says, so no capture is merely left out.
"""

import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.capture import CaptureHealth, FlowSettings, PacketBatch, read_batches
from pipelines.capture.addresses import address_text
from pipelines.capture.flow_table import FlowTable
from pipelines.capture.headers import SHORT, read
from pipelines.profiles.export import profile_rows
from pipelines.profiles.registry import PROFILES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not importlib.util.find_spec("nfstream"), reason="nfstream is not installed"
    ),
]
PAGE = Path(__file__).resolve().parents[3] / "docs" / "profiles" / "nfstream.md"
# It forks a process a capture and may stop for ever on a broken one, so it runs on its own.
RUN = """
import json, sys
from nfstream import NFStreamer
for path in sys.argv[1:]:
    flows = NFStreamer(source=path, n_dissections=0, statistical_analysis=True, n_meters=1)
    print(json.dumps([dict(zip(flow.keys(), flow.values())) for flow in flows]), flush=True)
"""
Flow = dict[str, Any]
Change = Callable[[PacketBatch], None]


@pytest.fixture(scope="session")
def captures(data: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted((data / "ndpi" / "pcap").iterdir())}


@pytest.fixture(scope="session")
def theirs(captures: dict[str, Path]) -> dict[str, list[Flow]]:
    command = [sys.executable, "-W", "ignore", "-c", RUN, *map(str, captures.values())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    lines = done.stdout.splitlines()
    assert len(lines) == len(captures), done.stderr[-2000:]
    return {name: json.loads(line) for name, line in zip(captures, lines, strict=True)}


@cache
def exceptions() -> dict[str, str]:
    """Capture -> reason, from the table of the page."""
    table = re.findall(r"^\| ([\w ]+) \| .+ \| ((?:`[\w.-]+`(?:, )?)+) \|$", PAGE.read_text(), re.M)
    return {name: reason for reason, cell in table for name in re.findall(r"`([^`]+)`", cell)}


def key(protocol: int, *ends: tuple[str, int, int, int]) -> tuple:
    """A flow: its canonical 5-tuple with packets and bytes of each end."""
    return (protocol, *sorted((str(ip_address(ip)), *rest) for ip, *rest in ends))


def of_nfstream(flows: list[Flow]) -> Counter:
    return Counter(
        key(
            flow["protocol"],
            (flow["src_ip"], flow["src_port"], flow["src2dst_packets"], flow["src2dst_bytes"]),
            (flow["dst_ip"], flow["dst_port"], flow["dst2src_packets"], flow["dst2src_bytes"]),
        )
        for flow in flows
    )


def of_netloop(
    path: Path, change: Change = lambda batch: None, settings: FlowSettings | None = None
) -> Counter:
    """netloop's flows, of packets that ``change`` has changed."""
    settings = settings or FlowSettings(first_packets=1, payload_packets=1, payload_bytes=1)
    table, health, found = FlowTable(settings), CaptureHealth(), Counter()

    def count(flows: np.ndarray) -> None:
        for f in flows:
            ends = [
                (
                    address_text(f[f"{end}_ip"].tobytes()),
                    int(f[f"{end}_port"]),
                    int(f["packets"][way]),
                    int(f["bytes"][way]),
                )
                for way, end in enumerate(("src", "dst"))
            ]
            found[key(int(f["protocol"]), *ends)] += 1

    for batch in read_batches(path, health, decode_tunnels=settings.decode_tunnels):
        change(batch)
        count(table.update(batch).ended)
    count(table.expire())
    return found


def drop(batch: PacketBatch, rows: np.ndarray) -> None:
    batch.ip_version[rows] = 0


def clock_runs_back(path: Path, flows: list[Flow]) -> None:
    latest = 0

    def lift(batch: PacketBatch) -> None:
        nonlocal latest
        batch.time_ns[:] = np.maximum(np.maximum.accumulate(batch.time_ns), latest)
        latest = int(batch.time_ns[-1])

    assert of_netloop(path, lift) == of_nfstream(flows)


def no_length(path: Path, flows: list[Flow]) -> None:
    assert of_netloop(path, lambda batch: drop(batch, batch.ip_length == 0)) == of_nfstream(flows)


def later_fragments(path: Path, flows: list[Flow]) -> None:
    def drop_later(batch: PacketBatch) -> None:
        fragment = read(batch.buffer, SHORT, batch.ip_offset + 6) & 0x1FFF
        drop(batch, (batch.ip_version == 4) & (fragment > 0))

    assert of_netloop(path, drop_later) == of_nfstream(flows)


def vlan_in_the_key(path: Path, flows: list[Flow]) -> None:
    """Equal once the flows that only their VLAN tells apart are one."""
    assert len({flow["vlan_id"] for flow in flows}) > 1
    assert joined(of_nfstream(flows)) == joined(of_netloop(path))


def joined(flows: Counter) -> Counter:
    """Packets and bytes by protocol, sender and receiver."""
    sums: Counter = Counter()
    for (protocol, one, other), count in flows.items():
        for (ip, port, packets, size), (peer, peer_port, *_) in ((one, other), (other, one)):
            sums[protocol, ip, port, peer, peer_port, "packets"] += packets * count
            sums[protocol, ip, port, peer, peer_port, "bytes"] += size * count
    return +sums


def authentication_header(path: Path, flows: list[Flow]) -> None:
    def stop_there(batch: PacketBatch) -> None:
        has = (batch.ip_version == 4) & (batch.buffer[batch.ip_offset + 9] == 51)
        assert has.any()
        batch.protocol[has] = 51
        batch.src_port[has] = batch.dst_port[has] = 0

    assert of_netloop(path, stop_there) == of_nfstream(flows)


def teredo(path: Path, flows: list[Flow]) -> None:
    outer = of_netloop(path, settings=FlowSettings(decode_tunnels=False))
    assert outer == of_nfstream(flows)
    assert all(on_port(flow, 3544) for flow in outer)


def fabric_path(path: Path, flows: list[Flow]) -> None:
    """Its flows of no protocol in use hold the packets that flows of netloop's have more."""
    mine, other = of_netloop(path), of_nfstream(flows)
    assert {protocol for protocol, *_ in other - mine} == {6, 80}
    assert {protocol for protocol, *_ in mine - other} == {6}
    assert totals(mine) == totals(other)
    assert mine.total() < other.total()


def totals(flows: Counter) -> tuple[int, int]:
    """Packets and bytes of all flows together."""
    ends = [(end, count) for (_, *both), count in flows.items() for end in both]
    return sum(end[2] * n for end, n in ends), sum(end[3] * n for end, n in ends)


def capwap(path: Path, flows: list[Flow]) -> None:
    """All that is not in common is inside of CAPWAP for NFStream, and its port here."""
    inner = of_nfstream([flow for flow in flows if flow["tunnel_id"]])
    mine, other = of_netloop(path), of_nfstream(flows)
    assert inner
    assert all(flow in inner or on_port(flow, 5247) for flow in other - mine)
    assert all(on_port(flow, 5247) for flow in mine - other)


def on_port(flow: tuple, port: int) -> bool:
    _, one, other = flow
    return port in (one[1], other[1])


def link_type(path: Path, flows: list[Flow]) -> None:
    health = CaptureHealth()
    for _ in read_batches(path, health):
        pass
    assert not flows
    assert list(health.link_types) == [192]


CHECKS: dict[str, Callable[[Path, list[Flow]], None]] = {
    "clock runs back": clock_runs_back,
    "no length": no_length,
    "later fragments": later_fragments,
    "VLAN in the key": vlan_in_the_key,
    "authentication header": authentication_header,
    "Teredo": teredo,
    "FabricPath": fabric_path,
    "CAPWAP": capwap,
    "link type": link_type,
}


def test_flows_are_equal_but_for_the_captures_of_the_table(captures, theirs):
    different = {
        name for name, path in captures.items() if of_netloop(path) != of_nfstream(theirs[name])
    }
    assert different == set(exceptions())
    assert len(captures) == 225


def test_every_reason_holds(captures, theirs):
    assert set(exceptions().values()) == set(CHECKS)
    for name, reason in exceptions().items():
        CHECKS[reason](captures[name], theirs[name])


def test_all_columns_are_equal(captures, theirs):
    """But for times where a capture's clock runs back, MACs in tunnels and without Ethernet."""
    compared = 0
    for name, path in captures.items():
        if name in exceptions() or not theirs[name]:
            continue
        apart = apart_from(path)
        tables = profile_rows(path, PROFILES["nfstream"], FlowSettings(), health=CaptureHealth())
        ours = sorted((row for table in tables for row in table.to_pylist()), key=order)
        for mine, other in zip(ours, sorted(theirs[name], key=order), strict=True):
            for column, value in mine.items():
                if column != "id" and not re.search(apart, column):
                    assert value == expected(other[column], column), (name, column)
            compared += 1
    assert compared > 4000


def apart_from(path: Path) -> str:
    """The columns (an expression for their names) that cannot be compared in this capture."""
    batches = list(read_batches(path, CaptureHealth()))
    clock = np.concatenate([batch.time_ns for batch in batches])
    plain = all((batch.link_type == 1).all() and not batch.tunnel.any() for batch in batches)
    without = ["^$"] if plain else ["_mac$", "_oui$"]
    return "|".join([*without, "_ms$"] if (np.diff(clock) < 0).any() else without)


def expected(value: Any, column: str) -> Any:
    if isinstance(value, str):
        return value
    return pytest.approx(value, rel=1e-6, abs=2.1 if "piat" in column else 1e-6)


def order(row: Flow) -> tuple:
    names = ("src_ip", "dst_ip", "src_port", "dst_port", "protocol", "bidirectional_bytes")
    return (*(row[name] for name in names), row["bidirectional_packets"], row["src2dst_packets"])
