import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipelines.cleaning.kinds import Pool
from pipelines.cleaning.recent import DAY_NS, OLD_ROWS, OldRows, days_spanned, old_rows

START = 1_700_000_000_000_000_000


def at(*days: float) -> list[int]:
    return [START + round(day * DAY_NS) for day in days]


def test_rows_are_old_by_the_newest_one_and_not_by_today(make_flows) -> None:
    rows = make_flows(["a"] * 4, first_seen_ns=at(0, 3, 8, 10))
    assert old_rows(rows, 7).tolist() == [True, False, False, False]
    assert old_rows(rows, 1.5).tolist() == [True, True, True, False]
    assert old_rows(rows, 10).tolist() == [False] * 4, "as old as allowed is not too old"


def test_no_rows_at_all() -> None:
    rows = pa.table({"first_seen_ns": pa.array([], pa.int64())})
    assert old_rows(rows).tolist() == []


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf"), 1e9])
def test_days_that_cannot_be(days: float) -> None:
    with pytest.raises(ValidationError):
        OldRows(days=days)


def test_it_is_nobodys_proposal(make_flows) -> None:
    rows = make_flows(["a"] * 2, first_seen_ns=at(0, 100))
    assert not OLD_ROWS.proposed(Pool(rows))
    assert not OLD_ROWS.fits(pa.table({"size": [1]})), "a table without time has no old rows"
    assert np.count_nonzero(old_rows(rows)) == 1


def test_the_days_that_rows_span(make_flows) -> None:
    assert days_spanned(make_flows(["a"] * 3, first_seen_ns=at(1, 4, 2.5))) == pytest.approx(3)
    assert days_spanned(make_flows(["a"], first_seen_ns=at(5))) == 0
    assert days_spanned(pa.table({"size": [1]})) is None
    assert days_spanned(make_flows([], first_seen_ns=[])) is None
