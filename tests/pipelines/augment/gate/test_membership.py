import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.augment.gate.membership import membership

MASKS = ("addresses",)


def test_without_a_holdout_nobody_can_say(world) -> None:
    assert membership(world(60, 0), world(60, 1), None, MASKS, 0).passed is None


@pytest.mark.parametrize("seed", range(4))
def test_fresh_rows_betray_nobody(world, seed) -> None:
    real, made, other = (world(90, seed + part) for part in (0, 50, 100))
    assert membership(real, made, other, MASKS, seed).passed


def test_copies_betray_their_rows(world) -> None:
    real = world(90, 0)
    found = membership(real, real, world(90, 1), MASKS, 0)
    assert found.passed is False and found.value > 0.99


def test_the_value_is_the_auc_of_the_nearest_distance(plain) -> None:
    """Seven evenly spaced points: the space of one column does not change the order."""
    made = plain(x=[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
    random = np.random.default_rng(0)
    seen, unseen = random.normal(size=(2, 40)).clip(-3, 3)
    found = membership(plain(x=seen.tolist()), made, plain(x=unseen.tolist()), (), 0)

    def log(values: np.ndarray) -> np.ndarray:
        return np.sign(values) * np.log1p(np.abs(values))

    both = log(np.concatenate([seen, unseen]))
    away = np.abs(both[:, None] - log(np.arange(-3.0, 4.0))).min(axis=1)
    assert found.value == pytest.approx(roc_auc_score(np.repeat([1, 0], 40), -away), abs=1e-3)


def test_a_value_that_only_the_seen_rows_have_is_no_betrayal(plain) -> None:
    """An encoder fitted on the seen rows would know it, and not what the others have."""
    random = np.random.default_rng(0)
    one, made, other = ([f"h{n}" for n in random.integers(0, 10**6, 60)] for _ in range(3))
    assert membership(plain(c=one), plain(c=made), plain(c=other), (), 0).value == 0.5


def test_another_mix_of_classes_in_the_holdout_is_no_betrayal(world) -> None:
    other = world(300, 2)
    rare = np.array(other["label"].to_pylist()) == "worm"
    rare[:45] = True
    made = world(150, 1)
    benign = made.filter(pa.array(np.array(made["label"].to_pylist()) == "benign"))
    assert membership(world(150, 0), benign, other.filter(pa.array(rare)), MASKS, 0).passed


def test_few_rows_are_not_judged(world) -> None:
    assert membership(world(60, 0), world(60, 1), world(9, 2), MASKS, 0).passed is None
