"""import_rows: the same call and the same artefact whoever reads, at a price that was measured."""

import struct
from pathlib import Path

import pytest

from agents.spec import DataSpec
from agents.terminal.direct import Direct
from pipelines.errors import InputError
from pipelines.executors import Workers
from pipelines.progress import silent
from pipelines.store.artifacts import ArtifactStore
from tools.calls import call_key, check_params, estimate
from tools.registry import find_tool
from tools.spec import ToolContext

TOOL = find_tool("import_rows")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two classes of two captures, one UDP packet a flow."""
    folder = tmp_path / "captures"
    for name, ports in (("a/x", [1, 2]), ("a/y", [3]), ("b/x", [4]), ("b/y", [5, 6, 7])):
        path = folder / f"{name}.pcap"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        for port in ports:
            network = struct.pack("!BBHHHBBH", 0x45, 0, 28, 7, 0, 64, 17, 0) + bytes(8)
            frame = bytes(12) + b"\x08\x00" + network + struct.pack("!HHHH", port, 53, 8, 0)
            content += struct.pack("<IIII", 1_600_000_000, 0, len(frame), len(frame)) + frame
        path.write_bytes(content)
    return folder


def context(tmp_path: Path, workers: Workers) -> ToolContext:
    return ToolContext(
        store=ArtifactStore(tmp_path / "artifacts"), workers=workers, shards=tmp_path / "shards"
    )


def test_workers_are_no_part_of_a_call(source: Path, tmp_path: Path) -> None:
    params = check_params(TOOL, {"source": str(source), "label": "folder"})
    keys = {
        call_key(TOOL, params, context(tmp_path, workers))
        for workers in (Workers("serial"), Workers("processes", 2), Workers("dask"))
    }
    assert len(keys) == 1


def test_workers_change_no_artefact_and_no_number(source: Path, tmp_path: Path) -> None:
    results = []
    for kind, workers in (("serial", None), ("processes", 2)):
        direct = Direct(tmp_path / kind, 0, silent, kind, workers)
        numbers = direct.call("import_rows", source=str(source), label="folder")
        results.append((direct.artifacts["rows"], numbers))
        assert list((tmp_path / kind / "shards").glob("*/*/shard.json"))
    assert results[0] == results[1]
    _, numbers = results[0]
    assert (numbers["rows"], numbers["captures"]) == (7, 4)
    assert numbers["classes"] == {"a": 3, "b": 4}
    assert numbers["health"]["packets"] == 7


def test_the_price_in_memory_is_that_of_the_workers(source: Path, tmp_path: Path) -> None:
    params = {"source": str(source), "label": "folder"}
    serial = estimate(TOOL, params, context(tmp_path, Workers("serial"))).memory_mb
    two = estimate(TOOL, params, context(tmp_path, Workers("processes", 2))).memory_mb
    four = estimate(TOOL, params, context(tmp_path, Workers("processes", 4))).memory_mb
    assert serial < two < four and two - serial == four - two
    (source / "a" / "x.pcap").write_bytes((source / "a" / "x.pcap").read_bytes() + bytes(1 << 22))
    assert estimate(TOOL, params, context(tmp_path, Workers("serial"))).memory_mb == serial


def test_the_price_of_a_table_grows_with_it(tmp_path: Path) -> None:
    prices = []
    for rows in (1_000, 500_000):
        path = tmp_path / f"{rows}.csv"
        path.write_text("label,size\n" + "a,1000\nb,2000\n" * rows)
        params = {"source": str(path), "label": "label"}
        prices.append(estimate(TOOL, params, context(tmp_path, Workers())).memory_mb)
    assert prices[0] < prices[1]


def test_a_spec_names_workers() -> None:
    data = DataSpec(source="x", workers=4, executor="processes")
    assert (data.workers, data.executor) == (4, "processes")
    assert (DataSpec(source="x").workers, DataSpec(source="x").executor) == (None, "auto")
    for change in ({"executor": "threads"}, {"workers": 0}):
        with pytest.raises(InputError):
            DataSpec(source="x", **change)


def test_the_command_line_refuses_nonsense(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no executor 'cloud'"):
        Direct(tmp_path, 0, silent, "cloud")
    with pytest.raises(InputError, match="0 workers cannot be"):
        Direct(tmp_path, 0, silent, "auto", 0)
