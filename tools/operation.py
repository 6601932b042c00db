"""Tools of the operation stage: read the test side once, pack the detector, score it again."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pipelines.errors import InputError
from pipelines.store.files import write_atomic
from tools.design import MODEL_PREFIX
from tools.detection import DetectParams
from tools.sides import count_on, split_sides
from tools.spec import Estimate, Params, ToolContext, ToolResult, ToolSpec

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.models.base import Classifier
    from pipelines.operate.detector import DetectorInfo, Score


class EvaluateParams(Params):
    best: str = Field(description="The model that was chosen by validation")


class PackageParams(Params):
    model: str = Field(description="Name of a trained model")
    benign: list[str] = Field(default_factory=list, description="Classes with nothing to report")
    unknown: bool = Field(
        default=False,
        description="Call a flow unknown where the model is less sure than it was of nearly all "
        "its right answers on validation",
    )


class EvaluateDetectorParams(DetectParams):
    label: str | None = Field(default=None, description="file, folder, a column, or a labels.csv")


def _evaluate(params: EvaluateParams, context: ToolContext) -> ToolResult:
    from pipelines.evaluate.evaluate import evaluate_models
    from pipelines.models.registry import load_model

    check_trained("evaluate_models", params.best, context)
    (test,) = split_sides(context, "test")
    folders = context.named(MODEL_PREFIX)
    models = {name: load_model(folder / "model") for name, folder in folders.items()}
    scores = {
        name: json.loads((folder / "fit.json").read_text())["validation_macro_f1"]
        for name, folder in folders.items()
    }
    found = evaluate_models(
        models,
        test,
        test["label"].to_pylist(),
        _groups(test, context),
        validation_scores=scores,
        seed=context.seed,
        progress=context.progress,
        captures=_captures(test, context),
    ).model_copy(update={"best": params.best})
    digest = context.store.make(
        lambda folder: write_atomic(folder / "evaluation.json", found.artifact())
    )
    numbers = {
        "best": params.best,
        "best_baseline": found.best_baseline,
        "models": [model_row(name, found, scores, _benign(context)) for name in models],
    }
    work = float(test.num_rows * len(models))
    return ToolResult(artifacts={"evaluation": digest}, numbers=numbers, work=work)


def _groups(test: Any, context: ToolContext) -> list[Any]:
    from pipelines.datasets.group_names import group_names
    from pipelines.datasets.split_manifest import Split

    groups = group_names(test, Split.load(context.artifact("split")).document.group)[1]
    return list(groups)


def _captures(test: Any, context: ToolContext) -> list[str] | None:
    """The capture of each row, where whole captures were held out."""
    from pipelines.datasets.split_manifest import Split

    by_capture = Split.load(context.artifact("split")).document.group == "capture"
    return test["capture"].to_pylist() if by_capture else None


def _benign(context: ToolContext) -> list[str]:
    if "requirements" not in context.inputs:
        return []
    recorded = json.loads((context.artifact("requirements") / "requirements.json").read_text())
    benign: list[str] = recorded["benign"]
    return benign


def model_row(
    name: str, found: Any, validation: dict[str, float], benign: list[str]
) -> dict[str, Any]:
    """One model of an evaluation as small numbers.

    ``false_positive_rate`` is the mean, over the classes that are not benign, of the rate at which
    other rows are taken for the class where nine in ten of its own are found.
    """
    score = found.models[name].model_dump(mode="json")
    rates = {label: row["fpr_at_recall"] for label, row in score["per_class"].items()}
    alarms = [rate for label, rate in rates.items() if rate is not None and label not in benign]
    return {
        "name": name,
        "macro_f1": score["macro_f1"],
        "ci": score["ci"],
        "accuracy": score["accuracy"],
        "validation_macro_f1": validation.get(name),
        "per_class": score["per_class"],
        "false_positive_rate": sum(alarms) / len(alarms) if alarms else None,
        "difference": score["difference"],
        "captures": score["captures"],
        "rows_per_second": found.rows_per_second[name],
    }


def _package(params: PackageParams, context: ToolContext) -> ToolResult:
    from pipelines.models.registry import load_model
    from pipelines.operate.detector import package

    check_trained("package_detector", params.model, context)
    folder = context.named(MODEL_PREFIX)[params.model] / "model"
    model = load_model(folder)
    sure = _sure(model) if params.unknown else None
    thresholds = {} if sure is None else dict.fromkeys(model.classes, sure)
    info = _describe(params, folder, context).model_copy(update={"thresholds": thresholds})
    digest = context.store.make(lambda folder: package(folder, model, info))
    numbers = {
        "model": params.model,
        "classes": model.classes,
        "benign": params.benign,
        "unknown_below": sure,
    }
    return ToolResult(artifacts={"detector": digest}, numbers=numbers)


def _sure(model: "Classifier") -> float:
    """The probability below which a model's answer is none of its classes."""
    sure: float | None = getattr(model, "unknown_below", None)
    if sure is None:
        raise InputError(
            f"package_detector: {model.name} does not say how sure it has to be.",
            "Leave out unknown, or pack traffic_lm.",
        )
    return sure


def check_trained(tool: str, model: str, context: ToolContext) -> None:
    """Raises InputError, already when the step is priced: the test side is not read for a typo."""
    trained = context.named(MODEL_PREFIX)
    if model not in trained:
        raise InputError(
            f"{tool}: no model {model!r} was trained.", f"There are: {', '.join(trained)}."
        )


