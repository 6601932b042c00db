"""Soft voting over models that do not know the same classes."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.deploy.ensemble import Ensemble


class Fixed:
    """A model that says the same of every row."""

    def __init__(self, **probabilities: float) -> None:
        self.classes = sorted(probabilities)
        self.says = [probabilities[name] for name in self.classes]

    def predict_proba(self, rows: pa.Table) -> np.ndarray:
        return np.tile(self.says, (rows.num_rows, 1))


ROWS = pa.table({"a": [1, 2]})
MAIL, WORM = Fixed(mail=0.9, web=0.1), Fixed(web=0.6, worm=0.4)


def test_classes_are_the_union() -> None:
    assert Ensemble([MAIL, WORM]).classes == ["mail", "web", "worm"]


def test_the_mean_counts_an_unknown_class_as_nothing() -> None:
    assert Ensemble([MAIL, WORM]).predict_proba(ROWS)[0] == pytest.approx([0.45, 0.35, 0.2])


def test_the_own_model_has_half_of_the_vote_beside_its_share() -> None:
    assert Ensemble([WORM], own=MAIL).weights.tolist() == [0.75, 0.25]
    assert Ensemble([WORM] * 3, own=MAIL).weights.tolist() == [0.625, 0.125, 0.125, 0.125]
    assert Ensemble([WORM], own=MAIL).predict_proba(ROWS)[0] == pytest.approx([0.675, 0.225, 0.1])


def test_probabilities_sum_to_one() -> None:
    for ensemble in (Ensemble([MAIL, WORM]), Ensemble([WORM, WORM], own=MAIL)):
        assert ensemble.predict_proba(ROWS).sum(axis=1) == pytest.approx([1, 1])


def test_verdicts_are_the_most_probable_class() -> None:
    assert Ensemble([MAIL, WORM]).verdicts(ROWS) == ["mail", "mail"]
    assert Ensemble([MAIL, WORM, Fixed(web=1.0)]).verdicts(ROWS) == ["web", "web"]


def test_a_model_alone_is_itself() -> None:
    for alone in (Ensemble([MAIL]), Ensemble([], own=MAIL)):
        assert alone.predict_proba(ROWS)[1] == pytest.approx([0.9, 0.1])
