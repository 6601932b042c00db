"""Tools of the operation stage: read the test side once, pack the detector, use it."""

from pathlib import Path
from typing import Any

from pydantic import Field

from pipelines.store.files import canonical_json, write_atomic
from tools.design import MODEL_PREFIX, split_sides
from tools.requirements import no_cost
from tools.spec import Estimate, Params, ToolContext, ToolResult, ToolSpec


class EvaluateParams(Params):
    best: str = Field(description="The model that was chosen by validation")
    recall: float = Field(0.9, gt=0, le=1, description="Where false positives are counted")


class PackageParams(Params):
    model: str = Field(description="Name of a trained model")
    benign: list[str] = Field(default_factory=list, description="Classes with nothing to report")


class DetectParams(Params):
    detector: str = Field(description="Folder of a packed detector")
    source: str = Field(description="A capture, a folder of captures, or a table")


def _evaluate(params: EvaluateParams, context: ToolContext) -> ToolResult:
    import json

    from pipelines.evaluate.evaluate import evaluate_models
    from pipelines.models.registry import load_model

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
    ).model_copy(update={"best": params.best})
    digest = context.store.make(
        lambda folder: write_atomic(folder / "evaluation.json", found.artifact())
    )
    numbers = {
        "best": params.best,
        "best_baseline": found.best_baseline,
        "models": [model_row(name, found, scores) for name in models],
    }
    work = float(test.num_rows * len(models))
    return ToolResult(artifacts={"evaluation": digest}, numbers=numbers, work=work)


def _groups(test: Any, context: ToolContext) -> list[Any]:
    from pipelines.datasets.split_manifest import Split

    column = Split.load(context.artifact("split")).document.group
    groups: list[Any] = test[column].to_pylist()
    return groups


def model_row(name: str, found: Any, validation: dict[str, float]) -> dict[str, Any]:
    """One model of an evaluation as small numbers."""
    score = found.models[name].model_dump(mode="json")
    alarms = [c["fpr_at_recall"] for c in score["per_class"].values() if c["fpr_at_recall"] is not None]
    return {
        "name": name,
        "macro_f1": score["macro_f1"],
        "ci": score["ci"],
        "accuracy": score["accuracy"],
        "validation_macro_f1": validation[name],
        "per_class": score["per_class"],
        "false_positive_rate": sum(alarms) / len(alarms) if alarms else None,
        "difference": score["difference"],
        "rows_per_second": found.rows_per_second[name],
    }


def _package(params: PackageParams, context: ToolContext) -> ToolResult:
    raise NotImplementedError


def _detect(params: DetectParams, context: ToolContext) -> ToolResult:
    raise NotImplementedError


def _estimate_evaluate(params: EvaluateParams, context: ToolContext) -> Estimate:
    rows = context.rows() or 0
    models = max(1, len(context.named(MODEL_PREFIX)))
    minutes = context.rates.minutes("evaluate_models", rows * models)
    return Estimate(rows=rows or None, minutes=minutes, memory_mb=300)


def _estimate_detect(params: DetectParams, context: ToolContext) -> Estimate:
    path = Path(params.source)
    size = path.stat().st_size if path.is_file() else 0
    return Estimate(minutes=context.rates.minutes("detect_traffic", size), memory_mb=300)


EVALUATE_MODELS = ToolSpec(
    name="evaluate_models",
    summary="Score every trained model on the identical test side, with intervals by split group",
    params=EvaluateParams,
    risk="read",
    run=_evaluate,
    estimate=_estimate_evaluate,
    needs=("split_rows", "split", MODEL_PREFIX),
    makes=("evaluation",),
)
PACKAGE_DETECTOR = ToolSpec(
    name="package_detector",
    summary="Pack the chosen model, its masks and its scores into one folder that detects",
    params=PackageParams,
    risk="write",
    run=_package,
    estimate=no_cost,
    needs=("rows", "requirements", MODEL_PREFIX, "evaluation?", "few_labels?"),
    makes=("detector",),
)
DETECT_TRAFFIC = ToolSpec(
    name="detect_traffic",
    summary="Run a packed detector over captures: one EVE JSON line a flow",
    params=DetectParams,
    risk="read",
    run=_detect,
    estimate=_estimate_detect,
    repeatable=False,
)
