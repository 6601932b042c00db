import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import ks_2samp

from pipelines.augment.gate.marginals import kolmogorov_smirnov, marginals, total_variation


def sides(one: int, other: int) -> np.ndarray:
    return np.repeat([1 / one, -1 / other], [one, other])[None, :]


@pytest.mark.parametrize("rounded", [False, True])
def test_the_distance_of_numbers_is_that_of_scipy(rounded) -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(size=40), random.normal(0.5, size=70)
    if rounded:
        one, other = one.round(), other.round()
    found = kolmogorov_smirnov(sides(40, 70), np.concatenate([one, other]))
    assert found[0] == pytest.approx(ks_2samp(one, other).statistic)


def test_a_constant_column_has_no_distance() -> None:
    assert kolmogorov_smirnov(sides(2, 3), np.ones(5)).tolist() == [0]


def test_total_variation_on_paper_counts_what_is_missing() -> None:
    """Shares 2/4 1/4 and 1/4 missing against 1/2 0 and 1/2 missing: half of 0 + 1/4 + 1/4."""
    hot = np.array([[1, 0], [1, 0], [0, 1], [0, 0], [1, 0], [0, 0]], float)
    assert total_variation(sides(4, 2), hot)[0] == pytest.approx(0.25)


def test_at_most_one_of_twenty_fresh_tables_fails(world, pair_of) -> None:
    pairs = [pair_of(world(90, seed), world(200, seed + 50), seed) for seed in range(20)]
    assert sum(not marginals(pair).passed for pair in pairs) <= 1


def test_the_value_is_the_distance_of_the_column_that_is_named(world, pair_of, put) -> None:
    real, made = world(150, 0), world(150, 1)
    made = put(made, "tone", slice(None), made["tone"].to_numpy() + 3)
    found = marginals(pair_of(real, made))
    assert found.passed is False
    label = found.words.removeprefix("single columns are off, most of all tone of ")
    values = [
        rows.filter(pa.array(np.array(rows["label"].to_pylist()) == label))["tone"].to_numpy()
        for rows in (real, made)
    ]
    assert found.value == pytest.approx(ks_2samp(*values).statistic, abs=0.02)
    assert found.bar < found.value


def test_a_column_of_text_is_named(world, pair_of, put) -> None:
    made = put(world(150, 1), "state", slice(0, 120), "low")
    found = marginals(pair_of(world(150, 0), made))
    assert found.passed is False and "most of all state of" in found.words


def test_another_mix_of_classes_is_no_fault(world, pair_of) -> None:
    made = world(300, 2)
    rare = made.filter(pa.array(np.array(made["label"].to_pylist()) == "worm"))
    assert marginals(pair_of(world(150, 0), rare)).passed


def test_a_value_that_real_rows_never_had_may_be_rare(plain, pair_of) -> None:
    real = plain(x=[0.0] * 100)
    assert marginals(pair_of(real, plain(x=[1.0] * 5 + [0.0] * 95))).passed
    assert not marginals(pair_of(real, plain(x=[1.0] * 8 + [0.0] * 92))).passed


def test_shuffled_columns_pass(world, pair_of) -> None:
    made = world(300, 1)
    one = made.filter(pa.array(np.array(made["label"].to_pylist()) == "scan"))
    random = np.random.default_rng(0)
    columns = [one[name].take(pa.array(random.permutation(100))) for name in one.column_names]
    mixed = pa.Table.from_arrays(columns, schema=one.schema)
    assert marginals(pair_of(world(150, 0), mixed)).passed


def test_too_few_rows_are_not_judged(world, pair_of) -> None:
    assert marginals(pair_of(world(27, 0), world(300, 1))).passed is None


def test_places_of_lists_are_columns(made_flows, pair_of) -> None:
    assert marginals(pair_of(made_flows(60), made_flows(60, 1))).passed
    short = made_flows(60, 1, packet_length=[[70, 70, 70]] * 60)
    found = marginals(pair_of(made_flows(60), short))
    assert found.passed is False and "packet_length[" in found.words
