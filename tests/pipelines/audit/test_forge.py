"""Another network: every identifier another one, the same by the same, behaviour untouched."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.audit.forge import forge_network
from pipelines.datasets.fields import DEFAULT_MASKS, LABEL, SPLIT, field, group_of
from pipelines.datasets.group_names import DAY_NS

YEAR_2020_NS = 1_577_836_800_000_000_000


def address(*four: int) -> bytes:
    return b"\0" * 10 + b"\xff\xff" + bytes(four)


@pytest.fixture
def rows(make_flows) -> pa.Table:
    count = 60
    random = np.random.default_rng(0)
    hosts = [address(10, 0, 0, i) for i in range(5)] + [b"\x20\x01" + b"\1" * 14]
    return make_flows(
        ["ab"[i % 2] for i in range(count)],
        flow=[i // 2 for i in range(count)],
        src_ip=[hosts[i % 6] for i in range(count)],
        dst_ip=[hosts[(i + 1) % 6] for i in range(count)],
        src_mac=[0 if i % 6 == 0 else 0x020000000000 + i % 6 for i in range(count)],
        dst_mac=[0x020000000000 + (i + 1) % 6 for i in range(count)],
        src_port=random.integers(0, 9, count),
        dst_port=random.integers(0, 9, count),
        src2dst_ttl=[0 if i == 3 else 64 for i in range(count)],
        dst2src_ttl=[128] * count,
        ip_id=random.integers(0, 65536, count),
        tcp_seq=random.integers(0, 2**32, count),
        tcp_ack=[0] * count,
        ip_checksum=random.integers(1, 65536, count),
        bidirectional_bytes=random.integers(0, 999, count),
        last_seen_ns=[YEAR_2020_NS + 1_000_000 + i for i in range(count)],
    )


def lists(rows: pa.Table, *names: str) -> list:
    return [value for name in names for value in rows[name].to_pylist()]


def test_behaviour_and_bookkeeping_stay(rows: pa.Table) -> None:
    forged = forge_network(rows, 1)
    assert forged.schema.equals(rows.schema, check_metadata=True)
    for column in rows.schema:
        if group_of(column) not in DEFAULT_MASKS:
            assert forged[column.name].equals(rows[column.name]), column.name


@pytest.mark.parametrize(
    "names", [("src_ip", "dst_ip"), ("src_mac", "dst_mac"), ("src_port", "dst_port")]
)
def test_the_same_host_becomes_the_same_other_one(rows: pa.Table, names: tuple[str, ...]) -> None:
    before, after = lists(rows, *names), lists(forge_network(rows, 1), *names)
    mapping = dict(zip(before, after, strict=True))
    assert [mapping[value] for value in before] == after, "one other for each"
    assert len(set(mapping.values())) == len(mapping), "and different ones stay different"
    kept = [value for value, other in mapping.items() if value == other and value]
    assert len(kept) <= (1 if names[0] == "src_port" else 0)


def test_what_is_absent_stays_absent(rows: pa.Table) -> None:
    forged = forge_network(rows, 1)
    for name in ("src_mac", "src_port", "src2dst_ttl", "ip_id", "tcp_ack", "l4_checksum"):
        before, after = np.array(rows[name]), np.array(forged[name])
        assert ((before == 0) == (after == 0)).all(), name


def test_an_ipv4_address_stays_one(rows: pa.Table) -> None:
    for before, after in zip(
        lists(rows, "src_ip"), lists(forge_network(rows, 1), "src_ip"), strict=True
    ):
        assert (before[:12] == address(0, 0, 0, 0)[:12]) == (after[:12] == address(0, 0, 0, 0)[:12])


def test_times_move_together_by_more_than_a_day(rows: pa.Table) -> None:
    forged = forge_network(rows, 1)
    moved = {
        int(after - before)
        for name in ("first_seen_ns", "last_seen_ns")
        for before, after in zip(lists(rows, name), lists(forged, name), strict=True)
    }
    assert len(moved) == 1 and moved.pop() > DAY_NS


def test_a_host_s_ttl_moves_by_one_number(rows: pa.Table) -> None:
    forged = forge_network(rows, 1)
    by_host: dict[bytes, set] = {}
    for name, host in (("src2dst_ttl", "src_ip"), ("dst2src_ttl", "dst_ip")):
        for before, after, who in zip(
            lists(rows, name), lists(forged, name), lists(rows, host), strict=True
        ):
            if before:
                assert 1 <= after <= 255 and after != before
                by_host.setdefault(who, set()).add((after - before) % 255)
    assert all(len(moved) == 1 for moved in by_host.values())
    assert len({min(moved) for moved in by_host.values()}) > 1, "hosts move apart"


def test_a_flow_s_sequence_numbers_keep_their_distances(rows: pa.Table) -> None:
    forged = forge_network(rows, 1)
    moved: dict[int, set] = {}
    for before, after, flow in zip(
        lists(rows, "tcp_seq"), lists(forged, "tcp_seq"), lists(rows, "flow"), strict=True
    ):
        moved.setdefault(flow, set()).add((after - before) % (2**32 - 1))
    assert all(len(values) == 1 for values in moved.values())


def test_only_the_groups_that_are_named_are_forged(rows: pa.Table) -> None:
    forged = forge_network(rows, 1, ["ttl"])
    changed = [name for name in rows.column_names if not forged[name].equals(rows[name])]
    assert changed == ["src2dst_ttl", "dst2src_ttl"]


def test_the_seed_decides_the_network(rows: pa.Table) -> None:
    assert forge_network(rows, 1).equals(forge_network(rows, 1))
    assert not forge_network(rows, 1)["src_ip"].equals(forge_network(rows, 2)["src_ip"])


def test_identifiers_of_a_table_trade_values() -> None:
    """Whatever their type: the table's own values, in the same way in all columns of a type."""
    schema = pa.schema(
        [
            field("label", pa.string(), LABEL),
            field("flow", pa.int64(), SPLIT),
            field("src", pa.string(), "addresses"),
            field("dst", pa.string(), "addresses"),
            field("sttl", pa.float64(), "ttl"),
        ]
    )
    hosts = [f"10.0.0.{i}" for i in range(30)]
    rows = pa.Table.from_arrays(
        [pa.array(["a"] * 30), pa.array(range(30)), pa.array(hosts), pa.array(hosts[::-1]),
         pa.array([float(i % 7) for i in range(29)] + [None])],
        schema=schema,
    )  # fmt: skip
    forged = forge_network(rows, 3)
    mapping = dict(zip(hosts, forged["src"].to_pylist(), strict=True))
    assert forged["dst"].to_pylist() == [mapping[host] for host in hosts[::-1]]
    assert sorted(mapping.values()) == sorted(hosts)
    assert any(host != other for host, other in mapping.items())
    ttl = dict(zip(rows["sttl"].to_pylist(), forged["sttl"].to_pylist(), strict=True))
    assert set(ttl) == set(ttl.values())
