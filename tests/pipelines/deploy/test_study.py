"""Scores, the layouts that no other beats, and what is written down."""

import numpy as np
import pytest

from pipelines.deploy.study import (
    DeploymentStudy,
    Latency,
    latency_of,
    pareto,
    score_verdicts,
)


@pytest.mark.parametrize(
    ("results", "best"),
    [
        pytest.param(
            [("centralised", 0.9, 100, 40), ("distributed", 0.8, 10, 2), ("hybrid", 0.85, 50, 5)],
            ["centralised", "distributed", "hybrid"],
            id="each has its price",
        ),
        pytest.param(
            [("centralised", 0.9, 100, 40), ("distributed", 0.8, 10, 2), ("hybrid", 0.7, 50, 5)],
            ["centralised", "distributed"],
            id="one is beaten",
        ),
        pytest.param(
            [("centralised", 0.9, 100, 40), ("hybrid", 0.9, 100, 40)],
            ["centralised", "hybrid"],
            id="equals do not beat each other",
        ),
        pytest.param(
            [("centralised", 0.9, 100, 40), ("distributed", 0.9, 99, 40)],
            ["distributed"],
            id="as good, and better in one",
        ),
        pytest.param(
            [("centralised", 0.5, 10, 40), ("distributed", 0.5, 10, None)],
            ["centralised"],
            id="no verdict is later than any",
        ),
    ],
)
def test_layouts_that_no_other_beats(study, result, results, best: list[str]) -> None:
    assert pareto(study(*(result(*values) for values in results))) == best


def test_bytes_of_all_directions_count(result) -> None:
    moved = result("hybrid", 0.5, 100, 1).model_copy(update={"bytes_judge": 20, "bytes_hub": 3})
    assert moved.bytes_moved == 123


def test_a_score_on_paper() -> None:
    truth, verdicts = list("aabb"), list("abbb")
    score = score_verdicts(truth, verdicts, np.arange(4), 0)
    assert score.accuracy == 0.75
    assert score.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert score.ci[0] <= score.macro_f1 <= score.ci[1]


def test_a_verdict_that_is_no_class_of_the_rows_counts_against() -> None:
    assert score_verdicts(list("aa"), list("az"), np.arange(2), 0).accuracy == 0.5


def test_one_flow_says_nothing_of_others() -> None:
    assert score_verdicts(list("aa"), list("aa"), np.zeros(2), 0).ci == (0.0, 1.0)


def test_latency_is_median_and_95th_percentile() -> None:
    assert latency_of(list(range(101))) == Latency(median_ms=50, p95_ms=95)
    assert latency_of([]) is None


def test_the_study_survives_json(study, result) -> None:
    one = study(result("hybrid", 0.5, 100, None))
    assert DeploymentStudy.model_validate_json(one.model_dump_json()) == one
