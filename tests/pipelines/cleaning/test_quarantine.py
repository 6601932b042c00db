import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cleaning.filters import Filter, apply_filters
from pipelines.cleaning.kinds import Pool
from pipelines.cleaning.quarantine import DETAIL, PLACE, REASON, SCORE, quarantined, restore
from pipelines.datasets.fields import LABEL, group_of
from pipelines.errors import InputError
from pipelines.store.rows import read_rows, write_rows


def test_a_row_says_where_it_was_and_why_it_went(make_rows) -> None:
    rows = make_rows(list("abc"), [1, 2, 3])
    away = quarantined(rows, np.array([0, 2]), ["x", "y"], ["", "seen"], np.array([np.nan, 0.5]))
    assert away.select([PLACE, REASON, DETAIL, SCORE]).to_pylist() == [
        {PLACE: 0, REASON: "x", DETAIL: None, SCORE: None},
        {PLACE: 2, REASON: "y", DETAIL: "seen", SCORE: 0.5},
    ]
    own = [column for column in away.schema if column.name.startswith("quarantine_")]
    assert {group_of(column) for column in own} == {LABEL}, "never a feature"


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=30))
def test_there_and_back_is_exact(moved) -> None:
    rows = pa.table({"label": ["a"] * len(moved), "value": pa.array(range(len(moved)), pa.int64())})
    places = np.flatnonzero(moved)
    away = quarantined(rows, places, ["x"] * len(places), [""] * len(places), np.zeros(len(places)))
    kept = rows.take(pa.array(np.flatnonzero(~np.array(moved, bool))))
    assert restore(kept, away).equals(rows)


def test_files_come_back_byte_by_byte(make_flows, tmp_path) -> None:
    rows = make_flows(list("abab"), bidirectional_packets=[1, 9, 1, 9], payload=[b"a"] * 4)
    parts = apply_filters(Pool(rows), [Filter(name="few_packets")])
    for name, part in zip(("kept", "away", "before"), (*parts, rows), strict=True):
        (tmp_path / name).mkdir()
        write_rows(tmp_path / name, part)
    back = restore(read_rows(tmp_path / "kept"), read_rows(tmp_path / "away"))
    (tmp_path / "back").mkdir()
    write_rows(tmp_path / "back", back)
    assert back.schema.equals(rows.schema, check_metadata=True)
    before, after = (tmp_path / name / "rows.parquet" for name in ("before", "back"))
    assert before.read_bytes() == after.read_bytes()


def test_parts_of_two_cleanings_are_refused(make_rows) -> None:
    rows = make_rows(list("abcd"), [1, 1, 2, 3])
    kept, away = apply_filters(Pool(rows), [Filter(name="small_classes")])
    assert away.num_rows == 4
    for wrong in (kept.append_column("more", pa.array([], pa.int64())), rows.select(["label"])):
        with pytest.raises(InputError, match="do not belong together"):
            restore(wrong, away)
    with pytest.raises(InputError, match="do not belong together"):
        restore(kept, away.slice(2))
    with pytest.raises(InputError, match="do not belong together"):
        restore(kept, pa.concat_tables([away, away]))
    with pytest.raises(InputError, match="no column 'quarantine_place'"):
        restore(kept, rows)


def test_a_quarantine_is_not_cleaned_again(make_rows) -> None:
    rows = make_rows(list("ab"), [1, 2])
    _, away = apply_filters(Pool(rows), [Filter(name="small_classes")])
    with pytest.raises(InputError, match="have a column 'quarantine_place'"):
        apply_filters(Pool(away), [Filter(name="small_classes")])
