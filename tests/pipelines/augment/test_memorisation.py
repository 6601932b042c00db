"""What counts as having seen a table, by hand-made answers."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from pipelines.augment.memorisation import KNOWS, Quiz, _rounded
from pipelines.datasets.fields import field
from pipelines.errors import InputError

ROWS = 60


def table(rows: int = ROWS, **changes: Any) -> pa.Table:
    """Three columns to show; then a number and a text that nothing tells, and a constant."""
    random = np.random.default_rng(3)
    columns = {
        "label": ["a", "b"] * (rows // 2),
        "packets": random.integers(1, 9, rows),
        "src_bytes": random.normal(size=rows),
        "protocol": random.choice(["tcp", "udp"], rows),
        "gap": random.normal(size=rows),
        "flag": random.choice(["S0", "SF", "REJ", "RSTO"], rows),
        "version": [4.0] * rows,
        **changes,
    }
    kinds = {"label": "label", "protocol": "protocol"}
    fields = [
        field(name, pa.array(values).type, kinds.get(name, "column"))
        for name, values in columns.items()
    ]
    return pa.table([pa.array(values) for values in columns.values()], schema=pa.schema(fields))


def quiz(count: int = 20, **changes: Any) -> Quiz:
    return Quiz(table(**changes), [], count, seed=0)


def test_the_first_half_is_shown_and_columns_that_vary_count() -> None:
    asked = quiz()
    half = asked.halves()[0]
    assert half.columns == ["packets", "src_bytes", "protocol"]
    assert half.asked == ["gap", "flag", "version"]
    assert asked.varying == ["gap", "flag"]
    assert isinstance(half.cells[2], str)


def test_whoever_gives_the_truth_back_has_seen_the_table() -> None:
    asked = quiz()
    found = asked.judge(asked.truth())
    assert found.knows
    assert found.words == KNOWS
    assert (found.model, found.completed, found.unique) == (1.0, 20, 20)
    assert found.nearest < 0.3 > found.modes
    assert found.better == 20
    assert found.p_value == pytest.approx(0.5**20)


def test_modes_and_the_nearest_row_are_no_knowledge() -> None:
    asked, rows = quiz(), table().to_pylist()
    flags = [row["flag"] for row in rows]
    mode = max(sorted(set(flags)), key=flags.count)
    found = asked.judge([[0.0, mode, 4.0]] * 20)
    assert found.model == pytest.approx(found.modes, abs=0.03)
    assert not found.knows
    assert "Nothing shows" in found.words

    def nearest(half: Any) -> list[Any]:
        spread = {name: np.std([row[name] for row in rows]) for name in ("packets", "src_bytes")}
        packets, size, protocol = half.cells
        away = [
            ((row["packets"] - packets) / spread["packets"]) ** 2
            + ((row["src_bytes"] - size) / spread["src_bytes"]) ** 2
            + (row["protocol"] != protocol)
            for row in rows
        ]
        other = rows[int(np.argsort(away)[1])]  # the first is the row itself
        return [other[name] for name in half.asked]

    found = asked.judge([nearest(half) for half in asked.halves()])
    assert found.model == found.nearest
    assert not found.knows


def test_a_table_of_twins_is_answered_by_the_twin() -> None:
    """Whoever has the other rows is as right as whoever remembers this one."""
    rows = table()
    twice = pa.concat_tables([rows, rows])
    asked = Quiz(twice, [], 20, seed=0)
    found = asked.judge(asked.truth())
    assert (found.nearest, found.model) == (1.0, 1.0)
    assert (found.better, found.worse, found.p_value) == (0, 0, 1.0)
    assert (found.unique, found.completed, found.knows) == (0, 0, False)


@pytest.mark.parametrize(
    "answer", [None, [], [1.0], [None] * 3, ["x", "y", "z"], [float("inf")] * 3, [1.0] * 9]
)
def test_nonsense_is_wrong(answer: Any) -> None:
    asked = quiz()
    found = asked.judge([answer] * 20)
    assert found.model == 0.0
    assert (found.completed, found.better, found.knows) == (0, 0, False)
    assert found.unusable == (20 if answer is None or len(answer) != 3 else 0)


def test_one_wrong_cell_completes_no_row() -> None:
    asked = quiz()
    answers = [[*row[:-1], 6.0] for row in asked.truth()]
    found = asked.judge(answers)
    assert found.model == 1.0, "a constant column counts in no share"
    assert (found.completed, found.knows) == (0, True)


def test_a_budget_that_ended_leaves_the_first_rows() -> None:
    asked = quiz()
    found = asked.judge(asked.truth()[:6])
    assert (found.wanted, found.judged, found.knows) == (20, 6, True)
    few = asked.judge(asked.truth()[:4])
    assert (few.p_value, few.knows) == (0.5**4, False)
    assert few.words == "4 rows cannot tell whether the model knows this table."


def test_more_rows_than_there_are() -> None:
    asked = quiz(count=500)
    assert len(asked.halves()) == ROWS


def test_a_cell_is_read_as_it_may_be_written() -> None:
    asked = quiz(gap=[0.1234567 + number for number in range(ROWS)])
    truth = asked.truth()
    assert all(len(str(row[0])) <= 8 for row in truth)
    written = [[f" {row[0]} ", f" {row[1]} ", "4"] for row in truth]
    assert asked.judge(written).completed == 20


def test_texts_that_are_numbers_match_numbers() -> None:
    asked = quiz(flag=[str(number) for number in range(ROWS)])
    answers = [[row[0], float(str(row[1])), row[2]] for row in asked.truth()]
    assert asked.judge(answers).completed == 20


def test_missing_cells_are_answered_by_nothing() -> None:
    gap = [None if number % 2 else float(number) for number in range(ROWS)]
    flag = [None if number % 2 else "SF" for number in range(ROWS)]
    asked = quiz(gap=gap, flag=flag)
    assert asked.judge([["" if c is None else c for c in row] for row in asked.truth()]).model == 1
    assert any(row[:2] == [None, None] for row in asked.truth())


def test_booleans_and_infinities() -> None:
    random = np.random.default_rng(0)
    gap = np.where(random.random(ROWS) < 0.5, np.inf, 1.0)
    asked = quiz(gap=gap, flag=random.random(ROWS) < 0.5)
    assert {row[0] for row in asked.truth()} == {None, 1.0}
    assert {row[1] for row in asked.truth()} == {0.0, 1.0}
    assert asked.judge(asked.truth()).model == 1.0


def test_the_seed_chooses_the_rows() -> None:
    first, again = quiz(), quiz()
    other = Quiz(table(), [], 20, seed=1)
    assert first.halves() == again.halves() != other.halves()


def test_masks_and_what_is_no_cell_are_not_asked() -> None:
    asked = Quiz(table(lists=[[1, 2]] * ROWS), ["protocol"], 5, 0)
    assert asked.shown + asked.hidden == ["packets", "src_bytes", "gap", "flag", "version"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (table().select(["label", "packets"]), "one half could be shown"),
        (table().slice(0, 1), "one half could be shown"),
        (table().select(["label", "packets", "version"]), "are the same"),
    ],
)
def test_tables_that_cannot_be_asked_about(rows: pa.Table, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Quiz(rows, [], 20, 0)


@given(st.integers(0, 20), st.integers(0, 20))
@settings(max_examples=40)
def test_the_test_is_the_exact_one(right: int, wrong: int) -> None:
    """Rows with one varying cell that neither baseline can know."""
    rows = right + wrong
    if not rows:
        return
    size = max(2 * rows, 40)
    marks = table(size, gap=np.arange(size) * 1.0, flag=["S0"] * size)
    asked = Quiz(marks, [], rows, 0)
    answers = [row if n < right else [None] * 3 for n, row in enumerate(asked.truth())]
    found = asked.judge(answers)
    assert right - 1 <= found.better <= right, "the mode of different numbers is right at most once"
    told = found.better + found.worse
    exact = binomtest(found.better, told, alternative="greater").pvalue if told else 1.0
    assert found.p_value == pytest.approx(exact)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_rounding_is_the_same_for_what_was_written_and_read(value: float) -> None:
    once = _rounded(np.array([value, np.nan]))
    assert np.array_equal(_rounded(once), once, equal_nan=True)
    assert once[0] == pytest.approx(value, rel=1e-5)
    assert once[0] == value or not value.is_integer()
