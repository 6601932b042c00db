"""Records of NSL-KDD: mostly zeros, shares and flags, unlike the made-up world."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.gate.gate import GateReport, judge
from pipelines.augment.generators import generate
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.sources import load_source


@pytest.fixture(scope="module")
def parts(data: Path) -> list[pa.Table]:
    """Three times 200 records of the four most frequent classes."""
    rows = load_source(data / "nsl_kdd", "attack").rows
    frequent = ["neptune", "normal", "satan", "ipsweep"]
    rows = rows.filter(pa.array(np.isin(rows["label"].to_pylist(), frequent)))
    places = np.random.default_rng(1).permutation(rows.num_rows)
    return [rows.take(pa.array(places[start : start + 200])) for start in (0, 200, 400)]


def judged(parts: list[pa.Table], made: pa.Table) -> GateReport:
    return judge(parts[0], made, masks=DEFAULT_MASKS, seed=0, holdout=parts[2])


def failed(report: GateReport) -> set[str]:
    return {check.name for check in report.checks if check.passed is False}


def test_other_real_records_pass_but_for_luck(parts) -> None:
    report = judged(parts, parts[1])
    assert len(failed(report)) <= 1
    assert np.mean(report.kept) > 0.85


@pytest.mark.parametrize(
    ("generator", "sees"),
    [
        ("duplicates", {"copies", "authenticity", "membership"}),
        ("smote", {"authenticity", "membership"}),
        ("jitter", {"validity", "marginals", "two_sample"}),
        ("marginals", {"validity", "correlations", "two_sample"}),
    ],
)
def test_what_a_generator_does_wrong_is_seen(parts, generator, sees) -> None:
    labels = parts[0]["label"].to_pylist()
    counts = {name: labels.count(name) for name in set(labels)}
    made = generate(generator, parts[0], counts, masks=DEFAULT_MASKS, seed=0)
    assert sees <= failed(judged(parts, made))
