"""How close rows come to real ones, by the distances of real rows to each other."""

import numpy as np
from sklearn.neighbors import NearestNeighbors


class Closeness:
    """How close a row comes to the real ones: the distance to the nearest real row, as a multiple
    of that row's distance to its own nearest other one. Below 1 is closer than real rows are there;
    infinite next to a row that real ones repeat. Needs three real rows."""

    def __init__(self, real: np.ndarray) -> None:
        self.index = NearestNeighbors(n_neighbors=2).fit(real)
        self.distance, self.nearest = self.index.kneighbors()

    def of(self, points: np.ndarray) -> np.ndarray:
        """The closeness of new rows, points of shape (rows, features)."""
        distance, nearest = self.index.kneighbors(points, 1)
        return _ratio(distance[:, 0], self.distance[nearest[:, 0], 0])

    def of_real(self) -> np.ndarray:
        """The closeness of each real row to the others, as if it were new."""
        nearest = self.nearest[:, 0]
        itself = self.nearest[nearest, 0] == np.arange(len(nearest))
        own = np.where(itself, self.distance[nearest, 1], self.distance[nearest, 0])
        return _ratio(self.distance[:, 0], own)


def _ratio(distance: np.ndarray, own: np.ndarray) -> np.ndarray:
    ratio = np.full(len(own), np.inf)
    return np.asarray(np.divide(distance, own, out=ratio, where=own > 0))
