"""Forged trees, which compiled code would follow out of its memory or for ever."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from pipelines.models.tree_check import check_trees

FEATURES = np.random.default_rng(0).normal(size=(80, 3))
NUMBERS = (FEATURES[:, 0] > 0).astype(int)


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(2, random_state=0).fit(FEATURES, NUMBERS)


def boosted() -> HistGradientBoostingClassifier:
    model = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2, random_state=0)
    return model.fit(FEATURES, NUMBERS)


def forge_forest(member: str, value: int) -> RandomForestClassifier:
    model = forest()
    tree = model.estimators_[-1].tree_
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"][member][0] = value
    tree.__setstate__(state)
    return model


def forge_boosted(member: str, value: int) -> HistGradientBoostingClassifier:
    model = boosted()
    model._predictors[-1][0].nodes[member][0] = value
    return model


@pytest.mark.parametrize("make", [forest, boosted])
def test_fitted_trees_pass(make: Callable[[], Any]) -> None:
    check_trees(make())


def test_other_models_have_no_trees() -> None:
    check_trees(LogisticRegression().fit(FEATURES, NUMBERS))


@pytest.mark.parametrize("child", ["left_child", "right_child"])
@pytest.mark.parametrize("value", [0, -2, 10_000, 2**40])
def test_a_forest_that_leaves_itself_or_goes_round(child: str, value: int) -> None:
    with pytest.raises(ValueError, match="outside the tree"):
        check_trees(forge_forest(child, value))


@pytest.mark.parametrize("value", [3, -1, 2**40])
def test_a_forest_that_reads_other_memory(value: int) -> None:
    with pytest.raises(ValueError, match="feature"):
        check_trees(forge_forest("feature", value))


@pytest.mark.parametrize("child", ["left", "right"])
@pytest.mark.parametrize("value", [0, 10_000, 2**31])
def test_boosted_trees_that_leave_themselves_or_go_round(child: str, value: int) -> None:
    with pytest.raises(ValueError, match="outside the tree"):
        check_trees(forge_boosted(child, value))


@pytest.mark.parametrize("value", [3, -1, 2**40])
def test_boosted_trees_that_read_other_memory(value: int) -> None:
    with pytest.raises(ValueError, match="feature"):
        check_trees(forge_boosted("feature_idx", value))


def test_boosted_trees_with_categories() -> None:
    with pytest.raises(ValueError, match="categories"):
        check_trees(forge_boosted("is_categorical", 1))


def test_a_tree_of_other_classes() -> None:
    model = forest()
    three = RandomForestClassifier(1).fit(FEATURES, np.arange(80) % 3)
    model.estimators_[0] = three.estimators_[0]
    with pytest.raises(ValueError, match="classes"):
        check_trees(model)
