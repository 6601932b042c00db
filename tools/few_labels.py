"""The few-label study of the design stage: fit on a few rows of each class, many times.

It reads the test side, and chooses by folds within its own few rows.
"""

import time
from typing import Any

from pydantic import Field

from pipelines.errors import InputError
from pipelines.models.registry import QUICK
from pipelines.store.files import canonical_json, write_atomic
from tools.absent import LearnParams
from tools.design import MODEL_PREFIX, device_of, keep_model
from tools.sides import split_sides
from tools.spec import Estimate, ToolContext, ToolResult, ToolSpec


class FewLabelParams(LearnParams):
    models: list[str] = Field(default_factory=lambda: list(QUICK), min_length=1)
    per_class: int = Field(default=10, ge=1, description="Labelled rows drawn of each class")
    draws: int = Field(default=20, ge=2, le=1000)


def _few_labels(params: FewLabelParams, context: ToolContext) -> ToolResult:
    from pipelines.datasets.absent import in_words, is_absent
    from pipelines.datasets.splits import draw_rows
    from pipelines.evaluate.few_labels import study_few_labels

    train, test = split_sides(context, "train", "test")
    rows = params.learned(train, params.per_class, context)
    absent = is_absent(test, params.absent)
    if params.absent and not absent.any():
        raise InputError(
            f"No test row is of {in_words(params.absent)}: nothing says how models do on them.",
            "Take other values into sample.absent, or split otherwise.",
        )
    draws = draw_rows(rows, params.per_class, params.draws, context.seed)
    started = time.monotonic()
    study = study_few_labels(
        params.models,
        rows,
        draws,
        test,
        masks=params.masks,
        seed=context.seed,
        progress=context.progress,
        absent=absent,
    )
    values = study.model_dump(mode="json")
    scores = {name: model["out_of_fold_macro_f1"] for name, model in values["models"].items()}
    first = rows.take(draws[0])
    artifacts = {
        "few_labels": context.store.make(
            lambda folder: write_atomic(folder / "few_labels.json", canonical_json(values))
        ),
        **{
            MODEL_PREFIX + name: _fit_on(first, name, params.masks, scores, context)
            for name in params.models
        },
    }
    numbers = {
        "validation": scores,
        "best": values["best"],
        "per_class": params.per_class,
        "draws": params.draws,
        "rows_per_draw": values["rows_per_draw"],
        "test_rows": values["test_rows"],
        "absent": in_words(params.absent),
        "absent_rows": study.absent_rows,
        "models": [
            _few_label_row(name, model, study.absent_rows)
            for name, model in values["models"].items()
        ],
        "seconds": {"few_labels": round(time.monotonic() - started, 3)},
        "device": {"few_labels": device_of(params.models)},
    }
    return ToolResult(artifacts=artifacts, numbers=numbers, work=params.draws * len(params.models))


def _fit_on(
    rows: Any, name: str, masks: list[str], scores: dict[str, float], context: ToolContext
) -> str:
    """A model fitted on one draw, so that the study can end in a detector too."""
    from pipelines.models.fitting import fit_rows

    model = fit_rows(name, rows, masks, context.seed)
    return keep_model(model, {"validation_macro_f1": scores[name], "curve": []}, context)


def _few_label_row(name: str, model: dict[str, Any], absent_rows: int) -> dict[str, Any]:
    return {
        "name": name,
        "macro_f1": model["macro_f1"]["mean"],
        "ci": model["macro_f1"]["ci"],
        "accuracy": model["accuracy"]["mean"],
        "validation_macro_f1": model["out_of_fold_macro_f1"],
        "draws": {"accuracy": model["accuracy"], "macro_f1": model["macro_f1"]},
        "absent": {"rows": absent_rows, **model["absent"]} if absent_rows else None,
    }


def _estimate_few_labels(params: FewLabelParams, context: ToolContext) -> Estimate:
    minutes = context.rates.minutes("study_few_labels", params.draws * len(params.models))
    return Estimate(rows=context.rows(), minutes=minutes, memory_mb=500)


STUDY_FEW_LABELS = ToolSpec(
    name="study_few_labels",
    summary="Fit every model on a few rows of each class, many times, and give the spread",
    params=FewLabelParams,
    risk="train",
    run=_few_labels,
    estimate=_estimate_few_labels,
    needs=("split_rows", "split"),
    makes=("few_labels", "model/"),
    version=2,
)
