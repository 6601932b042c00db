import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.augment.gate.two_sample import WORTH, two_sample


@pytest.mark.parametrize("seed", range(4))
def test_fresh_rows_cannot_be_told(world, pair_of, seed) -> None:
    found = two_sample(pair_of(world(90, seed), world(150, seed + 50), seed))
    assert found.passed and found.bar >= WORTH


def test_at_most_one_of_twenty_fresh_tables_is_told_by_luck(world, pair_of, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.augment.gate.two_sample.WORTH", 0.5)
    pairs = [pair_of(world(60, seed), world(90, seed + 50), seed) for seed in range(20)]
    assert sum(not two_sample(pair).passed for pair in pairs) <= 1


def test_the_column_that_gives_them_away_is_named(world, pair_of, put) -> None:
    made = world(120, 1)
    found = two_sample(pair_of(world(120, 0), put(made, "tone", slice(None), 107.5)))
    assert found.passed is False and found.value > 0.95
    assert found.words.endswith("most of all by tone")


def test_a_category_gives_them_away_too(world, pair_of, put) -> None:
    found = two_sample(pair_of(world(120, 0), put(world(120, 1), "kind", slice(None), "gre")))
    assert found.passed is False and found.words.endswith("most of all by kind")


def test_the_value_is_near_that_of_a_threshold_on_the_only_column(plain, pair_of) -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(size=300), random.normal(2, size=300)
    found = two_sample(pair_of(plain(x=one.tolist()), plain(x=other.tolist())))
    best = roc_auc_score(np.repeat([0, 1], 300), np.concatenate([one, other]))
    assert found.value == pytest.approx(best, abs=0.06)


def test_relations_alone_give_them_away(plain, pair_of) -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 200))
    found = two_sample(
        pair_of(plain(x=x.tolist(), y=x.tolist()), plain(x=x.tolist(), y=y.tolist()))
    )
    assert found.passed is False


def test_the_mix_of_classes_does_not(world, pair_of) -> None:
    made = world(300, 1)
    rare = np.array(made["label"].to_pylist()) == "worm"
    rare[:60] = True
    assert two_sample(pair_of(world(150, 0), made.filter(pa.array(rare)))).passed


def test_the_seed_decides(world, pair_of) -> None:
    tables = world(60, 0), world(60, 1)
    assert two_sample(pair_of(*tables, 3)) == two_sample(pair_of(*tables, 3))
    assert two_sample(pair_of(*tables, 3)).value != two_sample(pair_of(*tables, 4)).value


def test_few_shared_rows_are_not_judged(world, pair_of, plain) -> None:
    assert two_sample(pair_of(world(18, 0), world(90, 1))).passed is None
    one, other = (plain(labels=[name] * 30, x=[1.5] * 30) for name in "ab")
    assert two_sample(pair_of(one, other)).passed is None
