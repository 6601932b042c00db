"""Models of several sites as one that votes: a mean of what they say."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.evaluate.metrics import places
from pipelines.models.base import Classifier


class Ensemble:
    """Soft voting (L. Kuncheva, Combining Pattern Classifiers, 2014, chapter 5) as a site does it.

    A site's ``own`` model has half of the vote, if there is one: it alone knows how often each
    class occurs there. All models, that one too, share the rest equally.
    """

    def __init__(self, others: Sequence[Classifier], own: Classifier | None = None) -> None:
        self.models = [*others] if own is None else [own, *others]
        self.weights = np.full(len(self.models), 1 / len(self.models))
        if own is not None:
            self.weights /= 2
            self.weights[0] += 0.5
        self.classes = sorted({name for model in self.models for name in model.classes})

    def predict_proba(self, rows: pa.Table) -> np.ndarray:
        """Probabilities of shape (rows, classes): a class that a model does not know has none."""
        total = np.zeros((rows.num_rows, len(self.classes)))
        for weight, model in zip(self.weights, self.models, strict=True):
            total[:, places(model.classes, self.classes)] += weight * model.predict_proba(rows)
        return total

    def verdicts(self, rows: pa.Table) -> list[str]:
        """The most probable class of each row."""
        return [self.classes[place] for place in self.predict_proba(rows).argmax(axis=1)]
