"""What each plain generator does to the rows of a class, by its definition."""

import numpy as np
import pytest

from pipelines.augment.cells import Members
from pipelines.augment.generators import GENERATORS, generate
from pipelines.augment.simple import JITTER, duplicates, jitter, marginals, mixup, smote
from pipelines.errors import InputError

VALUES = np.array([[0.0, 0.0], [1.0, 10.0], [2.0, 20.0], [10.0, 100.0]])
MEMBERS = Members(VALUES, np.array([1.0, 10.0]), parts=3)
ONE = Members(VALUES[:1], np.array([1.0, 10.0]), parts=1)


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_duplicates_are_rows_of_the_class_as_they_are() -> None:
    drawn = duplicates(MEMBERS, 50, random())
    assert {*map(tuple, drawn.values)} == {*map(tuple, VALUES)}
    assert np.array_equal(VALUES[drawn.donors[:, 0]], drawn.values)
    assert (drawn.donors == drawn.donors[:, :1]).all()


def test_jitter_is_a_tenth_of_the_spread() -> None:
    drawn = jitter(MEMBERS, 4000, random())
    away = (drawn.values - VALUES[drawn.donors[:, 0]]) / MEMBERS.spread
    assert away.std(axis=0) == pytest.approx([JITTER, JITTER], rel=0.05)
    assert away.mean(axis=0) == pytest.approx([0, 0], abs=0.01)


def test_smote_lies_between_near_rows() -> None:
    """Six rows on a line: the five nearest of each are all others but the farthest."""
    line = Members(np.arange(7.0)[:, None], np.ones(1), parts=1)
    drawn = smote(line, 3000, random())
    assert drawn.values.min() >= 0
    assert drawn.values.max() <= 6
    ends = Members(np.array([[0.0], [0.1], [0.2], [0.3], [0.4], [0.5], [100.0]]), np.ones(1), 1)
    made = smote(ends, 3000, random()).values[:, 0]
    from_far = made[made > 0.5]
    assert len(from_far), "the lonely row has neighbours too"
    assert np.mean(made <= 0.5) > 0.8, "but is nobody's neighbour"


def test_between_two_rows_all_amounts_go_the_same_way() -> None:
    for generator in (smote, mixup):
        drawn = generator(MEMBERS, 200, random())
        assert np.allclose(drawn.values[:, 1], 10 * drawn.values[:, 0])


def test_mixup_prefers_the_ends() -> None:
    pair = Members(np.array([[0.0], [1.0]]), np.ones(1), parts=1)
    drawn = mixup(pair, 4000, random())
    inner = np.mean((drawn.values > 0.25) & (drawn.values < 0.75))
    assert 0.05 < inner < 0.25, "Beta(0.4, 0.4) on half of the pairs"


def test_a_part_is_the_nearer_rows_more_often() -> None:
    pair = Members(np.array([[0.0], [1.0]]), np.ones(1), parts=1)
    drawn = mixup(pair, 4000, random())
    near_one = drawn.values[:, 0] > 0.9
    assert drawn.donors[near_one, 0].mean() > 0.9
    assert drawn.donors[drawn.values[:, 0] < 0.1, 0].mean() < 0.1


def test_marginals_keep_values_and_lose_relations() -> None:
    drawn = marginals(MEMBERS, 4000, random())
    assert {*drawn.values[:, 0]} == {*VALUES[:, 0]}
    assert abs(np.corrcoef(drawn.values.T)[0, 1]) < 0.05
    assert np.corrcoef(VALUES.T)[0, 1] == pytest.approx(1)
    assert np.abs(np.corrcoef(drawn.donors.T) - np.eye(3)).max() < 0.06


def test_what_one_row_lacks_is_the_others() -> None:
    holed = Members(np.array([[1.0, np.nan], [1.0, 5.0]]), np.ones(2), parts=0)
    made = smote(holed, 20, random()).values
    assert np.array_equal(made, np.tile([1.0, 5.0], (20, 1)))
    empty = Members(np.full((2, 1), np.nan), np.ones(1), parts=0)
    assert np.isnan(mixup(empty, 3, random()).values).all()


@pytest.mark.parametrize("name", GENERATORS)
def test_one_row_is_enough(name: str) -> None:
    drawn = GENERATORS[name](ONE, 5, random())
    assert drawn.values.shape == (5, 2)
    assert (drawn.donors == 0).all()


@pytest.mark.parametrize("name", GENERATORS)
def test_seeds_and_counts(name: str, make_related) -> None:
    rows = make_related(10, seed=3)
    made = generate(name, rows, {"a": 7, "b": 4}, masks=("addresses",), seed=1)
    again = generate(name, rows, {"a": 7, "b": 4}, masks=("addresses",), seed=1)
    other = generate(name, rows, {"a": 7, "b": 4}, masks=("addresses",), seed=2)
    assert made.equals(again)
    assert not made.equals(other)
    assert sorted(made["label"].to_pylist()) == ["a"] * 7 + ["b"] * 4


def test_an_unknown_generator(make_related) -> None:
    with pytest.raises(InputError, match="no generator 'gan'") as caught:
        generate("gan", make_related(2, seed=0), {"a": 1}, masks=(), seed=0)
    assert "copula" in caught.value.mend
