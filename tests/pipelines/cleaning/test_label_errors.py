import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cleaning.filters import apply_filters, choose, find, propose_filters
from pipelines.cleaning.kinds import Pool
from pipelines.cleaning.label_errors import find_label_errors, group_folds, judge, out_of_fold
from pipelines.cleaning.quarantine import DETAIL, SCORE


def test_the_confident_joint_on_paper() -> None:
    """Thresholds: a (.9 + .8 + .1)/3 = .6, b (.9 + .6)/2 = .75."""
    of_a = np.array([0.9, 0.8, 0.1, 0.1, 0.4])
    found = judge(np.stack([of_a, 1 - of_a], axis=1), np.array([0, 0, 0, 1, 1]))
    assert found.confident.tolist() == [False, False, True, False, False]
    assert found.confidence == pytest.approx([0.9, 0.8, 0.1, 0.9, 0.6])
    assert found.instead.tolist() == [0, 0, 1, 1, 1]
    assert found.ranking().tolist() == [2, 4, 1, 0, 3]


def test_a_row_that_reaches_no_threshold_counts_for_none() -> None:
    of_a = np.array([0.9, 0.9, 0.45, 0.1, 0.1, 0.1])
    found = judge(np.stack([of_a, 1 - of_a], axis=1), np.array([0, 0, 0, 1, 1, 1]))
    assert not found.confident.any(), "its .55 of b is below the .9 that b's own rows have"


def test_a_class_that_errors_flooded_does_not_draw_others_to_it() -> None:
    """The rare class's average is .1; another's row of .15 is no error for that."""
    rows = [[0.85, 0.15], [0.95, 0.05], [0.95, 0.05], [0.9, 0.1], [0.9, 0.1]]
    found = judge(np.array(rows), np.array([0, 0, 0, 1, 1]))
    assert found.confident.tolist() == [False, False, False, False, False]
    found = judge(np.array([[0.95, 0.05], [0.95, 0.05], [0.96, 0.04], [0.1, 0.9]]),
                  np.array([0, 0, 1, 1]))  # fmt: skip
    assert found.confident.tolist() == [False, False, True, False]


PROBABILITIES = st.lists(
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2)),
    min_size=1,
    max_size=30,
)


@given(PROBABILITIES)
def test_a_suspect_has_a_class_that_is_more_probable_than_its_own(rows) -> None:
    values = np.array([row[:3] for row in rows])
    labels = np.array([row[3] for row in rows])
    found = judge(values, labels)
    better = values.max(axis=1) > values[np.arange(len(rows)), labels]
    assert (better | ~found.confident).all()
    assert sorted(found.ranking().tolist()) == list(range(len(rows)))


GROUPS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 2)), min_size=1, max_size=50)


@settings(deadline=None)
@given(GROUPS, st.integers(2, 5), st.integers(0, 3))
def test_no_group_is_in_two_folds(pairs, folds, seed) -> None:
    groups, labels = (np.array(part) for part in zip(*pairs, strict=True))
    fold = group_folds(groups, labels, folds, seed)
    assert ((fold >= 0) & (fold < folds)).all()
    for group in set(groups.tolist()):
        assert len(set(fold[groups == group].tolist())) == 1


def clusters(make_table, size: int = 60, seed: int = 0, **more) -> pa.Table:
    """Two classes that are far apart."""
    rng = np.random.default_rng(seed)
    labels = ["left"] * size + ["right"] * size
    x = np.concatenate([rng.normal(0, 1, size), rng.normal(20, 1, size)])
    return make_table(labels, x=x.tolist(), y=rng.normal(0, 1, 2 * size).tolist(), **more)


def relabelled(rows: pa.Table, places: list[int]) -> pa.Table:
    labels = rows["label"].to_pylist()
    for place in places:
        labels[place] = "right" if labels[place] == "left" else "left"
    return rows.set_column(0, rows.schema.field(0), pa.array(labels))


def test_planted_errors_are_found_and_nothing_else(make_table) -> None:
    planted = [3, 17, 80]
    rows = relabelled(clusters(make_table), planted)
    groups = np.arange(rows.num_rows)
    found = find_label_errors(rows, groups, (), models=("knn", "logistic_regression"))
    assert np.flatnonzero(found.instead != (np.arange(120) >= 60)).tolist() == []
    assert np.flatnonzero(found.confident).tolist() == planted
    assert sorted(found.ranking()[:3].tolist()) == planted


def test_copies_of_a_row_do_not_vouch_for_it(make_table) -> None:
    """Five copies of a mislabelled row: in other folds they would outvote its neighbours."""
    rows = relabelled(clusters(make_table), [0])
    copies = pa.concat_tables([rows, rows.slice(0, 1), rows.slice(0, 1), rows.slice(0, 1),
                               rows.slice(0, 1), rows.slice(0, 1)])  # fmt: skip
    pool = Pool(copies)
    chosen = choose(pool, "label_errors", {"models": ["knn"]})
    assert np.flatnonzero(find(pool, chosen).hit).tolist() == [0, *range(120, 125)]
    apart = out_of_fold(copies, np.arange(125), "knn", (), 5, 0)
    assert apart[0, 1] > 0.9, "apart they do vouch"


def test_the_quarantine_says_what_the_models_take_the_row_for(make_table) -> None:
    pool = Pool(relabelled(clusters(make_table), [5]))
    chosen = choose(pool, "label_errors", {"models": ["knn"], "folds": 3})
    kept, quarantine = apply_filters(pool, [chosen])
    assert kept.num_rows == 119
    assert quarantine[DETAIL].to_pylist() == ["rather left than right"]
    assert quarantine[SCORE][0].as_py() < 0.3


@pytest.mark.usefixtures("small_forests")
def test_it_is_proposed_only_when_asked_for_and_never_recommended(make_table) -> None:
    pool = Pool(relabelled(clusters(make_table, 30), [5]))
    assert "label_errors" not in {one.filter.name for one in propose_filters(pool)}
    thorough = {one.filter.name: one.filter for one in propose_filters(pool, thorough=True)}
    found = thorough["label_errors"]
    assert not found.recommended and found.rows == 1
    assert found.precision is not None and found.precision > 0.7
    assert found.effect is not None


@pytest.mark.usefixtures("small_forests")
def test_the_same_seed_judges_the_same(make_table) -> None:
    rows = relabelled(clusters(make_table, 30), [5])
    first, again = (
        out_of_fold(rows, np.arange(60), "random_forest", (), 3, seed=4) for _ in range(2)
    )
    assert (first == again).all()


def test_a_class_that_a_fold_never_saw_has_no_probability_there(make_table) -> None:
    rows = clusters(make_table, 10)
    lone = rows.set_column(
        0, rows.schema.field(0), pa.array(["lone", *rows["label"].to_pylist()[1:]])
    )
    found = out_of_fold(lone, np.arange(20), "knn", (), 4, 0)
    assert found[0, 1] == 0, "classes are left, lone, right"
    assert found.sum(axis=1) == pytest.approx(1)
