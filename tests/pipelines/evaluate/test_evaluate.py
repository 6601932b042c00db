"""Several fitted models on one test side."""

import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score

from pipelines.errors import InputError
from pipelines.evaluate.evaluate import Evaluation, evaluate_models
from pipelines.models.base import Classifier, labels_of, predict
from pipelines.models.registry import new_model
from pipelines.progress import silent

Rows = Callable[..., pa.Table]
NAMES = ("majority", "lookup", "random_forest")
COUNTS = {"a": 40, "b": 30, "c": 20}


@pytest.fixture
def models(rows: Rows) -> dict[str, Classifier]:
    training = rows(COUNTS, error=0.1)
    models = {name: new_model(name) for name in NAMES}
    for model in models.values():
        model.fit(training, labels_of(training), masks=(), seed=0, validation=None, progress=silent)
    return models


def evaluated(
    models: dict[str, Classifier],
    test: pa.Table,
    scores: dict[str, float] | None = None,
    groups: object = None,
    captures: list[str] | None = None,
) -> Evaluation:
    return evaluate_models(
        models,
        test,
        labels_of(test),
        test["flow"].to_pylist() if groups is None else groups,
        validation_scores=scores or {"majority": 0.2, "lookup": 0.9, "random_forest": 0.8},
        seed=0,
        progress=silent,
        captures=captures,
    )


def test_every_number_as_scikit_learn_has_it(models: dict, rows: Rows) -> None:
    test = rows(COUNTS, seed=1, error=0.2)
    evaluation = evaluated(models, test)
    labels = labels_of(test)
    assert (evaluation.rows, evaluation.groups, evaluation.classes) == (90, 45, ["a", "b", "c"])
    for name, model in models.items():
        score, guesses = evaluation.models[name], predict(model, test)
        assert score.macro_f1 == pytest.approx(f1_score(labels, guesses, average="macro"))
        assert score.accuracy == pytest.approx(accuracy_score(labels, guesses))
        assert score.confusion == confusion_matrix(labels, guesses).tolist()
        assert score.ci[0] <= score.macro_f1 <= score.ci[1]
        assert [score.per_class[c].precision for c in "abc"] == pytest.approx(
            precision_score(labels, guesses, average=None, zero_division=0).tolist()
        )
        assert [score.per_class[c].support for c in "abc"] == [40, 30, 20]


def test_best_is_chosen_by_validation_not_by_the_test_side(models: dict, rows: Rows) -> None:
    scores = {"majority": 0.9, "lookup": 0.5, "random_forest": 0.7}
    evaluation = evaluated(models, rows(COUNTS, seed=1), scores)
    assert evaluation.best == evaluation.best_baseline == "majority"
    assert evaluation.models["lookup"].macro_f1 > evaluation.models["majority"].macro_f1


def test_of_equal_scores_the_first_model_wins(models: dict, rows: Rows) -> None:
    evaluation = evaluated(models, rows(COUNTS, seed=1), dict.fromkeys(NAMES, 0.5))
    assert evaluation.best == "majority"


def test_differences_to_the_best_baseline(models: dict, rows: Rows) -> None:
    evaluation = evaluated(models, rows(COUNTS, seed=1, error=0.2))
    best = evaluation.models["lookup"]
    assert best.difference is None
    difference = evaluation.models["majority"].difference
    assert difference is not None
    assert difference.model == "lookup"
    assert difference.delta == pytest.approx(evaluation.models["majority"].macro_f1 - best.macro_f1)
    assert difference.ci[0] <= difference.delta <= difference.ci[1] < 0


def test_a_better_model_beyond_the_ladder(models: dict, rows: Rows) -> None:
    """A network is compared with the best baseline, and is none itself."""
    training = rows(COUNTS)
    network = new_model("cnn", {"channels": 8, "embedding": 4, "epochs": 20})
    network.fit(training, labels_of(training), masks=(), seed=0, validation=None, progress=silent)
    every = {**models, "cnn": network}
    scores = {"majority": 0.2, "lookup": 0.8, "random_forest": 0.7, "cnn": 0.9}
    evaluation = evaluated(every, rows(COUNTS, seed=1), scores)
    assert (evaluation.best, evaluation.best_baseline) == ("cnn", "lookup")
    assert evaluation.models["cnn"].difference is not None


