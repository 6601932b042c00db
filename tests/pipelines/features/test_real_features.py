"""On real flows, features of their first packets agree with the flows' own statistics."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.datasets.sources import load_source
from pipelines.features.parse import parse


@pytest.fixture(scope="module")
def rows(data: Path) -> pa.Table:
    return load_source(data / "ustc_tfc2016" / "sessions", "file").rows


@pytest.fixture(scope="module")
def on(rows: pa.Table) -> Callable[[str], np.ndarray]:
    return lambda text: parse(text, rows.schema).evaluate(rows).to_numpy()


def test_the_packets_of_short_flows_are_all_counted(
    rows: pa.Table, on: Callable[[str], np.ndarray]
) -> None:
    listed = rows.schema.field("packet_length").type.list_size
    short = on("bidirectional_packets") <= listed
    assert short.sum() > 100
    counted, sent = on("count(packet_length)"), on("share(packet_length)")
    np.testing.assert_array_equal(counted[short], on("bidirectional_packets")[short])
    np.testing.assert_allclose((counted * sent)[short], on("src2dst_packets")[short])
    difference = on("diff(src2dst_bytes, dst2src_bytes)")
    np.testing.assert_array_equal(on("sum(packet_length)")[short], difference[short])
    assert (counted[~short] == listed).all()


def test_the_bytes_of_a_payload_are_the_sum_of_its_lengths(
    rows: pa.Table, on: Callable[[str], np.ndarray]
) -> None:
    lengths = np.stack(rows["payload_length"].to_numpy(zero_copy_only=False))
    expected = np.maximum(lengths, 0).sum(axis=1)
    np.testing.assert_array_equal(on("length(payload)"), expected)
    entropy = on("entropy(payload)")
    assert (np.isnan(entropy) == (expected == 0)).all()
    assert np.nanmin(entropy) >= 0 and np.nanmax(entropy) <= 8


def test_windows_by_host_count_as_a_loop_does(
    rows: pa.Table, on: Callable[[str], np.ndarray]
) -> None:
    order = pc.sort_indices(rows["last_seen_ns"]).to_numpy()  # stable
    capture, host = rows["capture"].to_pylist(), rows["dst_ip"].to_pylist()
    met: dict[tuple[str, bytes], int] = {}
    expected = np.empty(rows.num_rows)
    for row in order:
        key = capture[row], host[row]
        met[key] = met.get(key, 0) + 1
        expected[row] = min(met[key], 20)
    counted = on("window_count(bidirectional_bytes, by=dst_ip, last=20)")
    np.testing.assert_array_equal(counted, expected)
    assert len(set(expected)) > 5
