"""Rows on disk: everything comes back, groups included, and equal rows are equal bytes."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.capture import FlowSettings, flow_schema
from pipelines.datasets.fields import feature_columns, field, group_of
from pipelines.errors import NetloopError
from pipelines.store.rows import (
    GROUP_BYTES,
    GROUP_ROWS,
    NAME,
    count_rows,
    group_rows,
    read_rows,
    read_schema,
    read_tables,
    write_rows,
    write_tables,
)

ROWS = pa.Table.from_arrays(
    [
        pa.array(["a", "b", "\0\u2028", None]),
        pa.array([1, -(2**63), 2**63 - 1, None]),
        pa.array([0.1, float("inf"), -0.0, None]),
        pa.array([b"\0" * 16, b"\xff" * 16, bytes(range(16)), None], pa.binary(16)),
        pa.array([[1, 2], [3, 4], [-1, 0], None], pa.list_(pa.int32(), 2)),
    ],
    schema=pa.schema(
        [
            field("label", pa.string(), "label"),
            field("flow", pa.int64(), "split"),
            field("duration", pa.float64(), "gaps"),
            field("src_ip", pa.binary(16), "addresses"),
            field("packet_length", pa.list_(pa.int32(), 2), "sizes"),
        ]
    ),
)


def test_rows_come_back_with_their_groups(tmp_path: Path) -> None:
    write_rows(tmp_path, ROWS)
    read = read_rows(tmp_path)
    assert read.equals(ROWS)
    assert read.schema.equals(ROWS.schema, check_metadata=True)
    assert [group_of(column) for column in read.schema][2:] == ["gaps", "addresses", "sizes"]
    assert feature_columns(read.schema, ["gaps", "addresses"]) == ["packet_length"]


def test_the_footer_alone_tells_schema_and_size(tmp_path: Path) -> None:
    write_rows(tmp_path, ROWS)
    assert count_rows(tmp_path) == 4
    assert read_schema(tmp_path).equals(ROWS.schema, check_metadata=True)


def test_flow_rows_without_a_row(tmp_path: Path) -> None:
    schema = flow_schema(FlowSettings())
    write_rows(tmp_path, schema.empty_table())
    assert count_rows(tmp_path) == 0
    assert read_rows(tmp_path).schema.equals(schema, check_metadata=True)


def test_equal_rows_are_equal_bytes(tmp_path: Path) -> None:
    contents = set()
    for rows in (ROWS, pa.concat_tables([ROWS.slice(0, 1), ROWS.slice(1)])):
        write_rows(tmp_path, rows)
        contents.add((tmp_path / NAME).read_bytes())
    write_rows(tmp_path, read_rows(tmp_path))
    contents.add((tmp_path / NAME).read_bytes())
    assert len(contents) == 1


def test_a_workspace_called_like_a_partition_adds_no_column(tmp_path: Path) -> None:
    folder = tmp_path / "label=benign"
    folder.mkdir()
    write_rows(folder, ROWS)
    assert read_rows(folder).schema.names == ROWS.schema.names
    assert read_rows(folder)["label"].to_pylist() == ROWS["label"].to_pylist()


@pytest.mark.parametrize("read", [read_rows, count_rows, read_schema])
@pytest.mark.parametrize("damage", ["absent", "empty", "cut", "other"])
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, read, damage: str) -> None:
    write_rows(tmp_path, ROWS)
    path = tmp_path / NAME
    content = path.read_bytes()
    path.unlink()
    if damage != "absent":
        path.write_bytes({"empty": b"", "cut": content[:-9], "other": b"PAR1" * 9}[damage])
    with pytest.raises(NetloopError, match=r"The rows in .* cannot be read"):
        read(tmp_path)


# --- streams -------------------------------------------------------------------------------------


def many(rows: int) -> pa.Table:
    schema = pa.schema([field("label", pa.string(), "label"), field("flow", pa.int64(), "split")])
    return pa.table({"label": ["a"] * rows, "flow": range(rows)}, schema=schema)


@pytest.mark.parametrize("size", [1, 999, GROUP_ROWS, GROUP_ROWS + 1, 3 * GROUP_ROWS])
def test_a_stream_is_written_as_the_rows_in_one(tmp_path: Path, size: int) -> None:
    rows = many(2 * GROUP_ROWS + 7)
    write_rows(tmp_path, rows)
    whole = (tmp_path / NAME).read_bytes()
    step = max(size, 500)
    tables = (rows.slice(start, step) for start in range(0, rows.num_rows, step))
    assert write_tables(tmp_path, tables, rows.schema) == rows.num_rows
    assert (tmp_path / NAME).read_bytes() == whole


def test_a_stream_is_read_a_row_group_at_a_time(tmp_path: Path) -> None:
    rows = many(2 * GROUP_ROWS + 7)
    write_rows(tmp_path, rows)
    tables = list(read_tables(tmp_path))
    assert [table.num_rows for table in tables] == [GROUP_ROWS, GROUP_ROWS, 7]
    assert pa.concat_tables(tables).equals(rows)


def test_a_stream_asks_for_no_table_before_it_is_needed(tmp_path: Path) -> None:
    """While a table is asked for, no more than a row group and the table before it is held."""
    rows = many(GROUP_ROWS // 2)
    held = []

    def tables():
        before = pa.total_allocated_bytes()
        for _ in range(20):
            yield rows
            held.append(pa.total_allocated_bytes() - before)

    write_tables(tmp_path, tables(), rows.schema)
    assert max(held) < 6 * rows.nbytes + (4 << 20)


def test_no_table_is_an_empty_file(tmp_path: Path) -> None:
    assert write_tables(tmp_path, iter(()), ROWS.schema) == 0
    assert read_rows(tmp_path).equals(ROWS.schema.empty_table())
    assert list(read_tables(tmp_path)) == []


def test_wide_rows_make_small_groups() -> None:
    wide = flow_schema(FlowSettings(payload_packets=64, payload_bytes=4096))
    assert 1 <= group_rows(wide) < 100
    assert group_rows(many(1).schema) == GROUP_ROWS
    assert group_rows(flow_schema(FlowSettings())) * 1000 < 2 * GROUP_BYTES
