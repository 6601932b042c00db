import pytest

from pipelines.augment.gate.look import recommend_votes, rows_to_look_at
from pipelines.errors import InputError

# 40 rows without a vote against them, then 12 with one, 12 with two and 12 with three
AGAINST = [0] * 40 + [1] * 12 + [2] * 12 + [3] * 12


def test_half_of_the_rows_are_contradicted_by_some_and_half_by_none() -> None:
    votes = [AGAINST[row] for row in rows_to_look_at(AGAINST, seed=0)]
    assert [votes.count(level) for level in range(4)] == [10, 3, 3, 4]


def test_the_seed_picks_and_no_row_is_shown_twice() -> None:
    rows = rows_to_look_at(AGAINST, seed=1)
    assert rows == rows_to_look_at(AGAINST, seed=1) != rows_to_look_at(AGAINST, seed=2)
    assert len(set(rows)) == 20


@pytest.mark.parametrize(
    ("against", "counts"),
    [([0] * 50 + [3] * 2, (18, 2)), ([0] * 3 + [2] * 50, (3, 17)), ([0, 0, 1], (2, 1))],
)
def test_one_half_fills_up_the_other(against, counts) -> None:
    votes = [against[row] > 0 for row in rows_to_look_at(against, seed=0)]
    assert (votes.count(False), votes.count(True)) == counts


def verdicts(wrong: dict[int, float]) -> tuple[list[int], list[bool]]:
    """Four rows of each level, of which such a share is wrong."""
    looked = [first + place for first in (0, 40, 52, 64) for place in range(4)]
    right = [place >= 4 * wrong.get(level, 0) for level in range(4) for place in range(4)]
    return looked, right


def test_precision_weighs_levels_by_their_rows() -> None:
    against = [0] * 40 + [1] * 30 + [3] * 10
    looked, right = [0, 40, 41, 70], [True, True, False, False]
    advice = recommend_votes(against, looked, right)
    assert advice.precision[1] == pytest.approx((0.5 * 30 + 1.0 * 10) / 40)
    assert advice.precision[2] == advice.precision[3] == 1.0
    assert advice.missed == 0.0


@pytest.mark.parametrize(
    ("wrong", "votes"),
    [
        ({1: 1.0, 2: 1.0, 3: 1.0}, 1),
        ({1: 0.0, 2: 0.75, 3: 1.0}, 1),
        ({1: 0.0, 2: 0.5, 3: 0.75}, 2),
        ({1: 0.0, 2: 0.0, 3: 0.75}, 3),
        ({1: 0.5, 2: 0.5, 3: 0.5}, 3),
    ],
)
def test_the_fewest_votes_that_are_right_more_often_than_not(wrong, votes) -> None:
    assert recommend_votes(AGAINST, *verdicts(wrong)).votes == votes


def test_words_say_when_no_filter_is_worth_it() -> None:
    assert "no number of votes" in recommend_votes(AGAINST, *verdicts({})).words
    assert recommend_votes(AGAINST, *verdicts({3: 1.0, 2: 1.0})).words.startswith(
        "1 of 3 votes: 67%"
    )


def test_what_was_not_looked_at_is_not_known() -> None:
    advice = recommend_votes([0, 0, 3], [0], [False])
    assert advice.precision == {1: None, 2: None, 3: None}
    assert advice.missed == 1.0


@pytest.mark.parametrize(("looked", "right"), [([1, 2], [True]), ([], [])])
def test_verdicts_must_fit_the_rows(looked, right) -> None:
    with pytest.raises(InputError):
        recommend_votes(AGAINST, looked, right)
