"""Cutting a capture into files, anywhere, changes nothing in its flows."""

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipelines.capture import FlowSettings, read_flows
from pipelines.capture.flow_merge import joined_flows
from pipelines.capture.flow_state import FIRST_PACKET, flow_record
from pipelines.capture.shards import ShardTask, code_version, make_shard, merge_shards
from pipelines.store.rows import read_tables

SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND
SMALL = FlowSettings(
    idle_seconds=5, active_seconds=30, first_packets=4, payload_packets=2, payload_bytes=3
)
# Of a flow's fields, what a test of joining must have thought of.
KNOWN = {
    *FIRST_PACKET,
    *("flow", "number", "swapped", "previous_ns", "first_ns", "last_ns", "ttl", "packets", "bytes"),
    *("way_first_ns", "way_last_ns", "flags", "size", "gap", "way_gap"),
    *("packet_length", "packet_gap_us", "packet_flags", "payload_length", "payload"),
}


def sort(rows: pa.Table) -> pa.Table:
    keys = ("first_seen_ns", "flow", "last_seen_ns", "bidirectional_packets")
    return rows.sort_by([(name, "ascending") for name in keys])


def same(rows: pa.Table, others: pa.Table) -> None:
    """Equal rows; means and deviations but for rounding."""
    assert rows.num_rows == others.num_rows
    rows, others = sort(rows), sort(others)
    for name in others.column_names:
        if pa.types.is_floating(others[name].type):
            np.testing.assert_allclose(
                rows[name].to_numpy(), others[name].to_numpy(), rtol=1e-9, atol=1e-6, err_msg=name
            )
        else:
            assert rows[name].to_pylist() == others[name].to_pylist(), name


def read_cut(
    make, folder: Path, packets: list, cuts: list[int], settings: FlowSettings = SMALL
) -> tuple[pa.Table, int]:
    """The rows of a capture whose files end before the packets ``cuts``, and how many shards."""
    paths, edges = [], [0, *sorted(cuts), len(packets)]
    for number, (start, stop) in enumerate(pairwise(edges)):
        paths.append(folder / f"web.pcap{number}")
        paths[-1].write_bytes(make.pcap(*packets[start:stop]))
    whole = ShardTask(tuple(paths), folder / "shards", "flow", settings, code_version())
    parts = [
        make_shard(ShardTask((path,), whole.root, "flow", settings, whole.code, is_part=True))
        for path in paths
    ]
    health, shards = merge_shards(parts, whole)
    assert health.packets == len(packets)
    assert [record.file for record in health.files] == [path.name for path in paths]
    tables = [table for shard in shards for table in read_tables(shard.folder)]
    return pa.concat_tables(tables) if tables else pa.table({}), len(shards)


def read_whole(make, folder: Path, packets: list, settings: FlowSettings = SMALL) -> pa.Table:
    path = folder / "whole.pcap"
    path.write_bytes(make.pcap(*packets))
    return pa.concat_tables(read_flows(path, settings))


@st.composite
def packet(draw, make):
    """Who speaks to whom: few hosts and ports, so that flows go on, end and begin again."""
    ends = [("10.0.0.1", 1000), (f"10.0.0.{draw(st.integers(1, 2))}", 53)]
    if draw(st.booleans()):
        ends.reverse()
    (src, src_port), (dst, dst_port) = ends
    payload = draw(st.binary(max_size=5))
    if draw(st.booleans()):
        segment = make.tcp(src_port, dst_port, payload, flags=draw(st.integers(0, 255)))
        inner = make.ipv4(segment, src=src, dst=dst, ttl=draw(st.integers(1, 255)))
    else:
        inner = make.ipv4(make.udp(src_port, dst_port, payload), src=src, dst=dst, protocol=17)
    return make.ethernet(inner)


