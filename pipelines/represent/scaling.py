"""Heavy-tailed features brought to one scale, for models that compare or multiply them."""

from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict


class Scaler(BaseModel):
    """Signed logarithm, then zero mean and unit deviation over the training rows.

    Bytes, counts and times span many powers of ten; ``sign(x) log(1 + |x|)`` keeps small values
    apart without letting the largest decide everything. A constant feature becomes zero.
    """

    model_config = ConfigDict(frozen=True)

    mean: list[float]
    deviation: list[float]

    @classmethod
    def fit(cls, features: np.ndarray) -> Self:
        """Learn from features of shape (rows, features)."""
        values = _signed_log(features)
        deviation = values.std(axis=0)
        constant = deviation < 1e-6
        return cls(
            mean=values.mean(axis=0).tolist(), deviation=np.where(constant, 1, deviation).tolist()
        )

    def transform(self, features: np.ndarray) -> np.ndarray:
        """Scaled features, same shape, float32, at most 10 deviations from the mean."""
        scaled = (_signed_log(features) - self.mean) / self.deviation
        return np.clip(scaled, -10, 10).astype(np.float32)


def _signed_log(features: np.ndarray) -> np.ndarray:
    values = features.astype(np.float64)
    return np.sign(values) * np.log1p(np.abs(values))
