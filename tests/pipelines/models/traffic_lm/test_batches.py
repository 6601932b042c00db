"""Examples, their padding, and how they are cut into batches."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.models.traffic_lm.batches import Example, micro_batches, padded, plan_epoch

LENGTHS = st.lists(st.integers(1, 300), max_size=200)


@pytest.mark.parametrize(("tokens", "answer"), [([1, 2, 3], 0), ([1, 2, 3], 3), ([1], 1), ([], 1)])
def test_an_answer_has_a_token_and_one_before_it(tokens: list[int], answer: int) -> None:
    with pytest.raises(ValueError, match=f"{answer} of {len(tokens)} tokens"):
        Example(tokens, answer)


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_a_weight_is_above_nothing(weight: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Example([1, 2], 1, weight)


def test_padding_knows_where_each_answer_is_predicted() -> None:
    batch = padded([Example([5, 6, 7, 8, 9], 2), Example([1, 2, 3], 1, 0.5), Example([3, 4], 1, 2)])
    assert batch.tokens.tolist() == [[5, 6, 7, 8], [1, 2, 3, 0], [3, 4, 0, 0]]
    # Row 0 learns 8 and 9 from positions 2 and 3, row 1 learns 3 from 1, row 2 learns 4 from 0.
    assert batch.positions.tolist() == [0, 1, 2, 3]
    assert batch.places.tolist() == [0 * 4 + 2, 0 * 4 + 3, 1 * 4 + 1, 2 * 4 + 0]
    assert batch.targets.tolist() == [8, 9, 3, 4]
    assert batch.weights.tolist() == [1, 1, 0.5, 2]


def test_only_positions_that_are_needed_are_kept() -> None:
    batch = padded([Example(range(10, 20), 1), Example(range(10, 18), 1)])
    assert batch.positions.tolist() == [6, 8]
    assert batch.places.tolist() == [1, 2]
    assert batch.targets.tolist() == [19, 17]


def test_everything_but_the_first_token_is_an_answer_in_pre_training() -> None:
    batch = padded([Example([4, 5, 6], 2), Example([7, 8], 1)])
    assert batch.positions.tolist() == [0, 1]
    assert batch.targets.tolist() == [5, 6, 8]


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda row: np.array(row, np.uint16)])
def test_tokens_may_be_lists_and_arrays(kind: type) -> None:
    batch = padded([Example(kind([1, 2, 60000]), 1)])
    assert batch.tokens.dtype == batch.targets.dtype == torch.int64
    assert batch.targets.tolist() == [60000]


@given(LENGTHS, st.integers(1, 9), st.integers(0, 3), st.integers(1, 3))
def test_an_epoch_has_every_row_once(lengths: list[int], rows: int, seed: int, epoch: int) -> None:
    batches = plan_epoch(lengths, rows, seed, epoch)
    assert sorted(np.concatenate([[], *batches]).tolist()) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // rows)
    assert sorted(map(len, batches), reverse=True)[:-1] == [rows] * (len(batches) - 1)


def test_the_plan_is_a_function_of_its_arguments() -> None:
    lengths = np.random.default_rng(0).integers(10, 200, 500)

    def plan(seed: int, epoch: int) -> list[list[int]]:
        np.random.seed(epoch)  # the global generator has no say
        return [batch.tolist() for batch in plan_epoch(lengths, 8, seed, epoch)]

    assert plan(0, 1) == plan(0, 1)
    assert plan(0, 1) != plan(0, 2)
    assert plan(0, 1) != plan(1, 1)


def test_batches_hold_like_lengths_in_no_order() -> None:
    lengths = np.random.default_rng(0).integers(40, 200, 1024)
    batches = plan_epoch(lengths, 8, seed=0, epoch=1)
    padding = 1 - lengths.sum() / sum(lengths[batch].max() * len(batch) for batch in batches)
    by_chance = 1 - lengths.sum() / (lengths.reshape(-1, 8).max(axis=1) * 8).sum()
    assert padding < by_chance / 2
    means = [lengths[batch].mean() for batch in batches]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.25


def test_equal_lengths_meet_other_rows_in_every_epoch() -> None:
    first, second = ({*map(frozenset, plan_epoch([7] * 256, 8, 0, epoch))} for epoch in (1, 2))
    assert not first & second


@given(LENGTHS, st.integers(1, 1000))
def test_micro_batches_fit(lengths: list[int], tokens: int) -> None:
    groups = micro_batches(lengths, tokens)
    assert sorted(np.concatenate([[], *groups]).tolist()) == list(range(len(lengths)))
    for group in groups:
        assert len(group) * max(lengths[row] for row in group) <= tokens or len(group) == 1


def test_micro_batches_begin_with_the_longest_and_are_few() -> None:
    groups = micro_batches([10, 40, 20, 40, 10, 10], 80)
    assert [group.tolist() for group in groups] == [[1, 3], [2, 0, 4, 5]]
    assert [group.tolist() for group in micro_batches([5, 9], 8)] == [[1], [0]]


def test_padding_is_all_that_is_between_the_tokens_and_the_area() -> None:
    examples = [Example([1] * length, 1) for length in (3, 9, 4)]
    batch = padded(examples)
    assert batch.tokens.shape == (3, 8)
    assert int((batch.tokens == 1).sum()) == 3 + 8 + 4
