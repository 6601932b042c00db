"""A model that reads derived columns: it computes them itself from the rows that it is given.

So whatever fits, tests or runs it hands on plain rows, and rows of a table, a capture, a generator
and a live interface get their derived columns in one way.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from pipelines.features.columns import row_features, with_features
from pipelines.models.base import Classifier, Epoch
from pipelines.progress import Progress


class Derived:
    """A classifier behind ``features``, texts of the language of ``pipelines.features``.

    The model behind it is saved as it is; its card names the features that it reads.
    """

    def __init__(self, model: Classifier, features: Sequence[str]) -> None:
        self.model = model
        self.features = [*features]
        self.name = model.name

    @property
    def classes(self) -> list[str]:
        """As the model has them."""
        return self.model.classes

    @property
    def curve(self) -> list[Epoch]:
        """As the model has it."""
        return self.model.curve

    def fit(
        self,
        rows: pa.Table,
        labels: Sequence[str],
        *,
        masks: Sequence[str],
        seed: int,
        validation: tuple[pa.Table, Sequence[str]] | None,
        progress: Progress,
    ) -> None:
        """Fit the model on the rows with their derived columns.

        Raises InputError as the model does, and for a feature that the rows do not allow.
        """
        if validation is not None:
            validation = (self._derived(validation[0]), validation[1])
        self.model.fit(
            self._derived(rows),
            labels,
            masks=masks,
            seed=seed,
            validation=validation,
            progress=progress,
        )

    def predict_proba(self, rows: pa.Table) -> np.ndarray:
        """As the model does, of shape (rows, classes)."""
        return self.model.predict_proba(self._derived(rows))

    def for_refit(self) -> Self:
        """The model's own, behind the same features."""
        return type(self)(self.model.for_refit(), self.features)

    def save(self, folder: Path) -> None:
        """Write the model into an existing empty folder."""
        self.model.save(folder)

    def _derived(self, rows: pa.Table) -> pa.Table:
        # the masks act on the derived columns: each belongs to all groups of its sources
        return with_features(rows, row_features(self.features, rows.schema, masks=()))
