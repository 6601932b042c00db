import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cleaning.classes import lower_median, surplus
from pipelines.cleaning.filters import apply_filters, choose, propose_filters
from pipelines.cleaning.kinds import Pool


@pytest.mark.parametrize(
    ("sizes", "median"), [([], 0), ([7], 7), ([9, 2], 2), ([1, 50, 9], 9), ([1, 2, 3, 4], 2)]
)
def test_of_two_classes_the_smaller_is_the_median(sizes, median) -> None:
    assert lower_median(np.array(sizes)) == median


def test_a_class_is_cut_to_its_limit_group_by_group(make_rows) -> None:
    labels, flow = ["a"] * 2 + ["b"] * 12, [0, 1, *np.repeat(range(2, 8), 2)]
    rows = make_rows(labels, flow)
    hit = surplus(rows, 3, "flow", seed=0)
    assert not hit[:2].any()
    assert hit[2:].sum() == 6, "to three times the smaller class"
    by_flow = hit.reshape(7, 2)[1:]
    assert (by_flow.all(axis=1) == by_flow.any(axis=1)).all(), "no group is cut"


def test_the_draw_is_the_seeds(make_rows) -> None:
    rows = make_rows(["a"] * 2 + ["b"] * 40, range(42))
    first, again, other = (surplus(rows, 5, "flow", seed) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
    assert first.sum() == other.sum() == 30


def test_a_group_of_two_classes_stays(make_rows) -> None:
    rows = make_rows(["a", "b", "b", "b"], [0, 0, 0, 1])
    assert surplus(rows, 1, "flow", seed=0).tolist() == [False, False, False, True]


def test_imbalance_is_proposed_from_ten_times_on(make_rows) -> None:
    def names(many: int) -> set[str]:
        rows = make_rows(["rare"] * 3 + ["many"] * many, range(3 + many))
        return {found.filter.name for found in propose_filters(Pool(rows))}

    assert "class_imbalance" not in names(30)
    assert "class_imbalance" in names(31)


def test_the_proposal_says_how_unequal_classes_are(make_rows) -> None:
    pool = Pool(make_rows(["rare"] * 2 + ["many"] * 60, range(62)))
    found = next(one.filter for one in propose_filters(pool) if one.filter.name[:5] == "class")
    assert found.rows == 40 and "30 times" in found.reason and not found.recommended
    kept, _ = apply_filters(pool, [choose(pool, "class_imbalance", {"times": 2})])
    assert kept["label"].to_pylist().count("many") == 4


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1, max_size=40),
    st.integers(1, 4),
    st.integers(0, 3),
)
def test_no_class_falls_below_its_limit(pairs, times, seed) -> None:
    import pyarrow as pa

    rows = pa.table(
        {
            "label": [label for label, _ in pairs],
            "capture": ["t"] * len(pairs),
            "flow": pa.array([flow for _, flow in pairs], pa.int64()),
        }
    )
    hit = surplus(rows, times, "flow", seed)
    labels = np.array([label for label, _ in pairs])
    sizes = {name: int((labels == name).sum()) for name in set(labels)}
    limit = times * lower_median(np.array(list(sizes.values())))
    for name, size in sizes.items():
        assert ((labels == name) & ~hit).sum() >= min(size, limit)
