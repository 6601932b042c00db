import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import spearmanr

from pipelines.augment.gate.correlations import correlation, correlations


def related(plain, rows: int, seed: int, share: float = 0.6, **more: list) -> pa.Table:
    """x and y have a factor in common, z is alone."""
    random = np.random.default_rng(seed)
    factor, *alone = random.normal(size=(4, rows))
    y = share * factor + (1 - share) * alone[1]
    return plain(
        x=np.exp(factor + 0.1 * alone[0]).tolist(), y=y.tolist(), z=alone[2].tolist(), **more
    )


def test_correlations_are_those_of_numpy() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(50, 3)) @ random.normal(size=(3, 3))
    assert correlation(values) == pytest.approx(np.corrcoef(values.T))


def test_what_does_not_vary_is_related_to_nothing() -> None:
    values = np.column_stack([np.ones(9), np.arange(9.0), np.arange(9.0) ** 3])
    assert correlation(values)[0].tolist() == [0, 0, 0]


def test_the_value_is_the_difference_of_rank_correlations(plain, pair_of) -> None:
    real, made = related(plain, 100, 0), related(plain, 80, 1)
    mixed = np.random.default_rng(0).permutation(80)
    made = made.set_column(2, made.schema.field("y"), made["y"].take(pa.array(mixed)))
    found = correlations(pair_of(real, made))
    expected = [spearmanr(rows["x"], rows["y"]).statistic for rows in (real, made)]
    assert found.value == pytest.approx(abs(np.diff(np.arctanh(expected)))[0], rel=1e-5)
    assert found.passed is False and "between x and y of a" in found.words
    assert f"({expected[1]:.2f} instead of {expected[0]:.2f})" in found.words


def test_at_most_one_of_twenty_fresh_tables_fails(world, pair_of) -> None:
    pairs = [pair_of(world(120, seed), world(200, seed + 50), seed) for seed in range(20)]
    assert sum(not correlations(pair).passed for pair in pairs) <= 1


def test_shuffled_columns_fail_with_a_name(world, pair_of) -> None:
    made = world(400, 1)
    random = np.random.default_rng(0)
    labels = np.array(made["label"].to_pylist())
    columns = {"label": made["label"]}
    for name in made.column_names[1:]:
        places = np.arange(400)
        for label in set(labels):
            own = np.flatnonzero(labels == label)
            places[own] = random.permutation(own)
        columns[name] = made[name].take(pa.array(places))
    found = correlations(pair_of(world(120, 0), pa.table(columns, schema=made.schema)))
    assert found.passed is False
    assert found.words.startswith("correlations are gone, as in shuffled columns, most of all")


def test_one_pair_that_turned_is_found_among_many(world, pair_of, put) -> None:
    made = world(300, 1)
    turned = -made["depth"].to_numpy() + 2 * made["depth"].to_numpy().mean()
    found = correlations(pair_of(world(300, 0), put(made, "depth", slice(None), turned)))
    assert found.passed is False and "depth" in found.words
    assert found.words.startswith("correlations are off")


def test_a_smaller_difference_than_a_twentieth_is_none(plain, pair_of) -> None:
    """Of 2,000 rows luck alone makes much less, and artanh makes much of it."""
    random = np.random.default_rng(0)

    def rows(noise: float) -> pa.Table:
        x, more = random.normal(size=(2, 2000))
        return plain(x=x.tolist(), y=(x + noise * more).tolist())

    found = correlations(pair_of(rows(0.6), rows(0.67)))
    assert found.value == 0 and found.passed
    assert not correlations(pair_of(rows(0.6), rows(1.0))).passed


def test_nearly_one_and_one_are_the_same(plain, pair_of) -> None:
    x, more = np.random.default_rng(0).normal(size=(2, 300))
    real = plain(x=x.tolist(), y=x.tolist())
    assert correlations(pair_of(real, plain(x=x.tolist(), y=(x + 0.4 * more).tolist()))).passed
    assert not correlations(pair_of(real, plain(x=x.tolist(), y=(x + 2 * more).tolist()))).passed


def test_a_rare_value_makes_no_correlation(plain, pair_of) -> None:
    real = related(plain, 100, 0, w=[0.0] * 97 + [1.0] * 3)
    made = related(plain, 100, 1, w=[1.0] * 3 + [0.0] * 97)
    assert correlations(pair_of(real, made)).passed


def test_categories_of_one_column_are_no_pair(plain, pair_of) -> None:
    real, made = plain(c=["u", "v"] * 40), plain(c=["u", "w"] * 40)
    assert correlations(pair_of(real, made)).passed is None


def test_few_rows_or_a_single_column_are_not_judged(plain, pair_of) -> None:
    few = related(plain, 19, 0)
    assert correlations(pair_of(few, related(plain, 90, 1))).passed is None
    one = plain(x=np.arange(30.0).tolist())
    assert correlations(pair_of(one, one)).passed is None


def test_of_many_features_those_with_the_fewest_equal_values_are_compared(
    plain, pair_of, monkeypatch
) -> None:
    """Flags that belong together in the real rows alone: fine numbers take their places."""
    flags = np.random.default_rng(0).integers(0, 2, (2, 200)).tolist()
    pair = pair_of(
        related(plain, 200, 0, v=flags[0], w=flags[0]),
        related(plain, 200, 1, v=flags[0], w=flags[1]),
    )
    assert "between v and w" in correlations(pair).words
    monkeypatch.setattr("pipelines.augment.gate.correlations.MOST_FEATURES", 3)
    assert correlations(pair).passed
