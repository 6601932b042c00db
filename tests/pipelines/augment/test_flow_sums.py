"""Made flows contradict themselves as little as real ones do."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.augment.flow_sums import with_sums
from pipelines.augment.gate.validity import validity
from pipelines.augment.generators import GENERATORS, generate
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.sources import load_source

WAYS = ("bidirectional", "src2dst", "dst2src")


@pytest.fixture(scope="module")
def flows(tiny_lab: Path) -> pa.Table:
    return load_source(tiny_lab, "folder", "flow").rows


def flow(**columns: list[float]) -> pa.Table:
    """Flows with some of the columns; whole numbers where counted."""
    kinds = {name: pa.float64() if name.endswith(("ps", "ms")) else pa.int64() for name in columns}
    return pa.table({name: pa.array(values, kinds[name]) for name, values in columns.items()})


@pytest.mark.parametrize("name", GENERATORS)
def test_flows_of_every_generator_are_possible(name: str, flows: pa.Table) -> None:
    counts = Counter(flows["label"].to_pylist())
    wanted = {label: min(count, 30) for label, count in counts.items()}
    made = generate(name, flows, wanted, masks=DEFAULT_MASKS, seed=0)
    assert made.schema.equals(flows.schema, check_metadata=True)
    assert Counter(made["label"].to_pylist()) == wanted
    found = validity(flows, made, DEFAULT_MASKS)
    allowed = 0.02 * made.num_rows if name == "marginals" else 0  # bytes by packets of two flows
    assert len(found.rows) <= allowed, found.words
    for masked in ("src_ip", "dst_port", "first_seen_ns", "tcp_seq"):
        assert made[masked].null_count == made.num_rows


def test_both_directions_make_the_whole() -> None:
    rows = flow(
        bidirectional_packets=[9], src2dst_packets=[2], dst2src_packets=[3],
        bidirectional_bytes=[1], src2dst_bytes=[200], dst2src_bytes=[10],
        bidirectional_syn_packets=[7], src2dst_syn_packets=[1], dst2src_syn_packets=[5],
    )  # fmt: skip
    found = with_sums(rows).to_pylist()[0]
    assert (found["bidirectional_packets"], found["bidirectional_bytes"]) == (5, 260)
    assert found["dst2src_bytes"] == 60, "three headers at least"
    assert found["dst2src_syn_packets"] == 3, "no more than there are packets"
    assert found["bidirectional_syn_packets"] == 4


def test_a_silent_direction_has_nothing() -> None:
    rows = flow(dst2src_packets=[0, 1], dst2src_bytes=[90, 90], dst2src_max_piat_ms=[5.0, 5.0])
    found = with_sums(rows)
    assert found["dst2src_bytes"].to_pylist() == [0, 90]
    assert found["dst2src_max_piat_ms"].to_pylist() == [0.0, 5.0]


def test_statistics_are_in_order_and_within_the_whole() -> None:
    rows = flow(
        src2dst_packets=[4], src2dst_bytes=[400], src2dst_min_ps=[150.0], src2dst_mean_ps=[7.0],
        src2dst_max_ps=[90.0], src2dst_max_piat_ms=[30.0], src2dst_duration_ms=[20.0],
    )  # fmt: skip
    found = with_sums(rows).to_pylist()[0]
    sizes = [found[f"src2dst_{kind}_ps"] for kind in ("min", "mean", "max")]
    assert sizes == [100, 100, 100]
    assert found["src2dst_duration_ms"] == 30


def test_only_tcp_has_flags() -> None:
    rows = flow(src2dst_packets=[5, 5], src2dst_ack_packets=[4, 4])
    rows = rows.append_column("protocol", pa.array([6, 17], pa.uint8()))
    assert with_sums(rows)["src2dst_ack_packets"].to_pylist() == [4, 0]


def test_real_flows_stay_as_they_are(flows: pa.Table) -> None:
    """What follows from the directions is already so; means but for rounding."""
    mended = with_sums(flows)
    for name in flows.column_names:
        if name.startswith(WAYS):
            before, after = (t[name].cast(pa.float64()) for t in (flows, mended))
            off = pc.max(pc.abs(pc.subtract(before, after))).as_py()
            assert off < 1e-3, name


def test_hidden_columns_stay_hidden() -> None:
    rows = pa.table({"src2dst_packets": pa.nulls(2, pa.int64()), "src2dst_bytes": [1, 2]})
    found = with_sums(rows)
    assert found["src2dst_packets"].null_count == 2
    assert found["src2dst_bytes"].to_pylist() == [1, 2]
