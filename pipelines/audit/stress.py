"""What a trained model leans on: its score with each field group shuffled, and in another network.

A group is shuffled among the test rows, all its columns together, so that every value stays one
that occurs and only its tie to the row is cut (permutation importance, L. Breiman, Random Forests,
2001, by groups). Groups that a model does not see are not shuffled: they cannot move it, and the
forged network proves it.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field

from pipelines.audit.forge import forge_network
from pipelines.audit.trees import column_groups
from pipelines.datasets.fields import COLUMN, DEFAULT_MASKS, groups_of
from pipelines.errors import InputError
from pipelines.evaluate.intervals import percentile_interval
from pipelines.evaluate.metrics import macro_f1
from pipelines.models.base import Classifier, labels_of
from pipelines.progress import Progress, silent

DRAWS = 5
MOST_PREDICTIONS = 400_000
FEWEST_ROWS = 500


class Fall(BaseModel):
    """The score of a model whose eyes are closed to one group."""

    name: str = Field(description="A field group, or a column of a table that is in none")
    macro_f1: float = Field(description="With the group shuffled, the mean over draws")
    fall: float = Field(description="What it lost against the rows as they are")
    ci: tuple[float, float] = Field(description="95 % of the draws' falls")


class Forged(BaseModel):
    """A model in a forged network."""

    groups: list[str] = Field(description="The identifiers that were replaced")
    macro_f1: float
    fall: float
    moved: int = Field(description="Rows with any other probability: 0 under masks")


class Stress(BaseModel):
    """How a model's score on test rows depends on what it sees."""

    model: str
    rows: int = Field(description="Test rows asked, a sample where there are many")
    draws: int
    macro_f1: float = Field(description="On these rows as they are")
    falls: list[Fall] = Field(description="What it sees, the largest fall first")
    forged: Forged


def stress(
    model: Classifier,
    rows: pa.Table,
    masks: Sequence[str],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Progress = silent,
) -> Stress:
    """Ask ``model`` about test ``rows`` as they are, shuffled group by group, and forged.

    ``masks``: what the model was trained under. Raises InputError without rows.
    """
    if not rows.num_rows:
        raise InputError("There are no test rows to ask the model about.", "Draw another split.")
    seen = shuffled_together(rows.schema, masks)
    rows = _sample(rows, len(seen) * draws, seed)
    labels = labels_of(rows)
    before = model.predict_proba(rows)
    score = _macro_f1(model, labels, before)
    falls = []
    for done, (name, columns) in enumerate(seen.items()):
        progress("shuffling fields", done, len(seen), "fields")
        falls.append(_fall(model, rows, labels, name, columns, score, draws, seed))
    progress("shuffling fields", len(seen), len(seen), "fields")
    return Stress(
        model=model.name,
        rows=rows.num_rows,
        draws=draws,
        macro_f1=score,
        falls=sorted(falls, key=lambda row: (-row.fall, row.name)),
        forged=_forged(model, rows, labels, before, score, seed),
    )


def shuffled_together(schema: pa.Schema, masks: Sequence[str]) -> dict[str, list[str]]:
    """What a model sees under ``masks``: groups with their columns, single columns of no group."""
    units: dict[str, list[str]] = {}
    for group in column_groups(schema):
        names = [column.name for column in schema if group in groups_of(column)]
        if group in masks:
            continue
        units |= {name: [name] for name in names} if group == COLUMN else {group: names}
    return units


def _sample(rows: pa.Table, predictions: int, seed: int) -> pa.Table:
    most = max(FEWEST_ROWS, MOST_PREDICTIONS // max(predictions, 1))
    if rows.num_rows <= most:
        return rows
    chosen = np.random.default_rng(seed).choice(rows.num_rows, most, replace=False)
    return rows.take(pa.array(np.sort(chosen)))


def _fall(
    model: Classifier,
    rows: pa.Table,
    labels: Sequence[str],
    name: str,
    columns: list[str],
    score: float,
    draws: int,
    seed: int,
) -> Fall:
    after = []
    for draw in range(draws):
        order = np.random.default_rng([seed, draw]).permutation(rows.num_rows)
        after.append(_macro_f1(model, labels, model.predict_proba(shuffled(rows, columns, order))))
    falls = score - np.array(after)
    return Fall(
        name=name,
        macro_f1=float(np.mean(after)),
        fall=float(falls.mean()),
        ci=percentile_interval(falls, bounds=(-1, 1)),
    )


def shuffled(rows: pa.Table, columns: Sequence[str], order: np.ndarray) -> pa.Table:
    """The rows with the values of ``columns`` from the rows of ``order``."""
    moved = rows.select(list(columns)).take(pa.array(order))
    for name in columns:
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(name), moved[name])
    return rows


def _forged(
    model: Classifier,
    rows: pa.Table,
    labels: Sequence[str],
    before: np.ndarray,
    score: float,
    seed: int,
) -> Forged:
    groups = [group for group in column_groups(rows.schema) if group in DEFAULT_MASKS]
    after = model.predict_proba(forge_network(rows, seed, groups))
    forged = _macro_f1(model, labels, after)
    return Forged(
        groups=groups,
        macro_f1=forged,
        fall=score - forged,
        moved=int((before != after).any(axis=1).sum()),
    )


def _macro_f1(model: Classifier, labels: Sequence[str], probabilities: np.ndarray) -> float:
    guesses = np.array(model.classes, object)[probabilities.argmax(axis=1)]
    return macro_f1(labels, guesses)
