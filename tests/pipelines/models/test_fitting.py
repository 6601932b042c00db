"""Fit on train, score on validation, refit on both."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score

from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.errors import InputError
from pipelines.models.base import labels_of, predict
from pipelines.models.fitting import FittedModel, fit_and_score
from pipelines.models.registry import new_model
from pipelines.progress import silent

Rows = Callable[..., pa.Table]
SETTINGS = {"cnn": {"channels": 8, "embedding": 4, "epochs": 6}}


def fit(name: str, train: pa.Table, validation: pa.Table, *, refit: bool = True) -> FittedModel:
    return fit_and_score(
        name,
        train,
        validation,
        masks=DEFAULT_MASKS,
        seed=0,
        settings=SETTINGS.get(name),
        progress=silent,
        refit=refit,
    )


@pytest.mark.parametrize("name", ["majority", "random_forest", "cnn"])
def test_the_score_is_of_a_model_that_saw_train_only(name: str, flow_rows: Rows) -> None:
    train, validation = flow_rows({"a": 12, "b": 9}), flow_rows({"a": 9, "b": 9}, seed=1)
    only_train = fit(name, train, validation, refit=False)
    expected = f1_score(
        labels_of(validation), predict(only_train.classifier, validation), average="macro"
    )
    assert only_train.validation_macro_f1 == pytest.approx(expected)
    refitted = fit(name, train, validation)
    assert refitted.validation_macro_f1 == only_train.validation_macro_f1
    assert refitted.curve == only_train.curve


@pytest.mark.parametrize("name", ["majority", "random_forest", "cnn"])
def test_the_final_model_learnt_from_both(name: str, flow_rows: Rows) -> None:
    train, validation = flow_rows({"a": 12, "b": 9}), flow_rows({"a": 9, "b": 9}, seed=1)
    fitted = fit(name, train, validation)
    assert fitted.classifier.card.rows == 39
    assert fit(name, train, validation, refit=False).classifier.card.rows == 21


def test_the_networks_refit_takes_the_best_epochs(flow_rows: Rows) -> None:
    fitted = fit("cnn", flow_rows({"a": 12, "b": 9}), flow_rows({"a": 9, "b": 9}, seed=1))
    scores = [epoch.validation_macro_f1 for epoch in fitted.curve]
    assert len(fitted.classifier.curve) == scores.index(max(scores)) + 1


def test_a_baselines_final_model_is_a_plain_fit_on_both(flow_rows: Rows) -> None:
    train, validation = flow_rows({"a": 12, "b": 9}), flow_rows({"a": 9, "b": 9}, seed=1)
    both = pa.concat_tables([train, validation])
    plain = new_model("random_forest")
    plain.fit(both, labels_of(both), masks=DEFAULT_MASKS, seed=0, validation=None, progress=silent)
    fitted = fit("random_forest", train, validation).classifier
    assert (fitted.predict_proba(both) == plain.predict_proba(both)).all()


def test_a_class_of_validation_alone_is_learnt_in_the_end(flow_rows: Rows) -> None:
    fitted = fit("random_forest", flow_rows({"a": 9, "b": 9}), flow_rows({"a": 9, "c": 9}))
    assert fitted.classifier.classes == ["a", "b", "c"]
    assert fitted.validation_macro_f1 < 0.6


def test_empty_validation_is_refused(flow_rows: Rows) -> None:
    rows = flow_rows({"a": 9, "b": 9})
    with pytest.raises(InputError, match="validation side has no rows"):
        fit("majority", rows, rows.slice(0, 0))


def test_unlabelled_rows_are_refused(flow_rows: Rows) -> None:
    rows = flow_rows({"a": 9, "b": 9})
    with pytest.raises(InputError, match="without a label"):
        fit("majority", rows.drop_columns(["label"]), rows)


def test_seconds_are_measured(flow_rows: Rows) -> None:
    rows = flow_rows({"a": 9, "b": 9})
    assert np.isfinite(fit("majority", rows, rows).seconds)
