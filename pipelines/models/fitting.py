"""Fit a model so that it can be chosen by validation and then use every row it may."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.errors import InputError
from pipelines.evaluate.metrics import macro_f1
from pipelines.models.base import Classifier, Epoch, Resumable, labels_of, predict
from pipelines.models.registry import new_model
from pipelines.progress import Progress, silent


@dataclass(frozen=True)
class FittedModel:
    """A fitted model, and how the same model did on validation rows that it had not seen.

    ``seconds`` is wall clock: never write it into an artefact.
    """

    classifier: Classifier
    validation_macro_f1: float
    curve: list[Epoch]
    seconds: float
    warnings: list[str]


def fit_rows(
    name: str,
    rows: pa.Table,
    masks: Sequence[str],
    seed: int,
    settings: Mapping[str, Any] | None = None,
    features: Sequence[str] = (),
) -> Classifier:
    """A model that learned from all labelled ``rows``, without validation rows and in silence.

    ``features``: derived columns that it reads too. Raises as ``fit_and_score`` does.
    """
    model = new_model(name, settings, features)
    model.fit(rows, labels_of(rows), masks=masks, seed=seed, validation=None, progress=silent)
    return model


def fit_and_score(
    name: str,
    rows_train: pa.Table,
    rows_validation: pa.Table,
    *,
    masks: Sequence[str],
    seed: int,
    settings: Mapping[str, Any] | None,
    features: Sequence[str] = (),
    progress: Progress,
    refit: bool = True,
    checkpoints: Path | None = None,
) -> FittedModel:
    """Fit ``name`` on the training rows, score it on the validation rows, refit it on both.

    The score comes from a model that has seen the training rows only, so models can be chosen by
    it. A model that stops early learns its number of epochs in the first fit and trains for as many
    in the second. With ``refit=False`` the first model is returned. ``features`` are derived
    columns that it reads too. A model that trains for long
    goes on from ``checkpoints`` if it was killed; remove the folder when the result is saved.

    Raises InputError for an unknown name or setting, and if the rows cannot be learnt from.
    """
    start = time.perf_counter()
    if rows_validation.num_rows == 0:
        raise InputError(
            "The validation side has no rows, so models cannot be chosen.",
            "Give it a share of the split.",
        )
    train, validation = labels_of(rows_train), labels_of(rows_validation)
    model = new_model(name, settings, features)
    if isinstance(model, Resumable):
        model.checkpoints = checkpoints
    model.fit(
        rows_train,
        train,
        masks=masks,
        seed=seed,
        validation=(rows_validation, validation),
        progress=progress,
    )
    score = macro_f1(validation, predict(model, rows_validation))
    curve, warnings = model.curve, _warnings(model)
    if refit:
        model = model.for_refit()
        both = pa.concat_tables([rows_train, rows_validation])
        model.fit(
            both, train + validation, masks=masks, seed=seed, validation=None, progress=progress
        )
        warnings = [*warnings, *_warnings(model)]
    seconds = time.perf_counter() - start
    return FittedModel(model, score, curve, seconds, list(dict.fromkeys(warnings)))


def _warnings(model: Classifier) -> list[str]:
    return model.warnings if isinstance(model, Resumable) else []
