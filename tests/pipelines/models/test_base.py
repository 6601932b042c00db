"""What all models share: class numbers, folds, batches."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.models.base import class_numbers, in_batches, labels_of, stratified_folds

ROWS = pa.table({"x": [1, 2, 3]})


def test_classes_are_sorted_and_numbered() -> None:
    classes, numbers = class_numbers(["web", "dns", "web"], ROWS)
    assert classes == ["dns", "web"]
    assert numbers.tolist() == [1, 0, 1]


def test_classes_sort_by_code_point_and_differ_by_their_last_character() -> None:
    classes, numbers = class_numbers(["é", "a\0", "a"], ROWS)
    assert classes == sorted(["é", "a\0", "a"]) == ["a", "a\0", "é"]
    assert numbers.tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("labels", "rows", "message"),
    [
        (["web", "dns"], ROWS, "3 rows but 2 labels"),
        (["web"] * 3, ROWS, "only the class 'web'"),
        ([], ROWS.slice(0, 0), "no rows at all"),
    ],
)
def test_what_cannot_be_learnt_is_refused(labels: list[str], rows: pa.Table, message: str) -> None:
    with pytest.raises(InputError, match=message):
        class_numbers(labels, rows)


def test_labels_come_from_the_label_column() -> None:
    assert labels_of(pa.table({"label": ["a", "b"]})) == ["a", "b"]


@pytest.mark.parametrize("rows", [ROWS, pa.table({"label": ["a", None]})])
def test_rows_without_labels_are_refused(rows: pa.Table) -> None:
    with pytest.raises(InputError, match="without a label"):
        labels_of(rows)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=60).map(np.array),
    st.integers(1, 7),
    st.integers(0, 3),
)
def test_folds_are_even_in_all_and_in_each_class(
    numbers: np.ndarray, folds: int, seed: int
) -> None:
    fold = stratified_folds(numbers, folds, seed)
    assert (fold == stratified_folds(numbers, folds, seed)).all()
    for members in [fold, *(fold[numbers == number] for number in set(numbers))]:
        sizes = np.bincount(members, minlength=folds)
        assert sizes.max() - sizes.min() <= 1


def test_folds_change_with_the_seed() -> None:
    numbers = np.zeros(50, dtype=int)
    assert (stratified_folds(numbers, 5, 0) != stratified_folds(numbers, 5, 1)).any()


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_batches_of_any_size_give_the_same(size: int) -> None:
    def double(rows: pa.Table) -> np.ndarray:
        assert rows.num_rows <= size
        return 2.0 * np.array(rows["x"])[:, None]

    assert in_batches(ROWS, size, 1, double).tolist() == [[2], [4], [6]]
    assert in_batches(ROWS.slice(0, 0), size, 1, double).shape == (0, 1)
