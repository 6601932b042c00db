"""Scores that real traffic must reach, all identifiers masked, models chosen by validation."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.sources import load_source
from pipelines.datasets.splits import make_split, sample_draws
from pipelines.evaluate.evaluate import Evaluation, evaluate_models
from pipelines.evaluate.few_labels import FewLabelStudy, study_few_labels
from pipelines.models.base import labels_of
from pipelines.models.fitting import fit_and_score
from pipelines.progress import silent


@pytest.fixture(scope="module")
def applications_and_malware(data: Path) -> Evaluation:
    """Twenty classes; trained on each class's earlier half, tested on its later half."""
    rows = load_source(data / "ustc_tfc2016" / "sessions", label="file").rows
    split = make_split(rows, "time", 0.5)
    train, validation, test = (
        rows.take(pa.array(split.rows_on(side))) for side in ("train", "validation", "test")
    )
    fitted = {
        name: fit_and_score(
            name,
            train,
            validation,
            masks=DEFAULT_MASKS,
            seed=0,
            settings=None,
            progress=silent,
        )
        for name in ("majority", "random_forest", "cnn")
    }
    return evaluate_models(
        {name: model.classifier for name, model in fitted.items()},
        test,
        labels_of(test),
        test["flow"].to_pylist(),
        validation_scores={name: model.validation_macro_f1 for name, model in fitted.items()},
        seed=0,
        progress=silent,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("random_forest", 0.88), ("cnn", 0.90)])
def test_applications_and_malware(
    applications_and_malware: Evaluation, name: str, least: float
) -> None:
    score = applications_and_malware.models[name]
    assert len(applications_and_malware.classes) == 20
    assert score.macro_f1 >= least
    assert 0.005 < score.ci[1] - score.ci[0] < 0.05


@pytest.mark.slow
def test_the_majority_of_twenty_classes_is_nothing(applications_and_malware: Evaluation) -> None:
    assert applications_and_malware.models["majority"].macro_f1 < 0.01


@pytest.fixture(scope="module")
def twenty_rows(data: Path) -> FewLabelStudy:
    """Ten attacks and ten normal connections, drawn six times."""
    rows = load_source(data / "nsl_kdd").rows
    split = make_split(rows, "row", 0.5)
    names = ["majority", "lookup", "knn", "logistic_regression", "random_forest"]
    return study_few_labels(
        [*names, "hist_gradient_boosting", "cnn"],
        rows,
        sample_draws(rows, split, per_class=10, draws=6),
        rows.take(pa.array(split.rows_on("test")[:3000])),
        masks=DEFAULT_MASKS,
        seed=0,
        progress=silent,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("lookup", 0.75),
        ("knn", 0.85),
        ("logistic_regression", 0.85),
        ("random_forest", 0.87),
        ("hist_gradient_boosting", 0.85),
        ("cnn", 0.82),
    ],
)
def test_twenty_rows_are_enough_to_beat_chance(
    twenty_rows: FewLabelStudy, name: str, least: float
) -> None:
    assert least <= twenty_rows.models[name].accuracy.mean <= 0.97


@pytest.mark.slow
def test_within_twenty_rows_the_majority_is_never_best(twenty_rows: FewLabelStudy) -> None:
    assert twenty_rows.best != "majority"
    assert twenty_rows.models["majority"].accuracy.mean < 0.56
