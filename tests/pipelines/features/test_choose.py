"""Useful features are kept, useless ones are not, and every proposal gets its reason."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import InputError
from pipelines.features.choose import Choice, Outcome, choose_features
from pipelines.features.parse import parse
from pipelines.progress import silent

Table = Callable[..., pa.Table]
Sides = tuple[pa.Table, pa.Table]

NOISE = [f"product(n{i}, n{j})" for i, j in combinations(range(7), 2)][:20]


@pytest.fixture(scope="module")
def sides(table: Table) -> Callable[..., Sides]:
    """``sides(seed, useful)``: the label is that of a / b if ``useful``, else half that of s."""

    def side(rng: np.random.Generator, rows: int, useful: bool) -> pa.Table:
        columns: dict[str, Any] = {n: rng.normal(size=rows) for n in ("a", "b", "s")}
        told = columns["a"] / columns["b"] if useful else columns["s"] + rng.normal(size=rows)
        columns["label"] = np.where(told > 0.5, "attack", "benign").tolist()
        return table(columns | {f"n{i}": rng.normal(size=rows) for i in range(7)})

    def make(seed: int, useful: bool, rows: int = 250) -> Sides:
        rng = np.random.default_rng(seed)
        return side(rng, rows, useful), side(rng, rows, useful)

    return make


def choose(sides: Sides, texts: Sequence[str], **settings: Any) -> Choice:
    train, validation = sides
    expressions = [parse(text, train.schema, masks=()) for text in texts]
    given = {"model": "logistic_regression", "masks": (), "seed": 1, "repeats": 1}
    return choose_features(
        train, validation, expressions, **{**given, "progress": silent, **settings}
    )


def only(choice: Choice) -> Outcome:
    (outcome,) = choice.outcomes
    return outcome


def test_a_planted_ratio_is_found_among_noise(sides: Callable[..., Sides]) -> None:
    choice = choose(sides(0, useful=True), [*NOISE[:10], "ratio(a, b)", *NOISE[10:]])
    assert choice.kept == ["ratio(a, b)"]
    assert choice.tried == 21
    assert choice.level == pytest.approx(1 - 0.05 / 21)
    assert choice.macro_f1_without < 0.7 < 0.9 < choice.macro_f1_with
    outcome = choice.outcomes[10]
    assert outcome.difference == pytest.approx(choice.macro_f1_with - choice.macro_f1_without)
    assert outcome.ci is not None and 0 < outcome.ci[0] < outcome.difference < outcome.ci[1]


@pytest.mark.parametrize("seed", range(3))
def test_twenty_useless_features_are_dropped(sides: Callable[..., Sides], seed: int) -> None:
    choice = choose(sides(seed, useful=False), NOISE, seed=seed)
    assert choice.kept == []
    for outcome in choice.outcomes:
        assert outcome.ci is not None
        surely_lost = outcome.ci[1] < 0
        assert outcome.verdict == ("worse" if surely_lost else "not beyond its interval")
    assert any(outcome.difference < 0 for outcome in choice.outcomes if outcome.difference)
    assert choice.macro_f1_with == choice.macro_f1_without > 0.6


def test_two_features_that_each_add_something_are_both_kept(table: Table) -> None:
    rng = np.random.default_rng(5)

    def side() -> pa.Table:
        a, b, c, d = rng.normal(size=(4, 500))
        told = (a / b > 0.5).astype(int) + 2 * (c / d > 0.5)
        columns = {"a": a, "b": b, "c": c, "d": d, "label": [f"c{n}" for n in told]}
        return table(columns)

    choice = choose((side(), side()), ["ratio(a, b)", "ratio(c, d)", "product(a, c)"])
    assert choice.kept == ["ratio(a, b)", "ratio(c, d)"]
    assert choice.macro_f1_with > 0.9


def test_of_two_that_say_the_same_one_is_kept(sides: Callable[..., Sides]) -> None:
    choice = choose(sides(0, useful=True), ["gt(ratio(a, b), 0.5)", "ratio(a, b)"])
    assert sorted(outcome.verdict for outcome in choice.outcomes) == ["kept", "redundant"]
    redundant = next(o for o in choice.outcomes if o.verdict == "redundant")
    assert redundant.ci is not None and redundant.ci[0] <= 0


@pytest.mark.parametrize(
    ("text", "verdict", "reason"),
    [
        ("gt(x, 1000)", "constant", "It is 0 on every training row."),
        ("sum(x, 0)", "copy", "On every training row it equals x."),
        ("x", "copy", "On every training row it equals x."),
        ("product(x, -1)", "copy", "On every training row it equals y."),  # minus zero is zero
        ("ratio(x, gt(x, 1000))", "not computed", "It is unknown on every training row."),
        ("sum(x, last_seen_ns)", "not computed", "It reads the group time, which is masked."),
        ("window_mean(x, by=z, last=2)", "not computed", "A window needs the time of every row."),
    ],
)
def test_what_needs_no_fit_gets_none(table: Table, text: str, verdict: str, reason: str) -> None:
    columns = {
        "x": [0.0, 1.0, 2.0],
        "y": [0.0, -1.0, -2.0],
        "z": ["h", "h", "h"],
        "label": ["p", "q", "p"],
        "last_seen_ns": [1, 2, 3],
    }
    sides = table(columns), table(columns | {"last_seen_ns": [1, 2, None]})
    choice = choose(sides, [text], model="majority", masks=("time",))
    outcome = only(choice)
    assert outcome.verdict == verdict
    assert outcome.reason.startswith(reason)
    assert choice.tried == 0 and outcome.difference is None and outcome.ci is None


def test_a_copy_of_an_earlier_proposal_is_not_tried(sides: Callable[..., Sides]) -> None:
    choice = choose(sides(0, useful=True), ["product(a, b)", "product(b, a)", "product(a, b)"])
    assert [outcome.verdict == "copy" for outcome in choice.outcomes] == [False, True, True]
    assert choice.outcomes[1].reason == "On every training row it equals product(a, b)."


def test_a_feature_that_misleads_is_called_worse(table: Table) -> None:
    """Its sign means one class on training rows, the other on validation rows."""
    rng = np.random.default_rng(0)

    def side(sign: int) -> pa.Table:
        p, q, s = rng.normal(size=(3, 300))
        told = 3 * sign * np.sign(p * q) + 3 * s + rng.normal(size=300)
        label = np.where(told > 0, "attack", "benign").tolist()
        return table({"p": p, "q": q, "s": s, "label": label})

    outcome = only(choose((side(1), side(-1)), ["gt(product(p, q), 0)"]))
    assert outcome.verdict == "worse"
    assert outcome.ci is not None and outcome.ci[1] < 0


def test_groups_that_are_alike_are_not_counted_as_evidence(
    sides: Callable[..., Sides],
) -> None:
    """One group a class: nothing is known of others, so nothing is kept."""
    train, validation = sides(0, useful=True)
    labels = validation["label"].to_pylist()
    outcome = only(choose((train, validation), ["ratio(a, b)"], groups=labels))
    assert outcome.verdict == "not beyond its interval"
    assert outcome.ci == (-1, 1)


def test_rows_of_one_flow_are_one_piece_of_evidence(
    sides: Callable[..., Sides], table: Table
) -> None:
    train, validation = sides(0, useful=True)
    flows = np.arange(validation.num_rows) // 5
    with_flows = table({**validation.to_pydict(), "flow": flows})
    by_flow = only(choose((train, with_flows), ["ratio(a, b)"]))
    by_row = only(choose((train, validation), ["ratio(a, b)"]))
    given = only(choose((train, validation), ["ratio(a, b)"], groups=flows.tolist()))
    assert by_flow.ci == given.ci != by_row.ci


@pytest.mark.usefixtures("small_forests")
def test_the_same_seed_gives_the_same_choice(sides: Callable[..., Sides]) -> None:
    data = sides(0, useful=True, rows=80)
    texts = ["ratio(a, b)", "product(a, s)"]
    first, second = (choose(data, texts, model="random_forest", repeats=2) for _ in range(2))
    assert first == second
    assert Choice.model_validate_json(first.model_dump_json()) == first


def test_progress_counts_the_features(sides: Callable[..., Sides]) -> None:
    told: list[tuple[float, float | None]] = []
    choose(
        sides(0, useful=False, rows=60),
        NOISE[:3],
        model="majority",
        progress=lambda what, done, total, unit: told.append((done, total)),
    )
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_no_proposals_keep_nothing(sides: Callable[..., Sides]) -> None:
    choice = choose(sides(0, useful=True), [])
    assert choice.outcomes == [] and choice.kept == []
    assert choice.macro_f1_with == choice.macro_f1_without


@pytest.mark.parametrize(
    ("validation_rows", "settings", "said"),
    [
        (30, {"repeats": 0}, "at least one fit"),
        (0, {}, "validation rows"),
        (30, {"model": "no such model"}, "no model 'no such model'"),
    ],
)
def test_what_cannot_be_done_is_refused(
    sides: Callable[..., Sides], validation_rows: int, settings: dict[str, Any], said: str
) -> None:
    train, validation = sides(0, useful=True, rows=30)
    with pytest.raises(InputError, match=said):
        choose((train, validation.slice(0, validation_rows)), ["ratio(a, b)"], **settings)
