import numpy as np
import pytest
from scipy.spatial.distance import cdist

from pipelines.augment.gate.closeness import Closeness


def test_closeness_is_a_ratio_of_nearest_distances() -> None:
    random = np.random.default_rng(2)
    real, made = random.normal(size=(40, 3)), random.normal(size=(15, 3))
    own = cdist(real, real) + np.diag([np.inf] * 40)
    away = cdist(made, real)
    near = away.argmin(axis=1)
    closeness = Closeness(real)
    assert closeness.of(made) == pytest.approx(away.min(axis=1) / own[near].min(axis=1))
    expected = []
    for row in range(40):  # as if the row were new: it is no neighbour of the others
        others = np.delete(np.arange(40), row)
        nearest = others[own[row, others].argmin()]
        expected.append(own[row, nearest] / np.delete(own[nearest], row).min())
    assert closeness.of_real() == pytest.approx(np.array(expected))


def test_next_to_a_repeated_real_row_nothing_is_too_close() -> None:
    closeness = Closeness(np.array([[0.0], [0.0], [5.0]]))
    assert closeness.of(np.array([[1e-6]])).tolist() == [np.inf]
