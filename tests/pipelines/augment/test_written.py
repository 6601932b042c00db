"""Rows of an author: what it is asked, what is refused, and what is kept when it stops."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.asking import Cell, RowsAsked
from pipelines.augment.names import BATCH
from pipelines.augment.trial import Made
from pipelines.augment.written import PATIENCE, SHOTS, Desk
from pipelines.errors import InputError, NetloopError
from pipelines.progress import silent

Answer = Callable[[RowsAsked], list[list[Cell]]]


class Scripted:
    """An author that answers by a function, and remembers what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[RowsAsked] = []

    def write(self, asked: RowsAsked) -> list[list[Cell]]:
        self.asked.append(asked)
        return self.answer(asked)


def fresh(asked: RowsAsked) -> list[list[Cell]]:
    """Rows within all ranges that nobody had before."""
    random = np.random.default_rng([asked.batch, asked.round, len(asked.label)])
    return [
        [
            column.values[0]
            if column.values
            else float(random.uniform(column.low or 0.0, column.high or 1.0))
            for column in asked.columns
        ]
        for _ in range(asked.count)
    ]


def wrote(
    rows: pa.Table, answer: Answer, counts: dict[str, int], **options: Any
) -> tuple[pa.Table, Desk, Scripted]:
    author = Scripted(answer)
    desk = Desk(author, rows, masks=("addresses",), seed=0, progress=silent, **options)
    return desk.write(counts), desk, author


def test_a_whole_order_in_batches(make_related) -> None:
    rows = make_related(30, seed=0)
    made, desk, author = wrote(rows, fresh, {"a": 45, "b": 5})
    assert [asked.count for asked in author.asked] == [BATCH, BATCH, 5, 5]
    assert made.schema.equals(rows.schema)
    assert sorted(made["label"].to_pylist()) == ["a"] * 45 + ["b"] * 5
    assert desk.refused == {}
    assert made["address"].null_count == 50


def test_what_an_author_is_told(make_related) -> None:
    rows = make_related(30, seed=0)
    _, _, author = wrote(rows, fresh, {"a": 30})
    first, second = author.asked
    assert [column.name for column in first.columns] == ["size", "time", "rate", "proto"]
    assert first.columns[0].whole
    assert not first.columns[1].whole
    assert first.columns[3].values == ["tcp", "udp"]
    own = [row for row in rows.to_pylist() if row["label"] == "a"]
    assert len(first.examples) == SHOTS
    assert all(example[0] in {row["size"] for row in own} for example in first.examples)
    assert first.examples != second.examples, "each request shows other real rows"


@pytest.mark.parametrize(
    ("cell", "place", "fault"),
    [
        (1e9, 0, "a number out of range"),
        (-1.0, 0, "a number out of range"),
        (float("nan"), 1, "a number out of range"),
        ("many", 1, "a word for a number"),
        (None, 1, "a word for a number"),
        (True, 1, "a word for a number"),
        ("icmp", 3, "a value that the column does not have"),
        (6.0, 3, "a value that the column does not have"),
    ],
)
def test_a_cell_that_cannot_be(make_related, cell: Cell, place: int, fault: str) -> None:
    def answer(asked: RowsAsked) -> list[list[Cell]]:
        rows = fresh(asked)
        if asked.batch == 0:
            rows[0][place] = cell
        return rows

    made, desk, _ = wrote(make_related(30, seed=0), answer, {"a": 5})
    assert desk.refused == {fault: 1}
    assert made.num_rows == 5, "others were asked for in its place"


def test_rows_of_another_width_and_copies(make_related) -> None:
    def answer(asked: RowsAsked) -> list[list[Cell]]:
        one = fresh(asked)[0]
        return [one[:-1], [*one, 1.0], asked.examples[0], one, one]

    made, desk, author = wrote(make_related(30, seed=0), answer, {"a": 3})
    assert desk.refused["too few cells"] == desk.refused["too many cells"] == 3
    assert desk.refused["a copy"] == 5, "of an example, and of its own row, until there were three"
    assert made.num_rows == len(author.asked) == 3
    assert Made(made, desk.refused, "It ended.").notes() == [
        "It ended.",
        "11 rows cannot be used: a copy 5, too few cells 3, too many cells 3.",
    ]


