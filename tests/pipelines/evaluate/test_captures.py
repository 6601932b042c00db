"""Verdicts on captures: exact means, exact shares, what does not fit."""

import numpy as np
import pytest

from pipelines.errors import InputError
from pipelines.evaluate.captures import (
    CaptureScore,
    capture_probabilities,
    captures_words,
    score_captures,
)


def test_a_capture_has_the_mean_of_its_rows() -> None:
    probabilities = np.array([[1.0, 0.0], [0.2, 0.8], [0.4, 0.6]])
    names, means = capture_probabilities(probabilities, ["b", "a", "b"])
    assert names == ["a", "b"]
    assert means == pytest.approx(np.array([[0.2, 0.8], [0.7, 0.3]]))


def test_one_row_that_is_wrongly_sure_does_not_decide() -> None:
    probabilities = np.array([[0.0, 1.0], *[[0.9, 0.1]] * 4])
    _, means = capture_probabilities(probabilities, ["a"] * 5)
    assert means.argmax() == 0


def test_the_share_and_its_interval() -> None:
    truth = {f"c{number}": "x" for number in range(40)}
    verdicts = {name: "x" if number % 4 else "y" for number, name in enumerate(truth)}
    score = score_captures(truth, verdicts, seed=0)
    assert (score.captures, score.right) == (40, 0.75)
    assert 0.55 <= score.ci[0] < 0.75 < score.ci[1] <= 0.92
    assert score == score_captures(truth, verdicts, seed=0)


def test_one_capture_says_nothing_of_others() -> None:
    assert score_captures({"a": "x"}, {"a": "x"}, seed=0).ci == (0.0, 1.0)


def test_all_right_is_all_right() -> None:
    score = score_captures({"a": "x", "b": "y"}, {"a": "x", "b": "y"}, seed=0)
    assert (score.right, score.ci) == (1.0, (1.0, 1.0))


@pytest.mark.parametrize("verdicts", [{}, {"b": "x"}, {"a": "x", "b": "x"}])
def test_verdicts_on_other_captures_are_refused(verdicts: dict[str, str]) -> None:
    with pytest.raises(InputError):
        score_captures({"a": "x"}, verdicts, seed=0)
    with pytest.raises(InputError):
        score_captures({}, {}, seed=0)


def test_the_words_count_captures_and_give_the_interval() -> None:
    one = CaptureScore(captures=4, right=0.75, ci=(0.25, 1.0), verdicts={})
    assert captures_words({"forest": one, "cnn": one.model_copy(update={"right": 1.0})}) == (
        "Whole captures judged right, by the mean over their rows: "
        "forest 3 of 4 (0.750, 95 % interval 0.250 to 1.000), "
        "cnn 4 of 4 (1.000, 95 % interval 0.250 to 1.000)."
    )
