import numpy as np
import pyarrow as pa
import pytest
from scipy.spatial.distance import cdist

from pipelines.augment.gate.fidelity import (
    LEVELS,
    NEIGHBOURS,
    alpha_precision,
    authenticity,
    beta_recall,
    integrated,
    precision_and_recall,
)


def cloud(rows: int, seed: int, spread: float = 1.0) -> np.ndarray:
    return spread * np.random.default_rng(seed).normal(size=(rows, 3))


def test_the_integral_is_one_where_every_level_has_its_share() -> None:
    assert integrated(LEVELS) == 1
    assert integrated(np.ones(20)) == pytest.approx(0.05), "the mean of 1 - level is .475"
    assert integrated(np.zeros(20)) == pytest.approx(-0.05)


def test_precision_on_paper() -> None:
    real = cloud(200, 0)
    assert (alpha_precision(real, np.tile(real.mean(axis=0), (9, 1))) == 1).all(), "in every ball"
    assert (alpha_precision(real, real + 100) == 0).all()
    assert alpha_precision(real, real) == pytest.approx(LEVELS, abs=0.01)


def test_precision_follows_its_definition() -> None:
    real, made = cloud(80, 0), cloud(50, 1, 1.5)
    centre = real.mean(axis=0)
    expected = []
    for level in LEVELS:
        radius = np.quantile([np.linalg.norm(row - centre) for row in real], level)
        expected.append(np.mean([np.linalg.norm(row - centre) <= radius for row in made]))
    assert alpha_precision(real, made) == pytest.approx(np.array(expected))


def test_recall_follows_its_definition() -> None:
    real, made = cloud(40, 0), cloud(40, 1)
    reach = np.sort(cdist(real, real), axis=1)[:, NEIGHBOURS]
    from_mean = np.linalg.norm(made - made.mean(axis=0), axis=1)
    expected = []
    for level in LEVELS:
        ball = made[np.argsort(from_mean)[: round(level * 40)]]
        expected.append((cdist(real, ball).min(axis=1) <= reach).mean())
    assert beta_recall(real, made) == pytest.approx(np.array(expected))


def test_rows_that_cover_less_have_less_recall() -> None:
    real = cloud(100, 0)
    assert beta_recall(real, cloud(100, 1, 0.2))[-1] < beta_recall(real, cloud(100, 1))[-1] - 0.2


def names_failed(pair) -> set[str]:
    return {check.name for check in precision_and_recall(pair) if check.passed is False}


def test_at_most_one_of_twelve_fresh_tables_fails(world, pair_of) -> None:
    pairs = [pair_of(world(120, seed), world(200, seed + 50), seed) for seed in range(12)]
    assert sum(bool(names_failed(pair)) for pair in pairs) <= 1
    assert sum(not authenticity(pair).passed for pair in pairs) <= 1


def test_few_kinds_of_rows_lack_recall(world, pair_of) -> None:
    made = world(120, 1).take(pa.array(np.resize(np.arange(6), 120)))
    assert "beta_recall" in names_failed(pair_of(world(120, 0), made))


def test_rows_elsewhere_lack_precision(world, pair_of, put) -> None:
    made = world(120, 1)
    for name in ("drift", "depth", "tone"):
        made = put(made, name, slice(None), made[name].to_numpy() + 4)
    assert "alpha_precision" in names_failed(pair_of(world(120, 0), made))


def test_another_mix_of_classes_is_no_fault(world, pair_of) -> None:
    made = world(300, 1)
    rare = np.array(made["label"].to_pylist()) == "worm"
    rare[:60] = True
    assert names_failed(pair_of(world(120, 0), made.filter(pa.array(rare)))) == set()


def test_authenticity_on_paper(plain, pair_of) -> None:
    """Real rows are 1 apart on a line: 0.4 off one of them is closer than that."""
    real = plain(x=[float(value) for value in range(30)])
    pair = pair_of(real, plain(x=[0.4, 1.4, 2.4, -30.0]))
    # signed logarithms shrink distances upwards, so the last gap is the least
    assert authenticity(pair).value == pytest.approx(0.25)


def test_copies_are_not_authentic(world, pair_of) -> None:
    real = world(120, 0)
    found = authenticity(pair_of(real, real))
    assert found.value == 0 and found.passed is False


def test_few_rows_are_not_judged(world, pair_of) -> None:
    pair = pair_of(world(15, 0), world(100, 1))
    assert {check.passed for check in precision_and_recall(pair)} == {None}
    assert authenticity(pair_of(world(9, 0), world(100, 1))).passed is None