def test_no_baseline_no_difference(models: dict, rows: Rows) -> None:
    training = rows(COUNTS)
    network = new_model("cnn", {"channels": 4, "embedding": 4, "epochs": 1})
    network.fit(training, labels_of(training), masks=(), seed=0, validation=None, progress=silent)
    evaluation = evaluated({"cnn": network}, rows(COUNTS, seed=1), {"cnn": 0.5})
    assert evaluation.best_baseline is None
    assert evaluation.models["cnn"].difference is None


def test_a_class_missing_from_the_test_side(models: dict, rows: Rows) -> None:
    test = rows(COUNTS, seed=1)
    test = test.filter(pa.array([label != "c" for label in labels_of(test)]))
    score = evaluated(models, test).models["lookup"]
    assert score.macro_f1 == 1
    assert score.per_class["c"].support == 0
    assert score.per_class["c"].fpr_at_recall is None


def test_a_class_that_no_model_knows(models: dict, rows: Rows) -> None:
    test = rows({**COUNTS, "d": 10}, seed=1)
    evaluation = evaluated(models, test)
    assert evaluation.classes == ["a", "b", "c", "d"]
    score = evaluation.models["lookup"]
    assert score.per_class["d"].recall == 0
    # It is found only by a threshold that finds everything.
    assert score.per_class["d"].fpr_at_recall == 1
    assert np.sum(score.confusion) == 100


def test_a_single_group_is_no_evidence(models: dict, rows: Rows) -> None:
    evaluation = evaluated(models, rows(COUNTS, seed=1), groups=["one.pcap"] * 90)
    assert evaluation.models["lookup"].ci == (0, 1)
    difference = evaluation.models["majority"].difference
    assert difference is not None
    assert difference.ci == (-1, 1)


def test_groups_may_be_names(models: dict, rows: Rows) -> None:
    test = rows(COUNTS, seed=1, error=0.2)
    numbers = test["flow"].to_pylist()
    by_name = evaluated(models, test, groups=[f"{number:03}.pcap" for number in numbers])
    assert by_name.artifact() == evaluated(models, test).artifact()


def test_the_artifact_is_the_same_each_time_and_holds_no_clock(models: dict, rows: Rows) -> None:
    test = rows(COUNTS, seed=1, error=0.2)
    one, two = evaluated(models, test), evaluated(models, test)
    assert one.artifact() == two.artifact()
    assert "rows_per_second" not in json.loads(one.artifact())
    assert set(one.rows_per_second) == set(NAMES)
    assert min(one.rows_per_second.values()) > 0


def test_the_whole_survives_json(models: dict, rows: Rows) -> None:
    evaluation = evaluated(models, rows(COUNTS, seed=1, error=0.2))
    assert Evaluation.model_validate_json(evaluation.model_dump_json()) == evaluation


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": {}}, "no model"),
        ({"labels": ["a"]}, "1 labels"),
        ({"groups": [1]}, "1 groups"),
        ({"validation_scores": {"majority": 1.0}}, "lookup, random_forest"),
    ],
)
def test_what_does_not_fit_together(models: dict, rows: Rows, change: dict, message: str) -> None:
    test = rows(COUNTS)
    arguments = {
        "models": models,
        "test_rows": test,
        "labels": labels_of(test),
        "groups": test["flow"].to_pylist(),
        "validation_scores": dict.fromkeys(NAMES, 0.5),
        **change,
    }
    with pytest.raises(InputError, match=message):
        evaluate_models(**arguments, seed=0, progress=silent)


def test_an_empty_test_side(models: dict, rows: Rows) -> None:
    with pytest.raises(InputError, match="test side has no rows"):
        evaluated(models, rows(COUNTS).slice(0, 0))


def test_whole_captures_are_judged_where_they_are_named(models: dict, rows: Rows) -> None:
    test = rows(COUNTS, seed=1, error=0.3)
    captures = [f"{label}{number % 3}" for number, label in enumerate(labels_of(test))]
    evaluation = evaluated(models, test, groups=captures, captures=captures)
    forest = evaluation.models["random_forest"].captures
    assert forest.captures == 9
    assert forest.right == 1.0  # three rows in ten mislead, but never most of a capture's
    assert evaluation.models["majority"].captures.right == 3 / 9
    assert evaluated(models, test).models["lookup"].captures is None


def test_a_capture_of_two_classes_has_no_verdict(models: dict, rows: Rows) -> None:
    test = rows(COUNTS, seed=1)
    evaluation = evaluated(models, test, captures=["one"] * test.num_rows)
    assert evaluation.models["lookup"].captures is None
