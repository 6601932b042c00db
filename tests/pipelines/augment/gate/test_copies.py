import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.gate.chance import share_bar
from pipelines.augment.gate.copies import copies, near_copies, repeats


def test_copies_of_single_real_rows_are_counted(plain, pair_of) -> None:
    """3 is real twice: it is common. Kinds seen twice: 1 of 5 rows, so 2 / 5 are expected."""
    real = plain(x=[1.0, 2.0, 3.0, 3.0, 4.0])
    found = copies(pair_of(real, plain(x=[1.0, 3.0, 9.0, 2.0])))
    assert (found.value, found.rows) == (0.5, [0, 3])
    assert found.bar == share_bar(0.4, 4)
    assert found.words == "2 are copies of real rows"


def test_a_table_of_few_kinds_of_rows_has_no_copies(plain, pair_of) -> None:
    random = np.random.default_rng(0)
    rows = [plain(x=random.integers(0, 150, 100).tolist()) for _ in range(2)]
    found = copies(pair_of(*rows))
    assert found.value > 0.1, "new rows are equal to single ones"
    assert found.passed, "which is no more than luck"


@pytest.mark.parametrize(("share", "passed"), [(0.0, True), (0.1, False)])
def test_copies_fail_from_a_few_on(world, pair_of, share, passed) -> None:
    real, fresh = world(200, 0), world(200, 1)
    count = int(share * 200)
    made = pa.concat_tables([real.slice(0, count), fresh.slice(count)])
    found = copies(pair_of(real, made))
    assert (found.value, found.passed, len(found.rows)) == (share, passed, count)


def test_repeats_are_counted_and_the_first_stays(plain, pair_of) -> None:
    real = plain(x=[float(value) for value in range(100)])
    made = plain(x=[0.5, 1.5] * 50)
    found = repeats(pair_of(real, made))
    assert (found.value, found.bar) == (pytest.approx(0.98), share_bar(0.0, 100))
    assert found.rows == list(range(2, 100)) and found.passed is False


def test_what_real_rows_repeat_may_be_repeated(plain, pair_of) -> None:
    random = np.random.default_rng(1)
    rows = [plain(x=random.integers(0, 50, size).tolist()) for size in (60, 600)]
    found = repeats(pair_of(*rows))
    assert found.value > 0.3 and found.passed and found.rows == []


def test_near_copies_are_seen_and_copies_are_not_counted_again(world, pair_of, put) -> None:
    real = world(200, 0)
    near = put(real, "depth", slice(None), real["depth"].to_numpy() + 1e-3).slice(0, 50)
    made = pa.concat_tables([near, real.slice(50, 50), world(100, 1)])
    found = near_copies(pair_of(real, made))
    assert found.passed is False
    assert set(range(50)) <= set(found.rows) and not set(range(50, 100)) & set(found.rows)


def test_at_most_one_of_twenty_fresh_tables_has_near_copies(world, pair_of) -> None:
    pairs = [pair_of(world(150, seed), world(300, seed + 50)) for seed in range(20)]
    found = [near_copies(pair) for pair in pairs]
    assert sum(not check.passed for check in found) <= 1
    assert all(check.passed != bool(check.rows) for check in found), "luck is not objected to"


def test_three_rows_do_not_say_what_is_near(world, pair_of) -> None:
    assert near_copies(pair_of(world(3, 0), world(30, 1))).passed is None
