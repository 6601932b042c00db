"""Families that are not learned from: which rows, which are left, and what cannot be named."""

import pyarrow as pa
import pytest

from pipelines.datasets.absent import check_absent, in_words, is_absent, without_absent
from pipelines.datasets.fields import LABEL, field
from pipelines.errors import InputError


@pytest.fixture
def rows() -> pa.Table:
    """Four normal rows, three of a flood, two of a scan, one attack that nobody has sorted."""
    columns = {
        field("label", pa.string(), LABEL): ["n"] * 4 + ["a"] * 6,
        field("family", pa.string(), LABEL): ["n"] * 4 + ["flood"] * 3 + ["scan"] * 2 + [None],
        field("proto", pa.string(), "protocol"): ["tcp", "udp"] * 5,
        field("size", pa.float64(), "sizes"): [float(n) for n in range(10)],
    }
    return pa.table(list(columns.values()), schema=pa.schema(list(columns)))


@pytest.mark.parametrize(
    ("absent", "found"),
    [
        ({}, []),
        ({"family": ["scan"]}, [7, 8]),
        ({"family": ["scan", "flood"]}, [4, 5, 6, 7, 8]),
        ({"family": ["scan"], "proto": ["udp"]}, [1, 3, 5, 7, 8, 9]),
        ({"family": ["worm"]}, []),
    ],
)
def test_rows_of_any_of_the_values_are_absent(
    rows: pa.Table, absent: dict[str, list[str]], found: list[int]
) -> None:
    """A row without a value is of no family that could be named."""
    assert is_absent(rows, absent).nonzero()[0].tolist() == found
    assert is_absent(rows.slice(0, 0), absent).tolist() == []


def test_what_is_left_is_as_it_was(rows: pa.Table) -> None:
    left = without_absent(rows, {"family": ["scan"]}, 4)
    assert left["size"].to_pylist() == [0, 1, 2, 3, 4, 5, 6, 9]
    assert left.schema.equals(rows.schema, check_metadata=True)


def test_a_class_that_is_left_with_too_few_rows_is_named(rows: pa.Table) -> None:
    with pytest.raises(
        InputError, match=r"fewer than 3 rows to learn from of a \(1 row left\)"
    ) as e:
        without_absent(rows, {"family": ["flood", "scan"]}, 3)
    assert "Without family flood, scan" in e.value.message
    assert e.value.mend == "Take values out of sample.absent, or lower per_class."
    assert without_absent(rows, {"family": ["flood", "scan"]}, 1).num_rows == 5


def test_a_class_of_which_nothing_is_left_is_named(rows: pa.Table) -> None:
    """It would not be learned at all, and every score on it would be nought."""
    with pytest.raises(InputError, match=r"of n \(0 rows left\)"):
        without_absent(rows, {"family": ["n"]}, 1)
    with pytest.raises(InputError, match=r"of a \(1 row left\), n \(0 rows left\)"):
        without_absent(rows, {"family": ["n", "flood", "scan"]}, 2)


def test_a_class_that_was_never_there_is_not_missed(rows: pa.Table) -> None:
    """Train may lack a class that the test has."""
    assert without_absent(rows.slice(4), {"family": ["scan"]}, 4).num_rows == 4


@pytest.mark.parametrize("ask", [is_absent, check_absent])
@pytest.mark.parametrize(
    ("name", "said", "mend"),
    [
        ("famly", "no column 'famly'", "Did you mean 'family'?"),
        ("attack_category", "no column 'attack_category'", "There are: label, family, proto."),
        ("size", "'size' of sample.absent holds no texts", "These do: label, family, proto."),
    ],
)
def test_a_column_that_cannot_say_it(
    rows: pa.Table, ask: object, name: str, said: str, mend: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        ask(rows, {"family": ["scan"], name: ["scan"]})  # type: ignore[operator]
    assert (caught.value.mend, caught.value.exit_code) == (mend, 2)


@pytest.mark.parametrize(
    ("value", "mend"),
    [("scna", "Did you mean 'scan'?"), ("zzz", "There are: flood, n, scan."), ("", "There are: ")],
)
def test_a_value_that_no_row_has(rows: pa.Table, value: str, mend: str) -> None:
    check_absent(rows, {"family": ["scan", "flood"]})
    with pytest.raises(InputError, match=f"No row has '{value}' in column 'family'") as caught:
        check_absent(rows, {"family": ["scan", value]})
    assert caught.value.mend.startswith(mend)


def test_in_words() -> None:
    assert in_words({}) == ""
    assert (
        in_words({"category": ["r2l", "u2r"], "proto": ["udp"]}) == "category r2l, u2r; proto udp"
    )