def test_an_author_of_nothing_is_not_asked_for_ever(make_related) -> None:
    made, _, author = wrote(make_related(30, seed=0), lambda asked: [], {"a": 40})
    assert made.num_rows == 0
    assert len(author.asked) == 2 + PATIENCE


def test_what_was_made_is_kept_when_the_budget_ends(make_related) -> None:
    class Spent(NetloopError):
        """No more requests."""

    def answer(asked: RowsAsked) -> list[list[Cell]]:
        if asked.batch == 1:
            raise Spent("The budget of 1 request is used up.")
        return fresh(asked)

    rows = make_related(30, seed=0)
    made, desk, _ = wrote(rows, answer, {"a": 60, "b": 60}, give_up=(Spent,))
    assert made["label"].to_pylist() == ["a"] * BATCH
    assert desk.ended == "The budget of 1 request is used up."
    with pytest.raises(Spent):
        wrote(rows, answer, {"a": 60})


def test_a_later_round_shows_drafts_and_real_rows(make_related) -> None:
    rows = make_related(30, seed=0)
    author = Scripted(fresh)
    desk = Desk(author, rows, masks=("addresses",), seed=0, progress=silent)
    first = desk.write({"a": 25, "b": 4})
    author.asked.clear()
    second = desk.write({"a": 25, "b": 4}, drafts=first, number=1)
    assert [(len(a.drafts), a.count, a.round) for a in author.asked] == [
        (20, 20, 1), (5, 5, 1), (4, 4, 1),
    ]  # fmt: skip
    assert all(len(asked.examples) == SHOTS for asked in author.asked)
    assert sorted(second["label"].to_pylist()) == ["a"] * 25 + ["b"] * 4
    sizes = {row["size"] for row in first.to_pylist()}
    assert {draft[0] for asked in author.asked for draft in asked.drafts} <= sizes


def test_ranges_and_texts_are_of_all_rows_at_hand(make_records) -> None:
    """What twenty rows lack is no fault; labels of the others are not looked at."""
    rows = make_records(["a", "b"] * 3, x=[1, 2, 3, 4, 5, 6], y=[0] * 6, kind=["p"] * 6)
    frame = make_records(["c"] * 4, x=[0, 5, 900, 7], y=[0, 1, 2, 3], kind=["p", "q", "q", "r"])
    given: list[list[Cell]] = [[800, 2, "q"], [4, 3, "r"], [5, 0, "s"], [9_000, 1, "p"]]
    made, desk, author = wrote(rows, lambda asked: given, {"a": 2}, frame=frame)
    [asked] = author.asked
    assert [(c.name, c.low, c.high) for c in asked.columns[:2]] == [("x", 0, 900), ("y", 0, 3)]
    assert asked.columns[2].values == ["p", "q", "r"]
    own = [[1, 0, "p"], [3, 0, "p"], [5, 0, "p"]]
    assert sorted(asked.examples) == own, "rows of the class, as they are labelled"
    rows_made = [[row[name] for name in ("x", "y", "kind")] for row in made.to_pylist()]
    assert rows_made == given[:2]
    assert made["label"].to_pylist() == ["a", "a"]
    assert desk.refused == {}

    _, alone, _ = wrote(rows, lambda asked: given, {"a": 2})
    assert alone.refused["a value that the column does not have"] > 0, "without them it is one"


def test_texts_and_unasked_columns_are_real_ones(make_records) -> None:
    many = [f"GET /{place}" for place in range(120)]
    rows = make_records(["a", "b"] * 60, x=list(range(120)), url=many, kind=["p", "q", "r"] * 40)

    def answer(asked: RowsAsked) -> list[list[Cell]]:
        assert [column.name for column in asked.columns] == ["x", "kind"], "120 texts are too many"
        return [[20.4, "q"], [40.6, "p"]]

    made, _, _ = wrote(rows, answer, {"a": 2})
    found = made.to_pylist()
    assert [(row["x"], row["kind"]) for row in found] == [(20.0, "q"), (41.0, "p")]
    assert [row["url"] for row in found] == ["GET /20", "GET /40"], (
        "of the nearest row of its class"
    )


def test_a_class_without_real_rows(make_related) -> None:
    with pytest.raises(InputError, match="no real row of class 'c'"):
        wrote(make_related(5, seed=0), fresh, {"c": 3})