@st.composite
def cut_capture(draw, make):
    """Packets, mostly in order of time, and where the files end."""
    steps = st.one_of(
        st.integers(0, 3 * SECOND), st.just(5 * SECOND), st.integers(-2 * SECOND, 40 * SECOND)
    )
    frames = draw(st.lists(st.tuples(steps, packet(make)), min_size=1, max_size=30))
    times = BEGIN + 100 * SECOND + np.cumsum([step // 1000 * 1000 for step, _ in frames])
    packets = [(max(int(time), 0), data) for time, (_, data) in zip(times, frames, strict=True)]
    cuts = draw(st.lists(st.integers(1, len(packets)), max_size=4, unique=True))
    return packets, [cut for cut in cuts if cut < len(packets)]


@given(st.data())
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_cut_capture_has_the_flows_of_the_whole(make, data) -> None:
    packets, cuts = data.draw(cut_capture(make))
    with tempfile.TemporaryDirectory() as name:
        rows, _ = read_cut(make, Path(name), packets, cuts)
        same(rows, read_whole(make, Path(name), packets))


def talk(make, *seconds: float, back: tuple[float, ...] = ()) -> list:
    """Packets of one UDP flow at these seconds; those at ``back`` are answers."""
    there = make.ethernet(make.ipv4(make.udp(1000, 53, b"ask"), protocol=17))
    answer = make.udp(53, 1000, b"told")
    here = make.ethernet(make.ipv4(answer, src="10.0.0.2", dst="10.0.0.1", protocol=17, ttl=9))
    return [(BEGIN + int(s * SECOND), here if s in back else there) for s in seconds]


def test_a_flow_that_crosses_every_file(make, tmp_path: Path) -> None:
    packets = talk(make, 0, 1, 2, 4, 7, back=(1, 2, 7))
    rows, shards = read_cut(make, tmp_path, packets, [1, 2, 3, 4])
    assert shards == 6  # five files and their borders: nothing was read again
    (row,) = rows.to_pylist()
    assert (row["src2dst_packets"], row["dst2src_packets"]) == (2, 3)
    assert row["packet_gap_us"] == [0, 1_000_000, 1_000_000, 2_000_000]
    assert [np.sign(length) for length in row["packet_length"]] == [1, -1, -1, 1]
    assert (row["bidirectional_max_piat_ms"], row["dst2src_max_piat_ms"]) == (3000, 5000)
    assert row["payload"] == b"asktol" and row["payload_length"] == [3, 3]
    assert (row["src2dst_ttl"], row["dst2src_ttl"]) == (64, 9)
    same(rows, read_whole(make, tmp_path, packets))


def test_the_later_file_may_know_the_flow_the_other_way_round(make, tmp_path: Path) -> None:
    packets = talk(make, 0, 1, 2, back=(1, 2))
    rows, shards = read_cut(make, tmp_path, packets, [1])
    (row,) = rows.to_pylist()
    assert (row["src_port"], row["dst_port"]) == (1000, 53)
    assert (row["src2dst_packets"], row["dst2src_packets"], shards) == (1, 2, 3)


@pytest.mark.parametrize(("gap", "flows"), [(4.999999, 1), (5, 2)])
def test_the_idle_time_over_a_border(make, tmp_path: Path, gap: float, flows: int) -> None:
    rows, shards = read_cut(make, tmp_path, talk(make, 0, gap), [1])
    assert (rows.num_rows, shards) == (flows, 3)


def test_another_packet_shows_that_the_idle_time_has_passed(make, tmp_path: Path) -> None:
    """A clock that ran ahead and back ended the flow, though its own packets are near."""
    other = make.ethernet(make.ipv4(make.udp(7, 8), protocol=17))
    first, second = talk(make, 0, 3)
    packets = [first, (BEGIN + 6 * SECOND, other), second]
    for number, cuts in enumerate(([1], [2], [1, 2])):
        folder = tmp_path / str(number)
        folder.mkdir()
        rows, _ = read_cut(make, folder, packets, cuts)
        same(rows, read_whole(make, folder, packets))
        assert rows.num_rows == 3


def test_the_active_time_at_a_border_begins_a_flow_there(make, tmp_path: Path) -> None:
    seconds = [*range(0, 30, 3), 30, 31]
    rows, shards = read_cut(make, tmp_path, talk(make, *seconds), [10])
    assert sorted(rows["bidirectional_packets"].to_pylist()) == [2, 10]
    assert shards == 3


def test_the_active_time_inside_a_later_file_is_read_in_order(make, tmp_path: Path) -> None:
    packets = talk(make, *range(0, 60, 3))
    rows, shards = read_cut(make, tmp_path, packets, [5])
    assert shards == 1
    same(rows, read_whole(make, tmp_path, packets))
    assert sorted(rows["bidirectional_packets"].to_pylist()) == [10, 10]


def test_time_that_runs_back_over_a_border_is_read_in_order(make, tmp_path: Path) -> None:
    packets = talk(make, 10, 12, 11, 13)
    rows, shards = read_cut(make, tmp_path, packets, [2])
    assert shards == 1
    same(rows, read_whole(make, tmp_path, packets))


def test_fragments_that_wait_for_the_next_file_are_read_in_order(make, tmp_path: Path) -> None:
    whole = make.udp(1000, 53, bytes(range(24)))
    first = make.ipv4(whole[:16], protocol=17, fragment=0x2000)
    second = make.ipv4(whole[16:], protocol=17, fragment=2)
    packets = [(BEGIN, make.ethernet(first)), (BEGIN + SECOND, make.ethernet(second))]
    rows, shards = read_cut(make, tmp_path, packets, [1])
    assert shards == 1
    same(rows, read_whole(make, tmp_path, packets))


def test_a_file_without_ip_packets_lets_flows_pass(make, tmp_path: Path) -> None:
    arp = (BEGIN + SECOND, make.ethernet(bytes(28), 0x0806))
    first, second = talk(make, 0, 2)
    rows, shards = read_cut(make, tmp_path, [first, arp, second], [1, 2])
    assert (rows["bidirectional_packets"].to_pylist(), shards) == ([2], 4)


def test_every_field_of_a_flow_is_joined() -> None:
    """A new field of the record needs a line in ``joined_flows`` and one here."""
    assert set(flow_record(SMALL).names) == KNOWN


def test_joining_takes_nothing_from_its_parts() -> None:
    left, right = np.zeros((2, 3), flow_record(SMALL))
    left["packets"][:, 0], right["packets"][:, 0] = 1, 1
    before = left.tobytes(), right.tobytes()
    joined_flows(left, right)
    assert (left.tobytes(), right.tobytes()) == before
