"""Rows on their way to a file: what is read back is what was written."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.profiles.writers import TextFile, harmless, open_writer

SCHEMA = pa.schema(
    [pa.field("n", pa.int64()), pa.field("x", pa.float64()), pa.field("t", pa.string())]
)
ROWS = pa.Table.from_pylist(
    [{"n": 1, "x": 0.5, "t": "plain"}, {"n": None, "x": None, "t": None}, {"n": 3, "x": 1e300}],
    SCHEMA,
)


def written(kind, rows=ROWS, profile="nfstream"):
    file = io.BytesIO()
    writer = open_writer(kind, profile, rows.schema, file)
    for at in range(rows.num_rows):
        writer.write(rows.slice(at, 1))
    writer.close()
    return file.getvalue()


def test_csv():
    assert written("csv") == b'n,x,t\n1,0.5,"plain"\n,,\n3,1e+300,\n'


def test_rows_in_several_chunks_of_which_one_is_empty():
    chunks = pa.concat_tables([ROWS.slice(0, 0), ROWS.slice(0, 1), ROWS.slice(1)])
    file = io.BytesIO()
    open_writer("csv", "nfstream", SCHEMA, file).write(chunks)
    assert file.getvalue() == written("csv")


def test_tsv():
    assert written("tsv").splitlines()[0] == b"n\tx\tt"


def test_json_lines_leave_out_what_is_unset():
    lines = [json.loads(line) for line in written("jsonl").splitlines()]
    assert lines == [{"n": 1, "x": 0.5, "t": "plain"}, {}, {"n": 3, "x": 1e300}]


def test_parquet_keeps_types_and_nothing_else_changes():
    assert pq.read_table(io.BytesIO(written("parquet"))).equals(ROWS)


def test_no_rows_are_a_header_only():
    assert written("csv", ROWS.slice(0, 0)) == b"n,x,t\n"
    assert written("jsonl", ROWS.slice(0, 0)) == b""
    assert pq.read_table(io.BytesIO(written("parquet", ROWS.slice(0, 0)))).num_rows == 0


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_a_spreadsheet_would_run_gets_a_quote(text):
    table = pa.table({"t": [text]})
    assert harmless(table)["t"].to_pylist() == ["'" + text]


def test_numbers_and_other_texts_stay():
    table = pa.table({"n": [-1], "t": ["a=1"], "u": pa.array([None], pa.string())})
    assert harmless(table).equals(table)


def test_times_are_iso_8601_in_every_text():
    moments = [0, 1484673025972667, -1, 9223372036854775]
    times = pa.array([*moments, None], pa.timestamp("us", "UTC"))
    spelled = [
        "1970-01-01T00:00:00.000000Z",
        "2017-01-17T17:10:25.972667Z",
        "1969-12-31T23:59:59.999999Z",
        "2262-04-11T23:47:16.854775Z",
    ]
    rows = pa.table({"Timestamp": times})
    assert [json.loads(line) for line in written("jsonl", rows).splitlines()] == [
        *({"Timestamp": text} for text in spelled),
        {},
    ]
    assert written("csv", rows).decode().splitlines() == [
        "Timestamp",
        *(f'"{text}"' for text in spelled),
        "",
    ]
    assert pq.read_table(io.BytesIO(written("parquet", rows))).equals(rows)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=20)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_nan=False, allow_infinity=False),
            texts,
        ),
        max_size=8,
    )
)
def test_csv_is_read_back_as_it_was_written(rows):
    table = pa.Table.from_pylist([{"n": n, "x": x, "t": t} for n, x, t in rows], SCHEMA)
    read = list(csv.DictReader(io.StringIO(written("csv", table).decode(), newline="")))
    assert [(int(r["n"]), float(r["x"])) for r in read] == [(n, x) for n, x, _ in rows]
    assert [r["t"].removeprefix("'") for r in read] == [t.removeprefix("'") for *_, t in rows]


def test_text_that_comes_in_parts_of_characters():
    parts = []
    file = TextFile(parts.append)
    content = "Zürich → 東京".encode()
    for byte in content:
        assert file.write(bytes([byte])) == 1
    assert "".join(parts) == "Zürich → 東京"
