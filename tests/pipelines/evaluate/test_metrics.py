"""Scores against counts made by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score

from pipelines.evaluate.metrics import (
    class_scores,
    confusion_counts,
    f1_scores,
    fpr_at_recall,
    macro_f1,
    mean_f1,
    places,
)

# True a: 8 right, 2 as b. True b: 3 as a, 5 right. c: never there, never guessed.
CONFUSION = np.array([[8, 2, 0], [3, 5, 0], [0, 0, 0]])
pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=50)


def test_f1_of_each_class() -> None:
    scores = f1_scores(CONFUSION)
    assert scores[:2].tolist() == pytest.approx([16 / 21, 10 / 15])
    assert np.isnan(scores[2])


def test_macro_f1_leaves_out_what_is_neither_there_nor_guessed() -> None:
    assert float(mean_f1(CONFUSION)) == pytest.approx((16 / 21 + 10 / 15) / 2)


def test_a_class_that_is_guessed_but_not_there_counts_as_zero() -> None:
    assert macro_f1(["a", "a"], ["a", "b"]) == pytest.approx((2 / 3 + 0) / 2)


def test_many_confusions_at_once() -> None:
    stack = np.stack([CONFUSION, CONFUSION.T, np.zeros((3, 3), int)])
    expected = [float(mean_f1(CONFUSION)), float(mean_f1(CONFUSION.T)), 0.0]
    assert mean_f1(stack).tolist() == pytest.approx(expected)


def test_labels_are_compared_as_they_are() -> None:
    """NumPy's texts end before trailing zeros, and take the room of the longest of them."""
    assert macro_f1(["a", "a\0"], ["a", "a"]) == pytest.approx((2 / 3 + 0) / 2)
    assert macro_f1(["a"] * 100_000 + ["b" * 1_000_000], ["a"] * 100_001) < 0.5


def test_places() -> None:
    assert places(["b", "a", "b"], ["a", "b"]).tolist() == [1, 0, 1]
    assert places([], ["a"]).shape == (0,)
    with pytest.raises(KeyError):
        places(["c"], ["a", "b"])


@given(pairs)
def test_as_scikit_learn(rows: list[tuple[int, int]]) -> None:
    truth, guesses = np.array(rows).T
    counted = confusion_counts(truth, guesses, 5)
    assert (counted == confusion_matrix(truth, guesses, labels=range(5))).all()
    expected = f1_score(truth, guesses, average="macro", zero_division=0)
    assert macro_f1(truth, guesses) == pytest.approx(expected)
    assert float(mean_f1(counted)) == pytest.approx(expected)


def test_scores_of_each_class() -> None:
    scores = class_scores(CONFUSION, ["a", "b", "c"], {"a": 0.25, "b": None})
    assert scores["a"].model_dump() == {
        "precision": pytest.approx(8 / 11),
        "recall": 0.8,
        "f1": pytest.approx(16 / 21),
        "support": 10,
        "fpr_at_recall": 0.25,
    }
    assert scores["c"].model_dump() == {
        "precision": 0,
        "recall": 0,
        "f1": 0,
        "support": 0,
        "fpr_at_recall": None,
    }


class TestFalsePositiveRate:
    SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    CLASS = np.array([1, 1, 0, 1, 0, 1, 0, 0], dtype=bool)

    @pytest.mark.parametrize(
        ("recall", "expected"), [(0.5, 0), (0.51, 0.25), (0.75, 0.25), (0.9, 0.5), (1.0, 0.5)]
    )
    def test_by_hand(self, recall: float, expected: float) -> None:
        assert fpr_at_recall(self.CLASS, self.SCORES, recall) == expected

    def test_thresholds_inside_a_straight_stretch_count(self) -> None:
        """Ten thresholds, each of which finds one more row of either kind, as ties do."""
        scores = np.repeat(np.linspace(1, 0.1, 10), 2)
        assert fpr_at_recall(np.tile([True, False], 10), scores, 0.5) == pytest.approx(0.5)

    def test_perfect_and_useless_scores(self) -> None:
        assert fpr_at_recall(self.CLASS, self.CLASS.astype(float)) == 0
        assert fpr_at_recall(self.CLASS, np.zeros(8)) == 1

    @pytest.mark.parametrize("is_class", [np.ones(3, bool), np.zeros(3, bool)])
    def test_one_side_without_rows(self, is_class: np.ndarray) -> None:
        assert fpr_at_recall(is_class, np.zeros(3)) is None
