"""The choice from labelled rows alone: what is likelier than luck, and how sure that is."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import t as student

from pipelines.augment.choose import choose, corrected_reach, verdict_within
from pipelines.augment.findings import ModelFindings
from pipelines.augment.settings import REPEATS
from pipelines.augment.trial import ALONE, Arm, Made, Scores, Study, Trial, training_rows
from pipelines.augment.verdict import Outcome
from pipelines.errors import InputError
from pipelines.evaluate.few_labels import spread
from pipelines.models.base import FOLDS, labels_of
from pipelines.progress import silent

MASKS = ("addresses",)
MODEL = "majority"
SIZES = (1.0, 8.0)


def nothing(real: pa.Table, wanted: Mapping[str, int], seed: int) -> Made:
    return Made(real.slice(0, 0))


def chosen(rows: pa.Table, arms: Mapping[str, Arm], **options: Any) -> ModelFindings:
    settings = {"models": (MODEL,), "masks": MASKS, "amounts": SIZES, **options}
    return choose(Study(arms, **settings), rows, seed=0, progress=silent).models[MODEL]


def scripted(monkeypatch: pytest.MonkeyPatch, gains: Mapping[str, float], noise: float) -> None:
    """Scores of folds in place of trained models: each arm's gain, and noise."""
    random = np.random.default_rng(0)

    def scores(trial: Trial) -> Scores:
        treated = training_rows(trial)
        alone = random.uniform(0.5, 0.7)
        found = {
            one: alone if one == ALONE else alone + gains[one.arm] + random.normal(0, noise)
            for one in treated
        }
        return Scores(dict.fromkeys(treated, 0), {MODEL: found})

    monkeypatch.setattr("pipelines.augment.scoring.scores_of", scores)


def test_a_great_help_is_chosen(make_related, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, {"good": 0.2, "bad": -0.1}, noise=0.04)
    found = chosen(make_related(10, 0), {"bad": nothing, "good": nothing}).verdict
    assert (found.kind, found.arm) == ("use", "good")
    assert found.amount in SIZES
    assert found.gain == pytest.approx(0.2, abs=0.04)
    assert found.ci[0] > 0
    assert found.words.startswith(f"Use good, {found.amount:g} rows to each real one: +")
    assert found.words.endswith("in cross-validation of 20 labelled rows."), "it is sure"


def outcome(arm: str, gain: float, reach: float) -> Outcome:
    return Outcome(
        arm=arm, amount=2.0, screened=False, rows=40.0, score=spread([0.7, 0.8]),
        gain=gain, ci=(gain - reach, gain + reach), rate=None,
    )  # fmt: skip


@pytest.mark.parametrize(("gain", "arm"), [(0.06, "good"), (1e-9, "good"), (0.0, None)])
def test_what_gains_is_chosen_and_called_unsure(gain: float, arm: str | None) -> None:
    found = verdict_within([outcome("bad", -0.1, 0.01), outcome("good", gain, 0.3)], 100)
    assert found.arm == arm
    assert found.words.endswith("the interval holds 0.") == (arm is not None)


def test_the_largest_gain_is_chosen_and_not_the_surest() -> None:
    outcomes = [outcome("sure", 0.02, 0.01), outcome("large", 0.05, 0.2)]
    assert verdict_within(outcomes, 100).arm == "large"


@pytest.mark.parametrize(("gain", "noise"), [(-0.05, 0.01), (0.0, 0.0), (-0.2, 0.01)])
def test_it_declines_where_nothing_gains(
    make_related, monkeypatch: pytest.MonkeyPatch, gain: float, noise: float
) -> None:
    scripted(monkeypatch, {"arm": gain}, noise)
    found = chosen(make_related(10, 0), {"arm": nothing}).verdict
    assert (found.kind, found.arm, found.amount) == ("undecided", None, None)
    assert found.words.startswith(
        "Declined: in cross-validation of 20 labelled rows no arm helps. The best, arm, "
    )
    assert found.draws_needed is None, "more folds of the same rows tell nothing more"