def _describe(params: PackageParams, model: Path, context: ToolContext) -> "DetectorInfo":
    """What the detector must know of its training: the flows' shape, the masks, the scores."""
    from pipelines.capture import FlowSettings
    from pipelines.datasets.fields import is_captured
    from pipelines.models.card import read_card
    from pipelines.operate.detector import DetectorInfo
    from pipelines.store.rows import read_schema

    card = read_card(model)
    rows = context.artifact("rows")
    schema = read_schema(rows)
    imported = json.loads((rows / "import.json").read_text())
    captured = is_captured(schema)
    return DetectorInfo(
        name=params.model,
        goal=context.run.read()["spec"]["goal"] if context.run else "",
        granularity=imported["granularity"] if captured else "table",
        masks=card.masks,
        settings=FlowSettings(**{name: imported[name] for name in FlowSettings.model_fields}),
        layout=imported.get("layout"),
        columns={} if captured else _columns(schema, card.fields),
        benign=[name for name in params.benign if name in card.classes],
        metrics=_scores(params.model, context),
    )


def _columns(schema: "pa.Schema", fields: list[str]) -> dict[str, Literal["number", "text"]]:
    """The columns that a model reads of a table. Those of the sources of derived ones are among
    them: a mask hides a derived column with any of its sources."""
    texts = ("string", "large_string")
    return {
        name: "text" if str(schema.field(name).type) in texts else "number"
        for name in fields
        if name in schema.names
    }


def _scores(model: str, context: ToolContext) -> "dict[str, Score]":
    from pipelines.operate.detector import Score

    if "evaluation" in context.inputs:
        tested = json.loads((context.artifact("evaluation") / "evaluation.json").read_text())
        found = tested["models"][model]
        low, high = found["ci"]
        return {
            "macro_f1": Score(value=found["macro_f1"], low=low, high=high),
            "accuracy": Score(value=found["accuracy"]),
        }
    if "few_labels" in context.inputs:
        study = json.loads((context.artifact("few_labels") / "few_labels.json").read_text())
        spread = study["models"][model]
        return {
            name: Score(
                value=spread[name]["mean"], low=spread[name]["ci"][0], high=spread[name]["ci"][1]
            )
            for name in ("macro_f1", "accuracy")
        }
    return {}


def _evaluate_detector(params: EvaluateDetectorParams, context: ToolContext) -> ToolResult:
    from pipelines.datasets.sources import describe_source, load_source
    from pipelines.evaluate.evaluate import evaluate_models
    from pipelines.operate.detector import Detector

    detector = Detector.load(Path(params.detector))
    manifest, source = detector.manifest, Path(params.source)
    label = describe_source(source, params.label).label
    granularity = "flow" if manifest.granularity == "table" else manifest.granularity
    loaded = load_source(
        source, label, granularity, manifest.settings, context.progress, least_classes=1
    )
    found = evaluate_models(
        {manifest.model: detector.classifier},
        loaded.rows,
        loaded.rows["label"].to_pylist(),
        loaded.rows["flow"].to_pylist(),
        validation_scores={manifest.model: 0.0},
        seed=context.seed,
        progress=context.progress,
    )
    row = model_row(manifest.model, found, {}, manifest.benign)
    return ToolResult(numbers={"best": manifest.model, "models": [row]}, work=loaded.rows.num_rows)


def _estimate_evaluate(params: EvaluateParams, context: ToolContext) -> Estimate:
    check_trained("evaluate_models", params.best, context)
    rows = count_on(context, "test")
    minutes = context.rates.minutes("evaluate_models", rows * len(context.named(MODEL_PREFIX)))
    return Estimate(rows=rows, minutes=minutes, memory_mb=300)


def _estimate_package(params: PackageParams, context: ToolContext) -> Estimate:
    check_trained("package_detector", params.model, context)
    return Estimate()


def _estimate_detect(params: DetectParams, context: ToolContext) -> Estimate:
    path = Path(params.source)
    size = path.stat().st_size if path.is_file() else 0
    return Estimate(minutes=context.rates.minutes("detect_traffic", size), memory_mb=300)


EVALUATE_MODELS = ToolSpec(
    name="evaluate_models",
    summary="Score every trained model on the identical test side, with intervals by split group",
    params=EvaluateParams,
    risk="write",  # the test side is read once: not by a chat model, nor by a rule for reading
    run=_evaluate,
    estimate=_estimate_evaluate,
    needs=("split_rows", "split", "requirements?", MODEL_PREFIX),
    makes=("evaluation",),
)
PACKAGE_DETECTOR = ToolSpec(
    name="package_detector",
    summary="Pack the chosen model, its masks and its scores into one folder that detects",
    params=PackageParams,
    risk="write",
    run=_package,
    estimate=_estimate_package,
    needs=("rows", "requirements", MODEL_PREFIX, "evaluation?", "few_labels?"),
    makes=("detector",),
)
EVALUATE_DETECTOR = ToolSpec(
    name="evaluate_detector",
    summary="Score a packed detector on labelled data that it was not trained on",
    params=EvaluateDetectorParams,
    risk="read",
    run=_evaluate_detector,
    estimate=_estimate_detect,
    repeatable=False,
)
