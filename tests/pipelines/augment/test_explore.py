"""The study of arms: who gets which rows, and what is concluded, with arms whose truth is known."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.arms import arm_of
from pipelines.augment.explore import explore
from pipelines.augment.findings import Exploration
from pipelines.augment.gate.gate import judge
from pipelines.augment.generators import generate
from pipelines.augment.names import REAL
from pipelines.augment.trial import (
    ALONE,
    Arm,
    Made,
    Study,
    Treatment,
    more_real,
    training_rows,
    trial_of,
)
from pipelines.errors import InputError
from pipelines.models.base import labels_of
from pipelines.progress import silent

MASKS = ("addresses",)
MODEL = "random_forest"
NOISE = 12

pytestmark = pytest.mark.usefixtures("small_forests")  # a study fits many


def copies(real: pa.Table, wanted: Mapping[str, int], seed: int) -> Made:
    return Made(generate("duplicates", real, wanted, masks=MASKS, seed=seed))


def perfect(make_related, apart: float) -> Arm:
    """Fresh rows of the same distribution."""

    def arm(real: pa.Table, wanted: Mapping[str, int], seed: int) -> Made:
        return Made(make_related(max(wanted.values()), seed + 10_000, apart, NOISE))

    return arm


def flipped(inner: Arm, share: float) -> Arm:
    """The rows of another arm, of which a share bear the wrong label."""

    def arm(real: pa.Table, wanted: Mapping[str, int], seed: int) -> Made:
        made = inner(real, wanted, seed).rows
        wrong = np.random.default_rng(seed).random(made.num_rows) < share
        labels = [
            "ab"["ba".index(name)] if bad else name
            for name, bad in zip(labels_of(made), wrong, strict=True)
        ]
        place = made.schema.get_field_index("label")
        return Made(made.set_column(place, made.schema.field("label"), pa.array(labels)))

    return arm


def draws(rows: pa.Table, count: int, per_class: int) -> list[np.ndarray]:
    labels, random = np.array(labels_of(rows)), np.random.default_rng(0)
    return [
        np.concatenate(
            [random.choice(np.flatnonzero(labels == name), per_class, False) for name in "ab"]
        )
        for _ in range(count)
    ]


def explored(make_related, arms: Mapping[str, Arm], **options) -> Exploration:
    """Ten draws of 4 + 4 rows from 400, and a test side of 300."""
    rows = make_related(200, 1, 2.0, NOISE)
    study = Study(arms, (MODEL,), MASKS, amounts=(2.0, 12.0), metric="accuracy", **options)
    test_rows = make_related(150, 2, 2.0, NOISE)
    return explore(study, rows, draws(rows, 10, 4), test_rows, seed=0, progress=silent)


def test_each_cell_has_the_rows_that_it_says(make_related) -> None:
    rows = make_related(50, 1)
    real, rest = rows.slice(0, 8), rows.slice(8)
    study = Study({"copies": copies}, (MODEL,), MASKS, amounts=(0.25, 1.0, 2.0))
    cells = training_rows(trial_of(study, real, rest, rows, seed=0))
    sizes = {cell: found.num_rows - 8 for cell, found in cells.items()}
    assert sizes == {
        ALONE: 0,
        Treatment("copies", 0.25): 2, Treatment("copies", 1.0): 8, Treatment("copies", 2.0): 16,
        Treatment(REAL, 0.25): 2, Treatment(REAL, 1.0): 8, Treatment(REAL, 2.0): 16,
    }  # fmt: skip
    for found in cells.values():
        assert labels_of(found).count("a") * 2 == found.num_rows, "as balanced as the real rows"
        assert found.slice(0, 8).equals(real)
    assert cells[Treatment("copies", 2.0)].slice(0, 16).equals(cells[Treatment("copies", 1.0)]), (
        "amounts are nested"
    )
    drawn = cells[Treatment(REAL, 2.0)].slice(8)["size"].to_pylist()
    assert set(drawn) <= set(rest["size"].to_pylist())


def test_more_real_rows_are_those_there_are(make_records) -> None:
    rest = make_records(["a"] * 5 + ["b"], x=list(range(6)))
    found = more_real(rest, {"a": 3, "b": 3}, seed=0)
    assert sorted(labels_of(found)) == ["a", "a", "a", "b"]
    assert len(set(found["x"].to_pylist())) == 4, "none twice"


def test_a_screen_sorts_out_rows_of_each_amount(make_related) -> None:
    rows = make_related(50, 1)

    def every_second(real: pa.Table, made: pa.Table, seed: int) -> np.ndarray:
        return np.arange(made.num_rows) % 2 == 0

    study = Study({"copies": copies}, (MODEL,), MASKS, amounts=(1.0, 2.0), screen=every_second)
    real = rows.slice(0, 8)
    cells = training_rows(trial_of(study, real, None, rows, seed=0))
    sizes = {cell: found.num_rows - 8 for cell, found in cells.items()}
    assert sizes[Treatment("copies", 1.0, screened=True)] == 4
    assert sizes[Treatment("copies", 2.0, screened=True)] == 8
    assert sizes[Treatment("copies", 2.0)] == 16
    assert not any(treatment.arm == REAL for treatment in cells)


def test_the_gate_calls_rows_what_they_are(make_related) -> None:
    """Of all draws together, since few rows of one draw show little."""

    def shuffled(real: pa.Table, wanted: Mapping[str, int], seed: int) -> Made:
        return Made(generate("marginals", real, wanted, masks=MASKS, seed=seed))

    def refusing(real: pa.Table, wanted: Mapping[str, int], seed: int) -> Made:
        return Made(real.slice(0, 0), {"a copy": 3}, "The budget is spent.")

    good = perfect(make_related, 2.0)
    arms = {"good": good, "copies": copies, "wrong": flipped(good, 0.4), "refusing": refusing}
    found = explored(make_related, {**arms, "shuffled": shuffled}).arms
    words = {name: arm.gate for name, arm in found.items()}
    assert "copies" in words["copies"]
    assert "bear labels that the real rows contradict" in words["wrong"]
    assert "correlat" in words["shuffled"]
    assert not any(fault in words["good"] for fault in ("copies", "correlat"))
    assert found["refusing"].gate == "no rows"
    assert found["refusing"].refused == {"a copy": 30}, "ten draws"
    assert (found["good"].rows, found["refusing"].rows) == (96, 0)


def test_a_perfect_generator_is_used_at_a_fair_rate(make_related) -> None:
    found = explored(make_related, {"perfect": perfect(make_related, 2.0)})
    model = found.models[MODEL]
    assert (found.draws, found.real_rows, found.test_rows) == (10, 8, 300)
    assert (model.verdict.kind, model.verdict.arm) == ("use", "perfect")
    best = next(o for o in model.outcomes if (o.arm, o.amount) == ("perfect", 12.0))
    assert best.rows == 96
    assert best.ci[0] > 0
    rate = best.rate
    assert rate is not None
    assert rate.ci[0] < 1 < rate.ci[1]


def test_no_benefit_is_found_where_there_is_none(make_related) -> None:
    rows = make_related(200, 1, 3.0)
    study = Study({"copies": copies}, ("majority",), MASKS, amounts=(1.0,))
    found = explore(
        study, rows, draws(rows, 6, 10), make_related(50, 2, 3.0), seed=0, progress=silent
    )
    assert found.models["majority"].verdict.kind == "none"
    assert found.models["majority"].verdict.words.startswith("No benefit: no arm gains 1 points")


def test_wrong_labels_do_harm(make_related) -> None:
    arms = {"wrong": flipped(perfect(make_related, 2.0), 0.5)}
    found = explored(make_related, arms).models[MODEL]
    most = next(o for o in found.outcomes if (o.arm, o.amount) == ("wrong", 12.0))
    assert most.ci[1] < 0
    assert found.verdict.kind != "use"


def test_the_same_seed_finds_the_same(make_related) -> None:
    arms = {"smote": arm_of("smote", MASKS, None, silent)}
    first, second = explored(make_related, arms), explored(make_related, arms)
    assert first == second


def test_what_decides_nothing_is_refused(make_related) -> None:
    rows = make_related(50, 1)
    ask = partial(explore, test_rows=rows, seed=0, progress=silent)
    with pytest.raises(InputError, match="5 draws decide nothing"):
        ask(Study({}, (MODEL,), MASKS, (1.0,)), rows, draws(rows, 5, 4))


def test_the_progress_reaches_its_end(make_related) -> None:
    seen: list[tuple[str, float, float | None]] = []
    rows = make_related(50, 1)
    explore(
        Study({"copies": copies}, ("majority",), MASKS, amounts=(1.0,)),
        rows,
        draws(rows, 6, 4),
        rows,
        seed=0,
        progress=lambda what, done, total, unit: seen.append((what, done, total)),
    )
    assert seen[:7] == [("making rows", number, 6) for number in range(7)]
    assert seen[7:] == [("draws", number, 6) for number in range(7)]


# --- absent families -----------------------------------------------------------------------------


def with_family(make_related, share: float) -> tuple[pa.Table, np.ndarray]:
    """Judging rows, some of ``a`` and ``b`` alike with the labels changed: a family that no
    training row is of; and which rows these are."""
    rows = make_related(150, 2, 2.0, NOISE)
    absent = np.random.default_rng(0).random(rows.num_rows) < share
    labels = [
        "ab"["ba".index(name)] if other else name
        for name, other in zip(labels_of(rows), absent, strict=True)
    ]
    place = rows.schema.get_field_index("label")
    return rows.set_column(place, rows.schema.field("label"), pa.array(labels)), absent


def explored_with(make_related, arms: Mapping[str, Arm], absent: bool, **options) -> Exploration:
    rows = make_related(200, 1, 2.0, NOISE)
    judges, which = with_family(make_related, 0.25)
    study = Study(arms, (MODEL,), MASKS, amounts=(2.0, 12.0), metric="accuracy", **options)
    return explore(
        study, rows, draws(rows, 8, 4), judges, seed=0, progress=silent,
        absent=which if absent else None,
    )  # fmt: skip


def test_what_helps_on_the_known_may_harm_on_absent_families(make_related) -> None:
    """Rows of the known families teach that the other one is none: gains and losses stand apart."""
    found = explored_with(make_related, {"perfect": perfect(make_related, 2.0)}, absent=True)
    _, which = with_family(make_related, 0.25)
    assert (found.test_rows, found.absent_rows) == (300, int(which.sum()))
    model = found.models[MODEL]
    assert model.absent is not None
    assert model.absent.mean < 0.5 < model.alone.mean
    most = next(o for o in model.outcomes if (o.arm, o.amount) == ("perfect", 12.0))
    assert most.absent is not None
    assert most.gain > 0 > most.absent.gain
    assert most.absent.gain == pytest.approx(most.absent.score.mean - model.absent.mean)
    assert all(outcome.absent for outcome in model.outcomes), "more real rows among them"
    assert model.on_absent.startswith(
        f"Families that no draw holds: accuracy {model.absent.mean:.3f} with the real rows alone"
    )
    assert f"the worst draw {model.absent.min:.3f}" in model.on_absent
    surest = max((o.absent.ci[0], o.amount) for o in model.outcomes if o.arm == "perfect")
    assert f"Surest there is perfect, {surest[1]:g} to one: " in model.on_absent


def test_the_verdict_is_of_all_rows_whatever_is_absent(make_related) -> None:
    arms = {"perfect": perfect(make_related, 2.0)}
    told, plain = (explored_with(make_related, arms, absent=one) for one in (True, False))
    one, other = told.models[MODEL], plain.models[MODEL]
    assert one.verdict == other.verdict
    assert [o.model_copy(update={"absent": None}) for o in one.outcomes] == other.outcomes
    assert (plain.absent_rows, other.absent, other.on_absent) == (0, None, "")


def test_rows_of_absent_families_do_not_accuse_a_generator(
    make_related, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are far from any draw, so they would make every made row look like one betrayed."""
    seen: list[int] = []

    def judged(real, made, *, holdout, known, **rest):
        seen.extend((holdout.num_rows, known.num_rows))
        return judge(real, made, holdout=holdout, known=known, **rest)

    monkeypatch.setattr("pipelines.augment.explore.judge", judged)
    found = explored_with(make_related, {"copies": copies}, absent=True)
    assert seen == [300 - found.absent_rows, 400]
