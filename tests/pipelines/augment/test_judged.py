"""What a person said of a synthetic row holds for its equals."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.gate.pair import Pair
from pipelines.augment.gate.peers import Doubts
from pipelines.augment.judged import Judged
from pipelines.augment.screen import doubts, trusted
from pipelines.datasets.fields import LABEL, field
from pipelines.errors import InputError, NetloopError
from pipelines.models.base import labels_of

MASKS = ("addresses",)


def relabelled(rows: pa.Table, places: list[int]) -> pa.Table:
    """The rows with the other of two labels at these places."""
    labels = list(labels_of(rows))
    for place in places:
        labels[place] = "ab"["ba".index(labels[place])]
    index = rows.schema.get_field_index("label")
    return rows.set_column(index, rows.schema.field("label"), pa.array(labels))


def test_verdicts_are_those_of_equal_rows(make_records) -> None:
    made = make_records(["a", "b", "a", "b", "a"], x=[1.0, 2.0, 3.0, None, 1.0], kind=[*"pqpqp"])
    judged = Judged.of(made.take([0, 2, 3]), [False, True, True])
    assert judged.verdicts(made, ()).tolist() == [-1, 0, 1, 1, -1]
    assert judged.verdicts(made.slice(0, 0), ()).tolist() == []


def test_the_label_is_part_of_what_was_judged(make_records) -> None:
    judged = Judged.of(make_records(["a"], x=[1.0]), [False])
    assert judged.verdicts(make_records(["a", "b"], x=[1.0, 1.0]), ()).tolist() == [-1, 0]


def test_a_row_that_was_called_both_is_wrong(make_records) -> None:
    """Two equal rows among the twenty, and a slip of the finger."""
    judged = Judged.of(make_records(["a", "a"], x=[1.0, 1.0]), [True, False])
    assert judged.verdicts(make_records(["a"], x=[1.0]), ()).tolist() == [-1]


def test_what_the_masks_hide_was_not_shown() -> None:
    columns = [field("label", pa.string(), LABEL), field("src_ip", pa.string(), "addresses")]
    schema = pa.schema([*columns, field("x", pa.float64(), "record")])
    one, other = (
        pa.table({"label": ["a"], "src_ip": [address], "x": [1.0]}, schema=schema)
        for address in ("10.0.0.1", "10.0.0.2")
    )
    judged = Judged.of(one, [True])
    assert judged.verdicts(other, MASKS).tolist() == [1]
    assert judged.verdicts(other, ()).tolist() == [0]


def test_they_are_kept_with_the_earlier_ones(tmp_path: Path, make_records) -> None:
    rows = make_records(["a", "b", "a"], x=[1.0, 2.0, 3.0])
    earlier = Judged.of(rows.slice(0, 1), [True])
    later = Judged.of(rows.slice(1, 1), [False]).after(earlier)
    later.write(tmp_path)
    read = Judged.read(tmp_path)
    assert read.right.equals(rows.slice(0, 1)) and read.wrong.equals(rows.slice(1, 1))
    assert read.verdicts(rows, ()).tolist() == [1, -1, 0]
    assert earlier.after(None) is earlier


def test_what_is_damaged_says_so(tmp_path: Path) -> None:
    with pytest.raises(NetloopError, match="cannot be read"):
        Judged.read(tmp_path)


@pytest.mark.parametrize("votes", [None, 1, 2, 3])
def test_a_person_outvotes_the_models(make_related, votes) -> None:
    """Half of the judged rows are called the opposite of what models say."""
    real, made = make_related(20, 0, 4.0), relabelled(make_related(100, 1, 4.0), [0, 1, 2, 3])
    judged = Judged.of(made.take([0, 1, 10, 11]), [True, False, True, False])
    kept = trusted(real, made, 0, masks=MASKS, votes=votes, judged=judged)
    assert kept[[0, 1, 10, 11]].tolist() == [True, False, True, False]
    if votes != 3:  # not every model doubts them
        assert kept[[2, 3]].tolist() == [votes is None] * 2
    assert kept[4:10].all() and kept[12:].mean() > 0.9


def test_they_hold_where_the_real_rows_are_too_few_to_say(make_related) -> None:
    real, made = make_related(2, 0), make_related(5, 1)
    judged = Judged.of(made.slice(0, 2), [False, True])
    assert doubts(real, made, 0, masks=MASKS, judged=judged) is None
    kept = trusted(real, made, 0, masks=MASKS, judged=judged)
    assert kept.tolist() == [False] + [True] * 9


def test_models_doubt_nothing_that_was_judged(make_related) -> None:
    real, made = make_related(20, 0, 4.0), relabelled(make_related(100, 1, 4.0), [0, 1, 2])
    assert (doubts(real, made, 0, masks=MASKS).against[:3] >= 2).all()
    judged = Judged.of(made.take([0, 1]), [True, False])
    found = doubts(real, made, 0, masks=MASKS, judged=judged)
    assert found.against[:2].tolist() == [0, 0] and found.against[2] >= 2
    assert (found.beyond[:2] == -np.inf).all() and np.isfinite(found.beyond[2:]).all()


def test_all_made_rows_judged(make_related) -> None:
    real, made = make_related(20, 0), make_related(5, 1)
    judged = Judged.of(made, [True, False] * 5)
    kept = trusted(real, made, 0, masks=MASKS, judged=judged)
    assert kept.tolist() == [True, False] * 5


@pytest.mark.parametrize("column", [{"y": [1.0]}, {"x": ["a word"]}])
def test_rows_of_other_columns_are_refused(make_records, column) -> None:
    """Those of another run, whose name somebody typed."""
    made = make_records(["a"], x=[1.0])
    other = Judged.of(make_records(["a"], **column), [True])
    with pytest.raises(InputError, match="other columns"):
        other.verdicts(made, ())
    with pytest.raises(InputError, match="other columns"):
        Judged.of(made, [True]).after(other)


def test_a_row_called_both_is_no_real_one(make_related, monkeypatch: pytest.MonkeyPatch) -> None:
    known: list[int] = []

    def none_doubted(pair: Pair) -> Doubts:
        known.append(pair.real_rows.num_rows)
        rows = pair.synthetic_rows.num_rows
        return Doubts(np.zeros(rows, int), np.full(rows, -1.0))

    monkeypatch.setattr("pipelines.augment.gate.peers.doubts", none_doubted)
    real, made = make_related(20, 0), make_related(5, 1)
    said = Judged.of(made.take([0, 0, 1]), [True, False, True])
    doubts(real, made, 0, masks=MASKS, judged=said)
    assert known == [real.num_rows + 1]


def test_models_know_rows_called_right_as_real_ones(
    make_related, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And rows called wrong not at all."""
    asked: list[Pair] = []

    def none_doubted(pair: Pair) -> Doubts:
        asked.append(pair)
        rows = pair.synthetic_rows.num_rows
        return Doubts(np.zeros(rows, int), np.full(rows, -1.0))

    monkeypatch.setattr("pipelines.augment.gate.peers.doubts", none_doubted)
    real, made = make_related(20, 0), make_related(5, 1)
    doubts(real, made, 0, masks=MASKS, judged=Judged.of(made.slice(0, 3), [True, False, True]))
    (pair,) = asked
    names = pair.real_rows.column_names
    known = pa.concat_tables([real, made.take([0, 2])]).select(names)
    assert pair.real_rows.to_pylist() == known.to_pylist()
    assert pair.synthetic_rows.to_pylist() == made.slice(3).select(names).to_pylist()
