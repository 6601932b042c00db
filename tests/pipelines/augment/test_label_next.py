"""Which rows are asked about: unsure ones, unlike each other, each once, however they come."""

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.augment import label_next
from pipelines.augment.label_next import Guessed, rows_to_label, varied
from pipelines.augment.label_sheet import sheet, write_sheet
from pipelines.datasets.unlabelled import FILE, ROW, SHOWN
from pipelines.errors import InputError

MASKS = ("addresses",)

pytestmark = pytest.mark.usefixtures("small_forests")


def asked(labelled: pa.Table, *tables: pa.Table, count: int = 10, seed: int = 0) -> Guessed:
    return rows_to_label(labelled, tables, count, masks=MASKS, seed=seed)


def test_the_rows_between_two_classes_are_asked_about(make_records) -> None:
    known = np.linspace(-3, 3, 61)  # below -1 all are a, above 1 all are b
    above = np.where(np.abs(known) < 1, np.arange(61) % 2, known > 0)
    labelled = make_records(["ab"[int(one)] for one in above], at=known)
    far, near = np.linspace(3.1, 30, 300), np.linspace(-0.9, 0.9, 20)
    pool = make_records(["?"] * 620, at=np.concatenate([-far, near, far]))
    found = asked(labelled, pool, count=5)
    assert (np.abs(found.rows["at"].to_numpy()) < 1.1).all()
    assert (np.diff(found.margin) >= 0).all()
    assert set(found.guess) <= {"a", "b"}
    assert ((found.sure >= 0.5) & (found.sure <= 1)).all()


def test_one_case_many_times_is_asked_about_once(make_related) -> None:
    labelled, other = make_related(10, 0), make_related(40, 1)
    many = pa.concat_tables([other.slice(0, 1)] * 500 + [other])
    found = asked(labelled, many, count=20)
    sizes = found.rows.select(["size", "time", "rate"]).to_pylist()
    assert len({tuple(row.values()) for row in sizes}) == 20


def test_labelled_rows_are_not_asked_about(make_related) -> None:
    rows = make_related(20, 0)
    with pytest.raises(InputError, match="0 different rows that nobody has labelled, and 5"):
        asked(rows, rows, count=5)


def test_too_few_rows(make_related) -> None:
    with pytest.raises(InputError, match=r"8 different rows .* 9 were asked for"):
        asked(make_related(10, 0), make_related(4, 1), count=9)
    assert len(asked(make_related(10, 0), make_related(4, 1), count=8).guess) == 8


def test_no_rows(make_related) -> None:
    for tables in ((), (make_related(3, 1).slice(0, 0),)):
        with pytest.raises(InputError, match="0 different rows"):
            asked(make_related(10, 0), *tables)


def test_one_class_teaches_no_guess(make_related) -> None:
    rows = make_related(10, 0)
    with pytest.raises(InputError, match="only the class 'a'"):
        asked(rows.filter(pa.array([name == "a" for name in rows["label"].to_pylist()])), rows)


def test_what_the_masks_hide_has_no_say(make_related) -> None:
    labelled, pool = make_related(10, 0), make_related(60, 1)
    place = pool.schema.get_field_index("address")
    other = pool.set_column(place, pool.schema.field(place), pa.array(["::1"] * pool.num_rows))
    one, two = asked(labelled, pool), asked(labelled, other)
    assert one.rows["flow"].to_pylist() == two.rows["flow"].to_pylist()


def test_the_label_of_the_pool_is_not_read(make_related) -> None:
    labelled, pool = make_related(10, 0), make_related(60, 1)
    bare = pool.drop_columns(["label"])
    one, two = asked(labelled, pool), asked(labelled, bare)
    assert one.rows["flow"].to_pylist() == two.rows["flow"].to_pylist()


def test_the_seed_decides_and_nothing_else(make_related) -> None:
    labelled, pool = make_related(10, 0), make_related(100, 1)
    flows = [asked(labelled, pool, seed=seed).rows["flow"].to_pylist() for seed in (3, 3, 4)]
    assert flows[0] == flows[1] != flows[2]


