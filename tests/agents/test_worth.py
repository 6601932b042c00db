"""What the review says of a model's price: when a cheaper one is as good, what controls show."""

import math

import pytest

from agents.stages.worth import standard_error, worth


def said(
    scores: dict[str, float], seconds: dict[str, float] | None = None, rows: int = 805
) -> list[str]:
    """The sentences on these validation scores."""
    ordered = dict(sorted(scores.items(), key=lambda item: -item[1]))
    times = dict.fromkeys(scores, 1.0) if seconds is None else seconds
    return worth(ordered, [{"validation_rows": rows, "seconds": times}])


def test_a_forest_that_is_as_good() -> None:
    scores = {"traffic_lm": 0.957, "random_forest": 0.955}
    assert said(scores, {"traffic_lm": 240, "random_forest": 2}) == [
        "random_forest is as good on validation (0.955 against 0.957, 805 rows) and trained 120 "
        "times faster: prefer it."
    ]


@pytest.mark.parametrize(
    ("forest", "seconds", "rows", "prefer"),
    [
        (0.955, 2, 805, True),
        (0.930, 2, 805, False),  # an error of 0.0074 lies between them
        (0.930, 2, 20, True),  # twenty rows do not tell them apart
        (0.955, 30, 805, False),  # not ten times faster
        (0.957, 24, 805, True),
    ],
)
def test_as_good_and_far_cheaper(forest: float, seconds: float, rows: int, prefer: bool) -> None:
    scores = {"traffic_lm": 0.957, "random_forest": forest}
    found = said(scores, {"traffic_lm": 240, "random_forest": seconds}, rows)
    assert bool(found) is prefer


def test_the_best_of_the_cheap_ones_is_named() -> None:
    scores = {"traffic_lm": 0.95, "cnn": 0.949, "random_forest": 0.947, "knn": 0.946}
    seconds = {"traffic_lm": 100, "cnn": 50, "random_forest": 1, "knn": 0.01}
    assert [line.split()[0] for line in said(scores, seconds)] == ["random_forest"]


@pytest.mark.parametrize("best", ["random_forest", "hist_gradient_boosting"])
def test_baselines_are_not_held_against_each_other(best: str) -> None:
    assert said({best: 0.9, "knn": 0.9}, {best: 100, "knn": 0.1}) == []


def test_a_cnn_is_judged_as_well() -> None:
    assert said({"cnn": 0.9, "knn": 0.9}, {"cnn": 100, "knn": 0.1})[0].startswith("knn is as good")


def test_a_training_whose_clock_is_not_whole_is_not_compared() -> None:
    """A training that was killed and went on has no seconds."""
    assert said({"traffic_lm": 0.9, "knn": 0.9}, {"knn": 0.1}) == []
    assert said({"traffic_lm": 0.9, "knn": 0.9}, {"traffic_lm": 100}) == []


def test_pre_training_that_added_nothing() -> None:
    (line,) = said({"traffic_lm": 0.9, "traffic_lm_random": 0.895})
    assert line == (
        "Pre-training added nothing here: traffic_lm_random, the same network from random weights, "
        "is as good on validation (0.895 against 0.900, 805 rows)."
    )


def test_tuning_that_added_nothing() -> None:
    (line,) = said({"traffic_lm": 0.9, "traffic_lm_frozen": 0.93})
    assert line.startswith("Tuning added nothing here: traffic_lm_frozen")
    assert "0.930 against 0.900" in line


def test_controls_that_are_worse_say_nothing() -> None:
    assert said({"traffic_lm": 0.9, "traffic_lm_frozen": 0.7, "traffic_lm_random": 0.8}) == []


def test_a_control_is_no_cheaper_model() -> None:
    scores = {"traffic_lm": 0.9, "traffic_lm_frozen": 0.9}
    found = said(scores, {"traffic_lm": 100, "traffic_lm_frozen": 1})
    assert len(found) == 1 and found[0].startswith("Tuning added")


def test_a_control_alone_is_compared_with_nothing() -> None:
    assert said({"traffic_lm_random": 0.9, "majority": 0.1}) == []


def test_results_without_clocks_or_rows_say_nothing() -> None:
    scores = {"cnn": 0.9, "knn": 0.9}
    assert worth(scores, [{}, {"validation": {"cnn": 0.9}}]) == []
    assert worth(scores, []) == []


def test_clocks_of_several_steps() -> None:
    trainings = [
        {"validation_rows": 100, "seconds": {"knn": 0.5}},
        {"validation_rows": 100, "seconds": {"traffic_lm": 50}},
    ]
    (line,) = worth({"traffic_lm": 0.9, "knn": 0.89}, trainings)
    assert "100 times faster" in line


def test_the_standard_error_is_that_of_a_share() -> None:
    assert standard_error(0.5, 10_000) == pytest.approx(math.sqrt(0.25 / 10_000), rel=1e-3)
    assert 0 < standard_error(1.0, 50) < 0.03, "a perfect score is not certain"
    assert standard_error(0.9, 100) > standard_error(0.9, 400)
