"""One scale for heavy-tailed features."""

import numpy as np
import pytest

from pipelines.represent.scaling import Scaler


def test_training_rows_get_zero_mean_and_unit_deviation() -> None:
    features = np.random.default_rng(0).lognormal(5, 3, (500, 4)).astype(np.float32)
    scaled = Scaler.fit(features).transform(features)
    assert scaled.dtype == np.float32
    assert scaled.mean(axis=0) == pytest.approx([0] * 4, abs=1e-5)
    assert scaled.std(axis=0) == pytest.approx([1] * 4, abs=1e-4)


def test_exact_values() -> None:
    features = np.array([[np.e - 1], [-(np.e - 1)]])
    assert Scaler.fit(features).transform(features).tolist() == [[1], [-1]]


def test_the_sign_is_kept() -> None:
    scaled = Scaler.fit(np.array([[-1500.0], [0.0], [1500.0]])).transform(np.array([[-9.0], [9.0]]))
    assert scaled[0, 0] == -scaled[1, 0] < 0


def test_a_constant_feature_is_zero_and_a_new_value_is_bounded() -> None:
    scaler = Scaler.fit(np.full((20, 1), 7.0))
    assert abs(scaler.transform(np.array([[7.0]]))[0, 0]) < 1e-6
    assert scaler.transform(np.array([[3e38], [-3e38]])).tolist() == [[10], [-10]]


def test_one_row() -> None:
    assert Scaler.fit(np.array([[1.0, 2.0]])).transform(np.array([[1.0, 2.0]])).tolist() == [[0, 0]]


def test_survives_the_file() -> None:
    scaler = Scaler.fit(np.random.default_rng(0).normal(size=(9, 3)))
    assert Scaler.model_validate_json(scaler.model_dump_json()) == scaler
