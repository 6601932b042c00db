import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score

from pipelines.augment.gate.models import fitted, forest, out_of_fold
from pipelines.augment.gate.usefulness import WORTH, usefulness


def test_the_value_is_the_ratio_of_two_macro_f1(world, pair_of) -> None:
    pair = pair_of(world(90, 0), world(90, 1), seed=7)
    real, made = pair.real, pair.synthetic
    model = RandomForestClassifier(20, class_weight="balanced", random_state=7)
    model.fit(made.points, made.labels)
    crossed = f1_score(real.labels, model.predict(real.points), average="macro")
    guesses = out_of_fold(forest, real.points, real.labels, 7)
    usual = f1_score(real.labels, guesses, average="macro")
    assert usefulness(pair)[0].value == pytest.approx(crossed / usual)


def test_the_bar_is_two_standard_errors_below_nine_tenths(world, pair_of) -> None:
    """The ratio on real rows that are resampled within their classes, by scikit-learn's scores."""
    pair = pair_of(world(90, 0), world(90, 1), seed=7)
    truth = pair.real.labels
    crossed = fitted(forest, pair.synthetic.points, pair.synthetic.labels, 7).predict(
        pair.real.points
    )
    usual = out_of_fold(forest, pair.real.points, truth, 7)
    random = np.random.default_rng(0)
    ratios = []
    for _ in range(200):
        own = [np.flatnonzero(truth == name) for name in np.unique(truth)]
        rows = np.concatenate([random.choice(places, len(places)) for places in own])
        scores = [f1_score(truth[rows], g[rows], average="macro") for g in (crossed, usual)]
        ratios.append(scores[0] / scores[1])
    assert np.std(ratios) > 0.01
    assert usefulness(pair)[0].bar == pytest.approx(0.9 - 2 * np.std(ratios), abs=0.01)


def test_forests_that_err_in_the_same_rows_have_no_error_of_their_ratio(world, pair_of) -> None:
    pair = pair_of(world(90, 1), world(150, 51), seed=1)
    made = fitted(forest, pair.synthetic.points, pair.synthetic.labels, 1)
    usual = out_of_fold(forest, pair.real.points, pair.real.labels, 1)
    assert (made.predict(pair.real.points) == usual).all()
    assert usefulness(pair)[0].bar == WORTH


@pytest.mark.parametrize("seed", range(3))
def test_fresh_rows_teach_and_test_as_well(world, pair_of, seed) -> None:
    trained, tested = usefulness(pair_of(world(90, seed), world(150, seed + 50), seed))
    assert trained.passed and tested.passed
    assert 0.7 < trained.bar <= WORTH and 0.7 < tested.bar <= WORTH


def test_random_labels_do_neither(world, pair_of) -> None:
    made = world(150, 1)
    labels = made["label"].take(pa.array(np.random.default_rng(0).permutation(150)))
    noise = made.set_column(0, made.schema.field("label"), labels)
    trained, tested = usefulness(pair_of(world(90, 0), noise))
    assert trained.passed is False and tested.passed is False
    assert trained.value < 0.7 and "rows do not teach as well" in trained.words


def test_a_class_that_is_not_made_is_not_asked_for(world, pair_of) -> None:
    made = world(150, 1)
    two = made.filter(pa.array(np.array(made["label"].to_pylist()) != "worm"))
    assert usefulness(pair_of(world(90, 0), two))[0].passed


def test_one_class_is_not_judged(world, pair_of) -> None:
    made = world(150, 1)
    one = made.filter(pa.array(np.array(made["label"].to_pylist()) == "worm"))
    assert [check.passed for check in usefulness(pair_of(world(90, 0), one))] == [None, None]
