"""The few-label study: exact spreads, the same draws for all, a choice without the test side."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import InputError
from pipelines.evaluate.few_labels import FewLabelStudy, spread, study_few_labels
from pipelines.progress import silent

Rows = Callable[..., pa.Table]

pytestmark = pytest.mark.usefixtures("small_forests")  # a study fits many


def draws(rows: pa.Table, count: int, per_class: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.array(rows["label"])
    return [
        np.concatenate(
            [rng.choice(np.flatnonzero(labels == name), per_class, False) for name in set(labels)]
        )
        for _ in range(count)
    ]


def study(
    rows: pa.Table, test: pa.Table, drawn: list[np.ndarray], *names: str, **options: object
) -> FewLabelStudy:
    return study_few_labels(names, rows, drawn, test, masks=(), seed=0, progress=silent, **options)


def test_spread_by_hand() -> None:
    result = spread([0.8, 0.9, 1.0])
    # Student's t with 2 degrees of freedom at 97.5 %: 4.302653.
    reach = 4.302653 * 0.1 / 3**0.5
    assert result.mean == pytest.approx(0.9)
    assert result.std == pytest.approx(0.1)
    assert (result.min, result.max) == (0.8, 1.0)
    assert result.ci == (pytest.approx(0.9 - reach), 1.0)


def test_one_draw_has_no_interval() -> None:
    assert spread([0.7]).ci == (0, 1)


def test_equal_draws_have_no_spread() -> None:
    assert spread([0.7, 0.7]).std == 0
    assert spread([0.5, 0.5]).ci == (0.5, 0.5)


def test_a_telling_column_is_found_with_ten_rows_a_class(rows: Rows) -> None:
    pool, test = rows({"a": 100, "b": 100}), rows({"a": 50, "b": 50}, seed=1)
    result = study(pool, test, draws(pool, 3, 10), "majority", "random_forest")
    assert (result.draws, result.rows_per_draw, result.test_rows) == (3, 20, 100)
    forest, majority = result.models["random_forest"], result.models["majority"]
    assert forest.accuracy.mean > 0.95
    assert forest.out_of_fold_macro_f1 > 0.9
    assert majority.accuracy.mean == 0.5
    assert majority.macro_f1.mean == pytest.approx(1 / 3)
    assert result.best == "random_forest"


def test_best_does_not_look_at_the_test_side(rows: Rows) -> None:
    """Within the draws the forest is right; on a test side with swapped labels it is all wrong."""
    pool = rows({"a": 100, "b": 100})
    swapped = rows({"b": 50, "a": 50}, seed=1)
    labels = pa.array(["a" if label == "b" else "b" for label in swapped["label"].to_pylist()])
    test = swapped.set_column(0, swapped.schema.field("label"), labels)
    result = study(pool, test, draws(pool, 2, 10), "majority", "random_forest")
    assert result.best == "random_forest"
    assert result.models["random_forest"].accuracy.mean < 0.1


def test_the_score_within_a_draw_is_of_rows_that_the_model_has_not_seen(rows: Rows) -> None:
    """In pure noise the nearest row is the row itself, for a model that was fitted on it."""
    noise = rows({"a": 100, "b": 100}).drop_columns(["size"])
    result = study(noise, noise.slice(0, 20), draws(noise, 5, 10), "knn")
    assert 0.2 < result.models["knn"].out_of_fold_macro_f1 < 0.8


def test_of_equal_models_the_first_is_best(rows: Rows) -> None:
    pool, test = rows({"a": 50, "b": 50}), rows({"a": 9, "b": 9}, seed=1)
    result = study(pool, test, draws(pool, 2, 10), "majority")
    assert result.best == "majority"


def test_the_same_twice(rows: Rows) -> None:
    pool, test = rows({"a": 50, "b": 50}, error=0.3), rows({"a": 30, "b": 30}, seed=1, error=0.3)
    drawn = draws(pool, 2, 5)
    one, two = (study(pool, test, drawn, "random_forest") for _ in range(2))
    assert one == two


def test_a_model_does_not_depend_on_its_company(rows: Rows) -> None:
    pool, test = rows({"a": 50, "b": 50}, error=0.3), rows({"a": 30, "b": 30}, seed=1, error=0.3)
    drawn = draws(pool, 2, 5)
    alone = study(pool, test, drawn, "random_forest").models["random_forest"]
    together = study(pool, test, drawn, "knn", "random_forest").models["random_forest"]
    assert alone == together


def test_settings_reach_their_model(rows: Rows) -> None:
    pool, test = rows({"a": 20, "b": 20}), rows({"a": 9, "b": 9}, seed=1)
    small = {"cnn": {"channels": 4, "embedding": 2, "epochs": 1}}
    result = study(pool, test, draws(pool, 1, 2), "majority", "cnn", settings=small)
    assert set(result.models) == {"majority", "cnn"}
    with pytest.raises(InputError, match="'layers'"):
        study(pool, test, draws(pool, 1, 2), "cnn", settings={"cnn": {"layers": 1}})


def test_two_rows_a_class_are_enough_and_one_is_not(rows: Rows) -> None:
    pool, test = rows({"a": 20, "b": 20}), rows({"a": 9, "b": 9}, seed=1)
    study(pool, test, draws(pool, 1, 2), "knn")
    with pytest.raises(InputError, match="single row"):
        study(pool, test, draws(pool, 1, 1), "knn")


@pytest.mark.parametrize("missing", ["names", "draws", "test rows"])
def test_nothing_to_study(rows: Rows, missing: str) -> None:
    pool = rows({"a": 20, "b": 20})
    with pytest.raises(InputError, match="needs models, draws and test rows"):
        study(
            pool,
            pool.slice(0, 0) if missing == "test rows" else pool,
            [] if missing == "draws" else draws(pool, 1, 2),
            *([] if missing == "names" else ["knn"]),
        )


# --- absent families -----------------------------------------------------------------------------


def mislabelled(test: pa.Table, count: int) -> pa.Table:
    """The test rows, the last ``count`` of which bear the other class: a family unlike its kin."""
    labels = test["label"].to_pylist()
    others = [*labels[:-count], *("ab"["ba".index(name)] for name in labels[-count:])]
    return test.set_column(0, test.schema.field("label"), pa.array(others))


def test_absent_families_have_a_score_of_their_own(rows: Rows) -> None:
    """A model that is right on all that it knows and wrong on a family that it has never seen."""
    pool = rows({"a": 100, "b": 100})
    test = mislabelled(rows({"a": 30, "b": 50}, seed=1), 20)
    absent = np.arange(80) >= 60
    result = study(pool, test, draws(pool, 3, 10), "knn", "majority", absent=absent)
    assert (result.test_rows, result.absent_rows) == (80, 20)
    knn = result.models["knn"]
    assert knn.accuracy.mean == 0.75
    assert knn.absent is not None
    assert (knn.absent.mean, knn.absent.std, knn.absent.min) == (0, 0, 0)
    right = study(pool, test, draws(pool, 3, 10), "knn", absent=~absent).models["knn"].absent
    assert right is not None and right.mean == 1


def test_the_score_on_absent_families_spreads_over_draws(rows: Rows) -> None:
    pool, test = rows({"a": 60, "b": 60}, error=0.4), rows({"a": 60, "b": 60}, seed=1, error=0.4)
    drawn, absent = draws(pool, 4, 3), np.arange(120) % 2 == 0
    both = study(pool, test, drawn, "knn", absent=absent).models["knn"]
    alone = study(pool, test.filter(pa.array(absent)), drawn, "knn").models["knn"]
    assert both.absent == alone.accuracy, "it is the accuracy on these rows"
    assert both.absent is not None and both.absent.min < both.absent.mean < both.absent.max
    without = study(pool, test, drawn, "knn").models["knn"]
    assert without == both.model_copy(update={"absent": None}), "all else is as it was"


@pytest.mark.parametrize("absent", [None, np.zeros(18, dtype=bool)])
def test_without_absent_families_nothing_is_said_of_them(rows: Rows, absent: object) -> None:
    pool, test = rows({"a": 50, "b": 50}), rows({"a": 9, "b": 9}, seed=1)
    result = study(pool, test, draws(pool, 2, 10), "majority", absent=absent)
    assert result.absent_rows == 0
    assert result.models["majority"].absent is None
