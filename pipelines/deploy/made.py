"""Synthetic rows for whoever trains, made before the processes begin: those have no author."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from pipelines.augment.arms import arm_of
from pipelines.augment.asking import Author
from pipelines.augment.names import ARMS
from pipelines.augment.settings import MOST_AMOUNT
from pipelines.datasets.fields import LABEL, feature_columns
from pipelines.deploy.job import MADE
from pipelines.deploy.study import Asked
from pipelines.errors import InputError
from pipelines.models.base import labels_of
from pipelines.progress import Progress
from pipelines.store.rows import read_rows, write_rows


@dataclass(frozen=True)
class Made:
    """How many synthetic rows a trainer has, and what was asked for them."""

    rows: int = 0
    asked: Asked = field(default_factory=Asked)


@dataclass(frozen=True)
class Augmentation:
    """What each trainer adds to its rows: ``amount`` rows of an arm to each real one of a class.

    ``author`` writes those of a language model; ``spent`` says what it has cost so far. Raises
    InputError for an arm that does not exist or an amount that cannot be.
    """

    arm: str
    amount: float = 1.0
    author: Author | None = None
    spent: Callable[[], Asked] = Asked

    def __post_init__(self) -> None:
        if self.arm not in ARMS:
            raise InputError(
                f"There is no generator {self.arm!r}.", f"Choose from {', '.join(ARMS)}."
            )
        if not 0 < self.amount <= MOST_AMOUNT:
            raise InputError(
                f"{self.amount:g} synthetic rows to each real one cannot be.",
                f"Give an amount above 0 and at most {MOST_AMOUNT}.",
            )

    def make(
        self, real: pa.Table, folder: Path, masks: Sequence[str], seed: int, progress: Progress
    ) -> Made:
        """Write rows made of one trainer's ``real`` ones into its ``folder``.

        None for rows of a single class: nobody trains on them. Raises what the arm and its author
        refuse.
        """
        classes = Counter(labels_of(real))
        if len(classes) < 2:
            return Made()
        before = self.spent()
        wanted = {name: round(self.amount * count) for name, count in classes.items()}
        rows = arm_of(self.arm, masks, self.author, progress)(real, wanted, seed).rows
        (folder / MADE).mkdir(parents=True)
        write_rows(folder / MADE, rows.select([LABEL, *feature_columns(rows.schema, masks)]))
        return Made(rows.num_rows, self.spent() - before)


def with_made(rows: pa.Table, folder: Path) -> pa.Table:
    """The rows, and the synthetic ones of their trainer's ``folder``, if some were made."""
    if not (folder / MADE).exists():
        return rows
    return pa.concat_tables([rows, read_rows(folder / MADE).cast(rows.schema)])
