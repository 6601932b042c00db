"""Columns in numbers."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.datasets.fields import field
from pipelines.errors import NetloopError
from pipelines.privacy.summary import describe_columns
from pipelines.store.rows import GROUP_ROWS, write_rows


def written(folder: Path, **columns: tuple[pa.DataType, str, list]) -> Path:
    schema = pa.schema([field(name, kind, group) for name, (kind, group, _) in columns.items()])
    folder.mkdir()
    write_rows(folder, pa.table({name: v for name, (_, _, v) in columns.items()}, schema))
    return folder


def test_numbers_of_each_kind_of_column(tmp_path: Path) -> None:
    rows = written(
        tmp_path / "rows",
        label=(pa.string(), "label", ["a", "b", "a", "b"]),
        day=(pa.string(), "split", ["1", "1", "2", "2"]),
        rate=(pa.float64(), "column", [1.0, None, float("inf"), 3.0]),
        empty=(pa.float64(), "column", [None, None, None, float("nan")]),
        word=(pa.string(), "column", ["x", "y", "x", None]),
        told=(pa.bool_(), "tls", [True, False, True, True]),
        port=(pa.uint16(), "ports", [1, 2, 3, 4]),
    )
    found = {column.name: column for column in describe_columns(rows, numbers=True)}
    assert [*found] == ["rate", "empty", "word", "told", "port"]
    assert found["rate"].missing == 0.25 and found["rate"].percentiles == [1.1, 2.0, 2.9]
    assert found["empty"].missing == 0.75 and found["empty"].percentiles is None
    assert (found["word"].kind, found["word"].distinct) == ("text", 2)
    assert (found["told"].kind, found["told"].percentiles) == ("yes or no", None)
    assert found["port"].model_dump(exclude_none=True) == {
        "name": "port", "kind": "number", "group": "ports",
    }  # fmt: skip
    for column in describe_columns(rows, numbers=False):
        assert {*column.model_dump(exclude_none=True)} == {"name", "kind", "group"}


def test_rows_are_looked_at_from_the_first_to_the_last(tmp_path: Path) -> None:
    many = 30 * GROUP_ROWS
    rows = written(tmp_path / "rows", n=(pa.int64(), "counts", [*range(many)]))
    (column,) = describe_columns(rows, numbers=True)
    assert column.percentiles is not None
    low, middle, high = (value / many for value in column.percentiles)
    assert low < 0.1 and 0.4 < middle < 0.6 and high > 0.9


def test_no_rows(tmp_path: Path) -> None:
    rows = written(tmp_path / "rows", n=(pa.int64(), "counts", []))
    (column,) = describe_columns(rows, numbers=True)
    assert column.percentiles is None and column.missing == 0
    with pytest.raises(NetloopError, match="cannot be read"):
        describe_columns(tmp_path, numbers=True)
