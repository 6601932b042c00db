"""Decision trees read from a file, checked before compiled code walks them without looking."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier


def check_trees(estimator: Any) -> None:
    """Raise ValueError if a tree of ``estimator`` could be left or walked in circles.

    scikit-learn numbers a node before its children, so a child's number is greater than its
    parent's; a forged file need not hold to it, and prediction does not check.
    """
    if isinstance(estimator, RandomForestClassifier):
        trees = _forest_trees(estimator)
    elif isinstance(estimator, HistGradientBoostingClassifier):
        trees = _boosted_trees(estimator)
    else:
        return
    for inner, left, right, feature, count in trees:
        nodes = np.flatnonzero(inner)
        for child in (left[inner], right[inner]):
            if not ((child > nodes) & (child < len(inner))).all():
                raise ValueError("a tree has a node whose child is outside the tree")
        if not ((feature[inner] >= 0) & (feature[inner] < count)).all():
            raise ValueError("a tree asks for a feature that there is not")


Tree = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]


def _forest_trees(forest: RandomForestClassifier) -> Iterator[Tree]:
    for member in forest.estimators_:
        tree = member.tree_
        if tree.n_classes.tolist() != [len(forest.classes_)]:
            raise ValueError("a tree has another number of classes than its forest")
        left = tree.children_left.astype(np.int64)
        right = tree.children_right.astype(np.int64)
        yield left != -1, left, right, tree.feature, forest.n_features_in_


def _boosted_trees(model: HistGradientBoostingClassifier) -> Iterator[Tree]:
    for predictor in (tree for step in model._predictors for tree in step):
        nodes = predictor.nodes
        if nodes["is_categorical"].any():
            raise ValueError("a tree has categories, which these models never have")
        left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
        yield nodes["is_leaf"] == 0, left, right, nodes["feature_idx"], model._n_features