def test_few_rows_are_held(make_related, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_next, "CANDIDATES", 3)
    held = []
    plain = label_next.Guessed.joined

    def joined(kept: Guessed, new: Guessed) -> Guessed:
        held.append(kept.rows.num_rows)
        return plain(kept, new)

    monkeypatch.setattr(label_next.Guessed, "joined", joined)
    pool = make_related(300, 1)
    tables = [pool.slice(start, 50) for start in range(0, 600, 50)]
    found = asked(make_related(10, 0), *tables, count=4)
    assert found.rows.num_rows == 4
    assert len(held) == 11
    assert max(held) == 12


# --- unlike each other ---------------------------------------------------------------------------


def test_each_of_several_heaps_is_asked_about() -> None:
    random = np.random.default_rng(0)
    heaps = np.repeat([[0.0, 0], [50, 0], [0, 50], [50, 50]], [500, 20, 20, 20], axis=0)
    points = heaps + random.normal(size=heaps.shape)
    chosen = varied(points, np.ones(len(points)), 4, 0)
    assert len({tuple(place) for place in heaps[chosen]}) == 4


def test_weights_pull() -> None:
    points = np.concatenate([np.linspace(0, 1, 50), np.linspace(10, 11, 50)])[:, None]
    weights = np.where(np.arange(100) % 50 > 44, 100.0, 0.01)
    assert sorted(varied(points, weights, 2, 0) % 50) > [40, 40]


@settings(max_examples=40)
@given(
    values=st.lists(st.integers(0, 4), min_size=1, max_size=30),
    weights=st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=30, max_size=30),
    data=st.data(),
)
def test_as_many_places_as_asked_for_each_once(values, weights, data) -> None:
    count = data.draw(st.integers(1, len(values)))
    points = np.array(values, float)[:, None]
    chosen = varied(points, np.array(weights[: len(values)]), count, 0)
    assert len(set(chosen.tolist())) == count
    assert set(chosen.tolist()) <= set(range(len(values)))
    distinct = len(set(values))
    assert len({values[place] for place in chosen}) == min(count, distinct)


# --- the sheet -----------------------------------------------------------------------------------


def records(**shown: list[str]) -> Guessed:
    columns = {f"{SHOWN}{name}": values for name, values in shown.items()}
    count = len(next(iter(shown.values())))
    rows = pa.table({ROW: list(range(1, count + 1)), FILE: ["=f.csv"] * count, **columns})
    return Guessed(rows, np.array(["a", "@b"] * count, object)[:count], np.full(count, 0.51239),
                   np.zeros(count))  # fmt: skip


def test_a_record_and_room_for_its_label() -> None:
    assert sheet(records(size=["-5", ""], word=["x", "y"])).to_pylist() == [
        {"file": "=f.csv", "row": 1, "guess": "a", "sure": 0.512, "label": "",
         "size": -5.0, "word": "x"},
        {"file": "=f.csv", "row": 2, "guess": "@b", "sure": 0.512, "label": "",
         "size": None, "word": "y"},
    ]  # fmt: skip


def test_a_records_own_columns_do_not_take_the_sheets_names() -> None:
    found = sheet(records(label=["x"], guess=["y"], row=["7"]))
    assert found.column_names == [
        "file", "row", "guess", "sure", "label", "label_column", "guess_column", "row_column",
    ]  # fmt: skip
    assert found["label"].to_pylist() == [""]


def test_no_text_runs_or_hides(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write_sheet(path, records(word=["=1+1", "\x1b[2J\u202etxt"], wide=["x\ny", 'é,"']))
    lines = [*csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))]
    assert lines[1] == ["'=f.csv", "1", "a", "0.512", "", "'=1+1", "x\\ny"]
    assert lines[2] == ["'=f.csv", "2", "'@b", "0.512", "", "\\x1b[2J\\u202etxt", 'é,"']


def test_a_sheet_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*parts: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pipelines.profiles.writers._Delimited.write", fails)
    with pytest.raises(OSError, match="disk full"):
        write_sheet(tmp_path / "rows.csv", records(word=["x"]))
    assert [*tmp_path.iterdir()] == []
