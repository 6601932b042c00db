"""Tools of the augmentation stage: find out what synthetic rows do, and make some.

Neither reads the test side: arms are compared on validation rows.
"""

import time
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from pipelines.augment.names import AMOUNTS, ARMS, PLAIN
from pipelines.errors import InputError
from pipelines.models.registry import QUICK
from pipelines.store.files import canonical_json, write_atomic
from tools.design import TrainParams, count_on, device_of, sides_to_choose_by
from tools.spec import Estimate, ToolContext, ToolResult, ToolSpec

if TYPE_CHECKING:
    from pipelines.augment.explore import ModelFindings

# More rows than these tell two arms apart no better, and each fit reads them all.
MOST_JUDGED = 5000
# Rows that one request asks for: what a language model writes costs by the request.
ROWS_PER_CALL, TOKENS_PER_CALL = 20, 6000


class ArmParams(TrainParams):
    screened: bool = Field(
        default=False, description="Leave out made rows whose label three models doubt"
    )


class ExploreParams(ArmParams):
    arms: list[str] = Field(
        default_factory=lambda: list(PLAIN), min_length=1, description="Generators to compare"
    )
    amounts: list[float] = Field(
        default_factory=lambda: list(AMOUNTS), min_length=1, description="Rows to each real one"
    )
    models: list[str] = Field(default_factory=lambda: ["random_forest", "cnn"], min_length=1)
    per_class: int = Field(default=10, ge=2, description="Real rows drawn of each class")
    draws: int = Field(default=20, ge=6, le=1000)
    metric: Literal["macro_f1", "accuracy"] = "macro_f1"

    @field_validator("arms")
    @classmethod
    def known_arms(cls, names: list[str]) -> list[str]:
        """Refuse a generator that does not exist."""
        for name in names:
            _known(name)
        return names

    @field_validator("models")
    @classmethod
    def quick_models(cls, names: list[str]) -> list[str]:
        """Refuse a model that cannot be fitted hundreds of times."""
        if slow := [name for name in names if name not in QUICK]:
            raise ValueError(f"{slow[0]!r} is not one of {', '.join(QUICK)}")
        return names

    def fits(self) -> int:
        """How many models are trained."""
        variants = 2 if self.screened else 1
        cells = 1 + len(self.amounts) * (1 + variants * len(self.arms))
        return self.draws * cells * len(self.models)


class AugmentParams(ArmParams):
    arm: str = Field(description="The generator")
    amount: float = Field(gt=0, le=50, description="Rows to each real one")
    partial: bool = Field(
        default=False,
        description="Use what a language model has written when it fails or its budget ends",
    )

    @field_validator("arm")
    @classmethod
    def known_arm(cls, name: str) -> str:
        """Refuse a generator that does not exist."""
        return _known(name)


def _known(name: str) -> str:
    if name not in ARMS:
        raise ValueError(f"{name!r} is not one of {', '.join(ARMS)}")
    return name


def _explore(params: ExploreParams, context: ToolContext) -> ToolResult:
    from pipelines.augment.arms import arms_of
    from pipelines.augment.explore import explore
    from pipelines.augment.trial import Study
    from pipelines.datasets.splits import draw_rows

    started = time.monotonic()
    train, judges, warnings = sides_to_choose_by(context)
    study = Study(
        arms=arms_of(params.arms, params.masks, context.author, context.progress),
        models=params.models,
        masks=params.masks,
        amounts=sorted(params.amounts),
        screen=_screen(params) if params.screened else None,
        metric=params.metric,
    )
    draws = draw_rows(train, params.per_class, params.draws, context.seed)
    judges = _some(judges, context.seed)
    found = explore(study, train, draws, judges, seed=context.seed, progress=context.progress)
    values = found.model_dump(mode="json")
    digest = context.store.make(
        lambda folder: write_atomic(folder / "exploration.json", canonical_json(values))
    )
    numbers = {
        "metric": params.metric,
        "draws": found.draws,
        "rows_per_draw": found.real_rows,
        "validation_rows": found.test_rows,
        "models": [_row(name, of_model) for name, of_model in found.models.items()],
        "warnings": warnings,
        "seconds": {"explore_arms": round(time.monotonic() - started, 3)},
        "device": {"explore_arms": device_of(params.models)},
    }
    return ToolResult(artifacts={"exploration": digest}, numbers=numbers, work=params.fits())


