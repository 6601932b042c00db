"""The one-field look-up, against counts made by hand."""

import numpy as np
import pytest

from pipelines.models.baselines.lookup import FieldLookup


def fit(features: list, numbers: list[int], fields: list[list[int]]) -> FieldLookup:
    return FieldLookup(fields).fit(np.array(features, np.float32), np.array(numbers))


def test_it_chooses_the_field_that_tells() -> None:
    noise = np.random.default_rng(0).normal(size=40)
    features = np.column_stack([noise, np.tile([5, 9], 20), noise]).tolist()
    model = fit(features, [0, 1] * 20, [[0, 1], [1, 2], [2, 3]])
    assert model.field_ == [1, 2]
    assert model.predict_proba(np.array([[0, 5, 0], [0, 9, 0]])).argmax(axis=1).tolist() == [0, 1]


def test_a_field_that_only_remembers_is_not_chosen() -> None:
    serial = np.arange(60)
    numbers = np.random.default_rng(1).integers(0, 2, 60)
    weak = np.where(np.random.default_rng(2).random(60) < 0.8, numbers, 1 - numbers)
    model = fit(np.column_stack([serial, weak]).tolist(), numbers.tolist(), [[0, 1], [1, 2]])
    assert model.field_ == [1, 2]


def test_a_text_that_only_remembers_is_not_chosen() -> None:
    """Texts share no bins: only rows that were not counted show that a serial tells nothing."""
    numbers = np.random.default_rng(1).integers(0, 2, 60)
    weak = np.where(np.random.default_rng(2).random(60) < 0.8, numbers, 1 - numbers)
    features = np.column_stack([np.eye(60), weak]).tolist()
    assert fit(features, numbers.tolist(), [[0, 60], [60, 61]]).field_ == [60, 61]


def test_exact_frequencies() -> None:
    # Value 1: three rows of class 0, one of class 1; value 2: two of class 1. Classes 3 : 3.
    model = fit([[1], [1], [1], [1], [2], [2]], [0, 0, 0, 1, 1, 1], [[0, 1]])
    given = model.predict_proba(np.array([[1], [2]]))
    assert given.tolist() == [
        pytest.approx([3.5 / 5, 1.5 / 5]),
        pytest.approx([0.5 / 3, 2.5 / 3]),
    ]


def test_a_new_number_is_looked_up_as_its_nearest_neighbour() -> None:
    model = fit([[10], [20]] * 5, [0, 1] * 5, [[0, 1]])
    guesses = model.predict_proba(np.array([[-1e9], [14], [16], [1e9]])).argmax(axis=1)
    assert guesses.tolist() == [0, 0, 1, 1]


def test_categories_are_one_field_and_none_set_is_a_value() -> None:
    features = [[1, 0], [0, 1], [0, 0]] * 6
    model = fit(features, [0, 1, 2] * 6, [[0, 2]])
    assert model.predict_proba(np.array(features[:3])).argmax(axis=1).tolist() == [0, 1, 2]


def test_few_rows_have_few_bins_for_numbers_and_all_for_texts() -> None:
    numbers = [0, 1] * 10
    by_number = fit([[i] for i in range(20)], numbers, [[0, 1]])
    assert len(by_number.table_) == 4
    by_text = fit(np.eye(20)[:, :10].tolist(), numbers, [[0, 10]])
    assert len(by_text.table_) == 11


def test_bins_are_bounded() -> None:
    values = np.random.default_rng(0).normal(size=(5000, 1))
    model = fit(values.tolist(), (values[:, 0] > 0).astype(int).tolist(), [[0, 1]])
    assert len(model.table_) <= 256


@pytest.mark.parametrize("numbers", [[0, 1], [0, 1, 2, 3, 4, 5, 6], [0] * 19 + [1]])
def test_rare_classes_are_safe(numbers: list[int]) -> None:
    model = fit([[n] for n in numbers], numbers, [[0, 1]])
    assert model.predict_proba(np.array([[0.0]])).sum() == pytest.approx(1)
