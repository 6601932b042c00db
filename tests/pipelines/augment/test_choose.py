"""The choice from labelled rows alone: it declines rather than errs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.choose import REPEATS, Choice, choose
from pipelines.augment.trial import ALONE, Arm, Cell, Scores, Study
from pipelines.errors import InputError
from pipelines.models.base import FOLDS
from pipelines.progress import silent

MASKS = ("addresses",)
MODEL = "logistic_regression"


def fresh(make_related, apart: float) -> Arm:
    def arm(real: pa.Table, wanted: Mapping[str, int], seed: int) -> pa.Table:
        return make_related(max(wanted.values()), seed + 10_000, apart)

    return arm


def chosen(make_related, arm: Arm, per_class: int, seed: int, apart: float = 0.9) -> Choice:
    study = Study({"arm": arm}, (MODEL,), MASKS, amounts=(8.0,), metric="accuracy")
    return choose(study, make_related(per_class, seed, apart), MODEL, seed=seed, progress=silent)


def scripted(monkeypatch: pytest.MonkeyPatch, gain: float, noise: float) -> None:
    """Scores of folds in place of trained models."""
    random = np.random.default_rng(0)

    def scores(study: Study, cells: Mapping[Cell, pa.Table], *rest: Any) -> Scores:
        alone = random.uniform(0.5, 0.7)
        found = {cell: alone + gain + random.normal(0, noise) for cell in cells}
        return Scores(dict.fromkeys(cells, 0), {MODEL: {**found, ALONE: alone}})

    monkeypatch.setattr("pipelines.augment.choose.score_cells", scores)


def nothing(real: pa.Table, wanted: Mapping[str, int], seed: int) -> pa.Table:
    return real.slice(0, 0)


def test_a_great_help_is_chosen(make_related, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, gain=0.1, noise=0.05)
    found = chosen(make_related, nothing, 10, seed=0)
    assert (found.arm, found.amount) == ("arm", 8.0)
    assert found.gain == pytest.approx(0.1, abs=0.03)
    assert found.ci[0] > 0
    assert found.words.startswith("arm, 8 rows to each real one: +")


def test_folds_that_overlap_prove_less(make_related, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a plain t interval of twenty folds, +-0.04 about 0.05, this arm would be chosen."""
    scripted(monkeypatch, gain=0.05, noise=0.08)
    found = chosen(make_related, nothing, 10, seed=0)
    assert found.arm is None
    plain = (found.ci[1] - found.gain) / (1 / 20 + 1 / 4) ** 0.5 / 20**0.5
    assert found.gain > plain


def test_of_twenty_rows_it_makes_no_choice(make_related) -> None:
    declined = [chosen(make_related, fresh(make_related, 0.9), 10, seed).arm for seed in range(2)]
    assert declined == [None, None]


def test_an_arm_that_does_nothing_is_not_chosen(make_related) -> None:
    found = chosen(make_related, nothing, 20, seed=0)
    assert (found.arm, found.gain) == (None, 0)
    assert found.words.startswith("No choice: these rows do not tell that any arm helps.")


def test_arms_never_see_the_rows_that_judge_them(make_related) -> None:
    rows, seen = make_related(10, 0), []

    def look(real: pa.Table, wanted: Mapping[str, int], seed: int) -> pa.Table:
        seen.append(real.num_rows)
        return real.slice(0, 0)

    study = Study({"look": look}, ("majority",), MASKS, amounts=(1.0,))
    choose(study, rows, "majority", seed=0, progress=silent)
    assert seen == [16] * (FOLDS * REPEATS)


def test_a_single_row_of_a_class(make_records) -> None:
    rows = make_records(["a", "a", "b"], x=[1, 2, 3])
    with pytest.raises(InputError, match="single row"):
        choose(Study({}, (MODEL,), ()), rows, MODEL, seed=0, progress=silent)
