import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score

from pipelines.augment.gate.models import forest, out_of_fold
from pipelines.augment.gate.usefulness import usefulness


def test_the_value_is_the_ratio_of_two_macro_f1(world, pair_of) -> None:
    pair = pair_of(world(90, 0), world(90, 1), seed=7)
    real, made = pair.real, pair.synthetic
    model = RandomForestClassifier(20, class_weight="balanced", random_state=7)
    model.fit(made.points, made.labels)
    crossed = f1_score(real.labels, model.predict(real.points), average="macro")
    guesses = out_of_fold(forest, real.points, real.labels, 7)
    usual = f1_score(real.labels, guesses, average="macro")
    assert usefulness(pair)[0].value == pytest.approx(crossed / usual)


@pytest.mark.parametrize("seed", range(3))
def test_fresh_rows_teach_and_test_as_well(world, pair_of, seed) -> None:
    trained, tested = usefulness(pair_of(world(90, seed), world(150, seed + 50), seed))
    assert trained.passed and tested.passed
    assert 0.7 < trained.bar < 0.9 and 0.7 < tested.bar < 0.9


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
