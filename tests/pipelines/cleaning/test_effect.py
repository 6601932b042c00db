import numpy as np
import pyarrow as pa
import pytest

from pipelines.cleaning.effect import measure_effect
from pipelines.cleaning.kinds import Pool

pytestmark = pytest.mark.usefixtures("small_forests")


def noisy(make_table, wrong: int) -> pa.Table:
    """Two classes that one column tells apart, of which ``wrong`` rows each are mislabelled."""
    rng = np.random.default_rng(0)
    size = 60
    labels = ["left"] * size + ["right"] * size
    for place in range(wrong):
        labels[place], labels[size + place] = "right", "left"
    x = np.concatenate([rng.normal(0, 1, size), rng.normal(4, 1, size)])
    return make_table(labels, x=x.tolist())


def test_taking_wrong_rows_raises_the_score_on_those_that_stay(make_table) -> None:
    wrong = np.arange(120) % 60 < 20
    found = measure_effect(Pool(noisy(make_table, 20)), wrong)
    assert found is not None
    assert found.macro_f1_with > found.macro_f1_without + 0.05


def test_moving_nothing_changes_nothing(make_table) -> None:
    found = measure_effect(Pool(noisy(make_table, 5)), np.zeros(120, bool))
    assert found is not None and found.macro_f1_with == found.macro_f1_without


@pytest.mark.parametrize("hit", [np.arange(120) < 60, np.ones(120, bool)])
def test_what_leaves_one_class_or_none_has_no_score(make_table, hit) -> None:
    assert measure_effect(Pool(noisy(make_table, 0)), hit) is None
