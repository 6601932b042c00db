"""The tool that tries derived columns and keeps those that help: the test side is not read."""

import time
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_validator

from pipelines.augment.settings import one_of
from pipelines.features.proposals import MOST_PROPOSALS
from pipelines.features.tokens import MOST_CHARACTERS
from pipelines.models.registry import BASELINES
from pipelines.store.files import canonical_json, write_atomic
from tools.design import TrainParams
from tools.sides import FEATURES, count_on, sides_to_choose_by
from tools.spec import Estimate, ToolContext, ToolResult, ToolSpec

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.features.expression import Expression

Text = Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]


class DeriveParams(TrainParams):
    expressions: list[Text] = Field(
        min_length=1, max_length=MOST_PROPOSALS, description="Features to try (docs/features.md)"
    )
    model: str = Field(
        default="hist_gradient_boosting", description="What is fitted with and without each"
    )
    repeats: int = Field(
        default=1, ge=1, le=20, description="Fits of each: 5 or more where fits are random"
    )

    @field_validator("model")
    @classmethod
    def known_model(cls, name: str) -> str:
        """Refuse a model that is not of the ladder."""
        return one_of(name, BASELINES, "model of the ladder")


def _derive(params: DeriveParams, context: ToolContext) -> ToolResult:
    from pipelines.features.choose import choose_features

    started = time.monotonic()
    train, validation, warnings = sides_to_choose_by(context)
    choice = choose_features(
        train,
        validation,
        _expressions(params, train.schema),
        model=params.model,
        masks=params.masks,
        seed=context.seed,
        repeats=params.repeats,
        progress=context.progress,
        groups=_groups(validation, context),
    )
    values = {"kept": choice.kept, "choice": choice.model_dump(mode="json")}
    digest = context.store.make(
        lambda folder: write_atomic(folder / "features.json", canonical_json(values))
    )
    numbers = {
        **choice.model_dump(mode="json"),
        "kept": choice.kept,
        "validation_rows": validation.num_rows,
        "warnings": warnings,
        "seconds": {"derive_features": round(time.monotonic() - started, 3)},
        "device": {"derive_features": "cpu"},
    }
    work = float((train.num_rows + validation.num_rows) * _fits(params))
    return ToolResult(artifacts={FEATURES: digest}, numbers=numbers, work=work)


def _expressions(params: DeriveParams, schema: "pa.Schema") -> "list[Expression]":
    from pipelines.features.columns import row_features

    return row_features(params.expressions, schema, params.masks)


def _groups(rows: "pa.Table", context: ToolContext) -> list[Any]:
    from pipelines.datasets.group_names import group_names
    from pipelines.datasets.split_manifest import Split

    return list(group_names(rows, Split.load(context.artifact("split")).document.group)[1])


def _fits(params: DeriveParams) -> int:
    """How many models are fitted; a few more where several features help alone."""
    return params.repeats * (1 + len(params.expressions))


def _estimate(params: DeriveParams, context: ToolContext) -> Estimate:
    """Raises InputError for a feature that these rows do not allow: nothing is trained for it."""
    from pipelines.store.rows import read_schema

    _expressions(params, read_schema(context.artifact("split_rows")))
    rows = count_on(context, "train", "validation")
    minutes = context.rates.minutes("derive_features", rows * _fits(params))
    return Estimate(rows=rows, minutes=minutes, memory_mb=300 + rows // 50)


DERIVE_FEATURES = ToolSpec(
    name="derive_features",
    summary="Try derived columns on validation rows; models read those that surely help",
    params=DeriveParams,
    risk="train",
    run=_derive,
    estimate=_estimate,
    needs=("split_rows", "split"),
    makes=(FEATURES,),
)
