"""Tools of the design stage: train the ladder and the CNN. None reads the test side."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.models.cnn.architecture import Architecture
from pipelines.models.cnn.shipped import by_name
from pipelines.models.registry import BASELINES
from pipelines.store.files import canonical_json, write_atomic
from tools.sides import (
    FEATURES,
    SYNTHETIC,
    count_on,
    features_of,
    sides_to_choose_by,
    with_synthetic,
)
from tools.spec import Estimate, Params, ToolContext, ToolResult, ToolSpec

if TYPE_CHECKING:
    from pipelines.models.cnn.price import Price
    from pipelines.models.cnn.settings import CnnSettings

MODEL_PREFIX = "model/"
CNN_MODEL = MODEL_PREFIX + "cnn"
# How many rows are looked at to see what a network would read.
SHAPE_ROWS = 2000


class TrainParams(Params):
    masks: list[str] = Field(
        default_factory=lambda: list(DEFAULT_MASKS), description="Field groups hidden from models"
    )


class BaselineParams(TrainParams):
    models: list[str] = Field(default_factory=lambda: list(BASELINES), min_length=1)


class CnnParams(TrainParams):
    epochs: int = Field(
        default=30, ge=1, le=10_000, description="At most; early stopping may end it sooner"
    )
    channels: int = Field(
        default=64,
        ge=4,
        le=2048,
        description="Width of the convolutions where architecture does not say it",
    )
    architecture: Annotated[Architecture | None, BeforeValidator(by_name)] = Field(
        default=None,
        description="The network as a specification or a shipped one's name; "
        "null is two plain convolutions of width channels",
    )

    def settings(self) -> "CnnSettings":
        """The model's settings."""
        from pipelines.models.cnn.settings import CnnSettings

        return CnnSettings.model_validate(self.model_dump(exclude={"masks"}))


def train_models(
    names: list[str],
    settings: dict[str, Any],
    masks: list[str],
    context: ToolContext,
    checkpoints: Path | None = None,
) -> ToolResult:
    """Fit each model on train, score it on validation, refit it on both; ``work`` counts rows.

    The numbers say for each model its score, its seconds and the device that they were spent on,
    and of one that learns in epochs how it went (``learning``). A model that trains for long goes
    on from ``checkpoints`` if it was killed.
    """
    from pipelines.models.cnn.learning import learning_of
    from pipelines.models.fitting import fit_and_score

    train, validation, warnings = sides_to_choose_by(context)
    train = with_synthetic(train, context)
    artifacts, scores, seconds, learning, epochs = {}, {}, {}, {}, 0
    for name in names:
        fitted = fit_and_score(
            name,
            train,
            validation,
            masks=masks,
            seed=context.seed,
            settings=settings,
            features=features_of(context),
            progress=context.progress,
            checkpoints=checkpoints,
        )
        curve = [epoch.model_dump(mode="json") for epoch in fitted.curve]
        record = {"validation_macro_f1": fitted.validation_macro_f1, "curve": curve}
        artifacts[MODEL_PREFIX + name] = keep_model(fitted.classifier, record, context)
        scores[name] = fitted.validation_macro_f1
        warnings += fitted.warnings
        seconds[name] = round(fitted.seconds, 3)
        epochs = max(epochs, len(curve))
        if fitted.curve:
            planned = settings.get("epochs", len(curve))
            learning[name] = learning_of(fitted.curve, planned).model_dump()
    numbers = {
        "validation": scores,
        "validation_rows": validation.num_rows,
        "seconds": seconds,
        "device": {name: device_of([name]) for name in names},
        "epochs": epochs,
        "learning": learning,
        "warnings": warnings,
    }
    rows = train.num_rows + validation.num_rows
    return ToolResult(artifacts=artifacts, numbers=numbers, work=float(rows))


def device_of(models: Sequence[str]) -> str:
    """Where these models are trained, as torch calls it: ``cpu``, or ``cuda:0`` if any uses it."""
    if set(models) <= set(BASELINES):
        return "cpu"
    from pipelines.models.cnn.training import best_device

    return str(best_device())


def keep_model(classifier: Any, record: dict[str, Any], context: ToolContext) -> str:
    def fill(folder: Path) -> None:
        (folder / "model").mkdir()
        classifier.save(folder / "model")
        write_atomic(folder / "fit.json", canonical_json(record))

    return context.store.make(fill)