def test_noise_is_taken_for_a_gain_and_hardly_ever_called_sure(
    make_related, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of fifty studies of six arms that do nothing, each trial's noise its own."""
    rows, arms = make_related(5, 0), {str(one): nothing for one in range(6)}
    scripted(monkeypatch, dict.fromkeys(arms, 0.0), noise=0.05)
    used = [found for _ in range(50) if (found := chosen(rows, arms).verdict).kind == "use"]
    assert sum(verdict.ci[0] > 0 for verdict in used) <= 3
    assert all(("not sure" in one.words) == (one.ci[0] <= 0) for one in used)


def test_folds_that_overlap_prove_less() -> None:
    gains = np.random.default_rng(0).normal(0.05, 0.08, size=(10, 1))
    plain = student.ppf(0.975, 9) * gains.std(ddof=1) / 10**0.5
    [reach] = corrected_reach(gains, FOLDS)
    assert reach == pytest.approx(plain * (1 + 10 / 4) ** 0.5)


def test_more_treatments_are_less_sure() -> None:
    gains = np.random.default_rng(0).normal(size=(10, 1))
    one, six = corrected_reach(gains, FOLDS), corrected_reach(np.tile(gains, 6), FOLDS)
    assert (six > 1.3 * one).all()
    assert np.ptp(six) == 0


def test_an_arm_without_rows_gains_nothing(make_related) -> None:
    found = chosen(make_related(10, 0), {"arm": nothing})
    assert [outcome.gain for outcome in found.outcomes] == [0, 0]
    assert found.verdict.kind == "undecided"


def test_rows_with_wrong_labels_do_harm(make_related) -> None:
    """With a model that is trained, and the same rows under their right labels beside it."""

    def right(real: pa.Table, wanted: Mapping[str, int], seed: int) -> Made:
        return Made(make_related(max(wanted.values()), seed + 10_000, 4.0))

    def wrong(real: pa.Table, wanted: Mapping[str, int], seed: int) -> Made:
        made = right(real, wanted, seed).rows
        labels = pa.array(["ab"["ba".index(name)] for name in labels_of(made)])
        place = made.schema.get_field_index("label")
        return Made(made.set_column(place, made.schema.field("label"), labels))

    rows = make_related(20, 1, 4.0)
    study = Study({"wrong": wrong, "right": right}, ("knn",), MASKS, (8.0,))
    found = choose(study, rows, seed=0, progress=silent).models["knn"]
    harmful, fresh = found.outcomes
    assert harmful.ci[1] < 0
    assert fresh.ci[0] < 0.1, "little is left to gain"
    assert found.verdict.arm in ("right", None)


def test_arms_never_see_the_rows_that_judge_them(
    make_related, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, seen, judged = make_related(10, 0), [], []

    def look(real: pa.Table, wanted: Mapping[str, int], seed: int) -> Made:
        seen.append(real["flow"].to_pylist())
        assert wanted == {"a": 64, "b": 64}
        return Made(real.slice(0, 0))

    def scores(trial: Trial) -> Scores:
        treated = training_rows(trial)
        judged.append(trial.judges["flow"].to_pylist())
        assert sorted(set(labels_of(trial.judges))) == ["a", "b"], "every class judges"
        return Scores(dict.fromkeys(treated, 0), {MODEL: dict.fromkeys(treated, 0.5)})

    monkeypatch.setattr("pipelines.augment.scoring.scores_of", scores)
    chosen(rows, {"look": look})
    assert len(seen) == len(judged) == REPEATS * FOLDS
    everything = sorted(rows["flow"].to_pylist())
    for real, judges in zip(seen, judged, strict=True):
        assert sorted(real + judges) == everything
    first, second = judged[:FOLDS], judged[FOLDS:]
    assert sorted(chain(*first)) == sorted(chain(*second)) == everything
    assert sorted(map(sorted, first)) != sorted(map(sorted, second)), "folds are cut anew"


def test_what_was_found_says_what_it_rests_on(make_related) -> None:
    study = Study({"arm": nothing}, (MODEL,), MASKS, SIZES, metric="accuracy")
    found = choose(study, make_related(10, 0), seed=0, progress=silent)
    assert (found.within, found.metric, found.draws) == (True, "accuracy", REPEATS * FOLDS)
    assert (found.real_rows, found.test_rows) == (16, 20)
    [first, second] = found.models[MODEL].outcomes
    assert (first.arm, first.amount, first.rate) == ("arm", 1.0, None)
    assert second.amount == 8.0


def test_as_many_folds_as_the_rarest_class_has_rows(make_records) -> None:
    rows = make_records(["a"] * 8 + ["b"] * 2, x=list(range(10)))
    study = Study({"arm": nothing}, (MODEL,), (), SIZES)
    assert choose(study, rows, seed=0, progress=silent).draws == 2 * REPEATS


def test_a_single_row_of_a_class(make_records) -> None:
    rows = make_records(["a", "a", "b"], x=[1, 2, 3])
    with pytest.raises(InputError, match="single row"):
        choose(Study({"arm": nothing}, (MODEL,), (), SIZES), rows, seed=0, progress=silent)


def test_the_progress_reaches_its_end(make_related) -> None:
    seen: list[tuple[str, float, float | None]] = []

    def tell(what: str, done: float, total: float | None, unit: str) -> None:
        seen.append((what, done, total))

    study = Study({"arm": nothing}, (MODEL,), MASKS, SIZES)
    choose(study, make_related(10, 0), seed=0, progress=tell)
    total = REPEATS * FOLDS
    parts = ("making rows", "folds")
    assert seen == [(part, number, total) for part in parts for number in range(total + 1)]


def test_the_same_seed_finds_the_same(make_related) -> None:
    rows = make_related(10, 0)
    assert chosen(rows, {"arm": nothing}) == chosen(rows, {"arm": nothing})