def _screen(params: ArmParams) -> Any:
    from pipelines.augment.screen import trusted

    return lambda real, made, seed: trusted(real, made, masks=params.masks, seed=seed)


def _some(rows: Any, seed: int) -> Any:
    """All rows, or as many by lot as tell arms apart."""
    import numpy as np

    if rows.num_rows <= MOST_JUDGED:
        return rows
    picked = np.random.default_rng(seed).permutation(rows.num_rows)[:MOST_JUDGED]
    return rows.take(np.sort(picked))


def _row(name: str, found: "ModelFindings") -> dict[str, Any]:
    """A model's verdict, and its surest arm with what it does, for a planner and a report."""
    said = found.verdict
    return {
        "name": name,
        "alone": found.alone.mean,
        "verdict": said.kind,
        "arm": said.arm,
        "amount": said.amount,
        "gain": said.gain,
        "ci": said.ci,
        "rate": None if said.arm is None or (r := found.rates[said.arm]) is None else r.rate,
        "draws_needed": said.draws_needed,
        "words": said.words,
    }


def _augment(params: AugmentParams, context: ToolContext) -> ToolResult:
    import numpy as np

    from pipelines.augment.arms import arms_of
    from pipelines.datasets.keys import text_codes
    from pipelines.store.rows import write_rows

    train, _, _ = sides_to_choose_by(context)
    classes, labels = text_codes(train, "label")
    counts = np.bincount(labels, minlength=len(classes))
    wanted = {name: round(params.amount * int(n)) for name, n in zip(classes, counts, strict=True)}
    arm = arms_of(
        [params.arm], params.masks, context.author, context.progress, partial=params.partial
    )[params.arm]
    made = arm(train, wanted, context.seed)
    kept = made.filter(_screen(params)(train, made, context.seed)) if params.screened else made
    if not kept.num_rows:
        raise InputError(
            f"The generator {params.arm} made no row that can be used.",
            "Go on without synthetic rows, or take another generator.",
        )
    digest = context.store.make(lambda folder: write_rows(folder, kept))
    numbers = {
        "arm": params.arm,
        "amount": params.amount,
        "rows": kept.num_rows,
        "screened_out": made.num_rows - kept.num_rows,
        "train_rows": train.num_rows,
    }
    return ToolResult(artifacts={"synthetic": digest}, numbers=numbers, work=float(kept.num_rows))


def _estimate_explore(params: ExploreParams, context: ToolContext) -> Estimate:
    written = sum(name not in PLAIN for name in params.arms)
    sizes = len(_classes(context)) * params.per_class * max(params.amounts)
    calls = round(written * params.draws * -(-sizes // ROWS_PER_CALL))
    return Estimate(
        rows=count_on(context, "train", "validation"),
        minutes=context.rates.minutes("explore_arms", params.fits()),
        memory_mb=800,
        llm_calls=calls,
        tokens=calls * TOKENS_PER_CALL,
    )


def _estimate_augment(params: AugmentParams, context: ToolContext) -> Estimate:
    rows = round(params.amount * count_on(context, "train"))
    calls = 0 if params.arm in PLAIN else -(-rows // ROWS_PER_CALL)
    minutes = context.rates.minutes("augment_rows", rows)
    tokens = calls * TOKENS_PER_CALL
    return Estimate(rows=rows, minutes=minutes, memory_mb=300, llm_calls=calls, tokens=tokens)


def _classes(context: ToolContext) -> list[str]:
    from pipelines.datasets.split_manifest import Split

    return list(Split.load(context.artifact("split")).document.sizes["train"])


EXPLORE_ARMS = ToolSpec(
    name="explore_arms",
    summary="Compare generators of synthetic rows, amounts and more real rows, over many draws",
    params=ExploreParams,
    risk="train",
    run=_explore,
    estimate=_estimate_explore,
    needs=("split_rows", "split"),
    makes=("exploration",),
)
AUGMENT_ROWS = ToolSpec(
    name="augment_rows",
    summary="Make synthetic rows from the train side; models learn from them beside the real ones",
    params=AugmentParams,
    risk="write",
    run=_augment,
    estimate=_estimate_augment,
    needs=("split_rows", "split"),
    makes=("synthetic",),
)
