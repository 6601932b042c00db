"""Rows on disk: everything comes back, groups included, and equal rows are equal bytes."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.capture import FlowSettings, flow_schema
from pipelines.datasets.fields import feature_columns, field, group_of
from pipelines.errors import NetloopError
from pipelines.store.rows import NAME, count_rows, read_rows, read_schema, write_rows

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