def _baselines(params: BaselineParams, context: ToolContext) -> ToolResult:
    result = train_models(params.models, {}, params.masks, context)
    return result.model_copy(update={"work": result.work * len(params.models)})


def _cnn(params: CnnParams, context: ToolContext) -> ToolResult:
    from pipelines.models.cnn.cost import relative_work
    from pipelines.models.cnn.model import Cnn

    settings = params.settings().model_dump(mode="json")
    result = train_models(["cnn"], settings, params.masks, context)
    made = Cnn.load(context.store.path(result.artifacts[CNN_MODEL]) / "model")
    result.numbers["learning"]["cnn"]["parameters"] = made.parameters
    times = relative_work(made.settings.resolved(), made.inputs.shape(), len(made.classes))
    work = result.work * result.numbers["epochs"] * times
    result = result.model_copy(update={"work": work})
    return _better_trial(result, params.masks, context)


def _better_trial(result: ToolResult, masks: list[str], context: ToolContext) -> ToolResult:
    """This trial of the CNN, or the one before it if validation prefers that one.

    Trials with other masks are not compared: the person wanted the last ones.
    """
    from pipelines.models.card import read_card

    if CNN_MODEL not in context.inputs:
        return result
    earlier = context.artifact(CNN_MODEL)
    score = json.loads((earlier / "fit.json").read_text())["validation_macro_f1"]
    now = result.numbers["validation"]["cnn"]
    if score <= now or sorted(read_card(earlier / "model").masks) != sorted(masks):
        return result
    kept = f"This trial of cnn reached {now:.3f} on validation; the one before, {score:.3f}, stays."
    warnings = [*result.numbers["warnings"], kept]
    numbers = {**result.numbers, "validation": {"cnn": score}, "warnings": warnings}
    artifacts = {CNN_MODEL: context.inputs[CNN_MODEL]}
    return result.model_copy(update={"artifacts": artifacts, "numbers": numbers})


def _estimate_baselines(params: BaselineParams, context: ToolContext) -> Estimate:
    rows = count_on(context, "train", "validation")
    minutes = context.rates.minutes("train_baselines", rows * len(params.models))
    return Estimate(rows=rows, minutes=minutes, memory_mb=300 + rows // 50)


def _estimate_cnn(params: CnnParams, context: ToolContext) -> Estimate:
    rows = count_on(context, "train", "validation")
    price = _cnn_price(params, context)
    minutes = context.rates.minutes("train_cnn", rows * params.epochs * price.times)
    return Estimate(rows=rows, minutes=minutes, memory_mb=500 + rows // 100 + price.memory_mb)


def _cnn_price(params: CnnParams, context: ToolContext) -> "Price":
    """Of the rows only their shape is looked at. Raises InputError for an architecture that does
    not fit them or is too large."""
    from pipelines.datasets.split_manifest import Split
    from pipelines.features.columns import row_features, with_features
    from pipelines.models.cnn.price import price_of
    from pipelines.store.rows import read_tables

    rows = next(read_tables(context.artifact("split_rows"))).slice(0, SHAPE_ROWS)
    rows = with_features(rows, row_features(features_of(context), rows.schema, masks=()))
    classes = Split.load(context.artifact("split")).document.sizes["train"]
    return price_of(params.settings(), rows, params.masks, len(classes))


TRAIN_BASELINES = ToolSpec(
    name="train_baselines",
    summary="Fit the ladder of baselines and score each on validation rows",
    params=BaselineParams,
    risk="train",
    run=_baselines,
    estimate=_estimate_baselines,
    needs=("split_rows", "split", f"{SYNTHETIC}?", f"{FEATURES}?"),
    makes=("model/",),
    version=2,
)
TRAIN_CNN = ToolSpec(
    name="train_cnn",
    summary="Fit a 1-D CNN over packet tokens and payload bytes, or over a table's columns",
    params=CnnParams,
    risk="train",
    run=_cnn,
    estimate=_estimate_cnn,
    needs=("split_rows", "split", f"{SYNTHETIC}?", f"{FEATURES}?", f"{CNN_MODEL}?"),
    makes=(CNN_MODEL,),
    version=2,
)
