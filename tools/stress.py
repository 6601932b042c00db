"""Tools that ask what a score is worth: what a model leans on, and how later traffic fares."""

import sys
from typing import Any

from pydantic import Field

from pipelines.models.registry import QUICK
from pipelines.store.files import canonical_json, write_atomic
from tools.cleaning import by_rows
from tools.design import MODEL_PREFIX, TrainParams
from tools.operation import check_trained
from tools.sides import count_on, split_sides
from tools.spec import Estimate, Params, ToolContext, ToolResult, ToolSpec
from tools.traffic_lm import scoring_minutes


class StressParams(Params):
    model: str = Field(description="Name of a trained model")
    draws: int = Field(default=5, ge=2, le=100, description="Times that each group is shuffled")
    rows: int | None = Field(default=None, ge=1, description="Test rows, drawn by lot; all of them")


class LaterParams(TrainParams):
    model: str = Field(default="random_forest", description=f"One of: {', '.join(QUICK)}")
    test: float = Field(default=0.5, gt=0, lt=1, description="Share of each class's flows")


def _stress(params: StressParams, context: ToolContext) -> ToolResult:
    from pipelines.audit.stress import stress
    from pipelines.models.card import read_card
    from pipelines.models.registry import load_model

    check_trained("stress_model", params.model, context)
    folder = context.named(MODEL_PREFIX)[params.model] / "model"
    (test,) = split_sides(context, "test")
    test = _drawn(test, params.rows, context.seed)
    masks = read_card(folder).masks
    found = stress(
        load_model(folder),
        test,
        masks,
        draws=params.draws,
        seed=context.seed,
        progress=context.progress,
    )
    result = _kept(found.model_dump(mode="json"), "stress", test.num_rows, context)
    # What a language model takes would make a wrong price for all others.
    return result if params.model in QUICK else result.model_copy(update={"work": 0.0})


def _drawn(rows: Any, most: int | None, seed: int) -> Any:
    """As many of the rows, drawn by lot, in their order."""
    import numpy as np

    if most is None or most >= rows.num_rows:
        return rows
    chosen = np.random.default_rng(seed).choice(rows.num_rows, most, replace=False)
    return rows.take(np.sort(chosen))


def _compare(params: LaterParams, context: ToolContext) -> ToolResult:
    from pipelines.audit.later import compare_later
    from pipelines.store.rows import read_rows

    rows = read_rows(context.artifact("clean_rows"))
    found = compare_later(
        rows,
        params.model,
        params.masks,
        test=params.test,
        seed=context.seed,
        progress=context.progress,
    )
    return _kept(found.model_dump(mode="json"), "later", rows.num_rows, context)


def _kept(values: dict[str, object], name: str, rows: int, context: ToolContext) -> ToolResult:
    digest = context.store.make(
        lambda folder: write_atomic(folder / f"{name}.json", canonical_json(values))
    )
    return ToolResult(artifacts={name: digest}, numbers=values, work=float(rows))


def _estimate_stress(params: StressParams, context: ToolContext) -> Estimate:
    check_trained("stress_model", params.model, context)
    rows = min(count_on(context, "test"), params.rows or sys.maxsize)
    minutes = context.rates.minutes("stress_model", rows)
    if params.model not in QUICK:
        minutes += _scoring(params, rows, context)
    return Estimate(rows=rows, minutes=minutes, memory_mb=300)


def _scoring(params: StressParams, rows: int, context: ToolContext) -> float:
    """Minutes in which a language model scores the rows as often as they are shuffled."""
    from pipelines.audit.stress import shuffled_together
    from pipelines.models.card import read_card
    from pipelines.store.rows import read_schema

    card = read_card(context.named(MODEL_PREFIX)[params.model] / "model")
    groups = shuffled_together(read_schema(context.artifact("split_rows")), card.masks)
    times = 2 + len(groups) * params.draws
    return scoring_minutes(card.settings, rows * times, context.rates)


STRESS_MODEL = ToolSpec(
    name="stress_model",
    summary="Shuffle each field group among test rows and forge the network: what a model leans on",
    params=StressParams,
    risk="write",
    run=_stress,
    estimate=_estimate_stress,
    needs=("split_rows", "split", "model/"),
    makes=("stress",),
)
COMPARE_LATER = ToolSpec(
    name="compare_later",
    summary="Fit a model on earlier traffic and on a random part, and compare what each is worth",
    params=LaterParams,
    risk="train",
    run=_compare,
    estimate=by_rows("compare_later"),
    needs=("clean_rows",),
    makes=("later",),
)
