"""What a report shows of the models: scores, classes, curves, few labels."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.store.artifacts import ArtifactStore
from tools.story import Story

if TYPE_CHECKING:
    from pipelines.augment.findings import Exploration
    from pipelines.augment.made_rows import MadeRows
    from pipelines.report import data


def model_score(row: dict[str, Any]) -> "data.ModelScore":
    """One model on the test side."""
    from pipelines.models.registry import BASELINES
    from pipelines.report import data

    return data.ModelScore(
        name=row["name"],
        macro_f1=row["macro_f1"],
        low=row["ci"][0],
        high=row["ci"][1],
        accuracy=row["accuracy"],
        rows_per_second=row.get("rows_per_second"),
        baseline=row["name"] in BASELINES,
        false_positive_rate=row.get("false_positive_rate"),
        captures=row.get("captures"),
    )


def _row_of(tested: dict[str, Any], name: str | None) -> dict[str, Any]:
    return next((row for row in tested.get("models", []) if row["name"] == name), {})


def difference(tested: dict[str, Any], best: str | None) -> "data.PairedDifference | None":
    """The chosen model against the best baseline; None where it is that itself."""
    from pipelines.report import data

    found = _row_of(tested, best).get("difference")
    if not found:
        return None
    low, high = found["ci"]
    return data.PairedDifference(
        baseline=found["model"], difference=found["delta"], low=low, high=high
    )


def per_class(tested: dict[str, Any], best: str | None) -> "list[data.ClassScore]":
    """How each class fares under the chosen model."""
    from pipelines.report import data

    scores = _row_of(tested, best).get("per_class", {})
    return [
        data.ClassScore(
            name=name,
            precision=score["precision"],
            recall=score["recall"],
            f1=score["f1"],
            rows=score["support"],
        )
        for name, score in scores.items()
    ]


def confusion(story: Story, store: ArtifactStore, best: str | None) -> "data.Confusion | None":
    """What the chosen model took for what; None before the test."""
    from pipelines.report import data

    if best is None or "evaluation" not in story.artifacts:
        return None
    found = json.loads((store.path(story.artifacts["evaluation"]) / "evaluation.json").read_text())
    return data.Confusion(classes=found["classes"], counts=found["models"][best]["confusion"])


def curves(story: Story, store: ArtifactStore, best: str | None) -> "data.LearningCurves | None":
    """The epochs of a network, the chosen one if it is one; None where none was trained."""
    from pipelines.report import data

    networks = [name for name in (best, "cnn", "traffic_lm") if f"model/{name}" in story.artifacts]
    found = [(name, _curve(store.path(story.artifacts[f"model/{name}"]))) for name in networks]
    model, curve = next(((name, curve) for name, curve in found if curve), (None, []))
    if model is None:
        return None
    scores = [epoch["validation_macro_f1"] for epoch in curve]
    known = [(score, -number) for number, score in enumerate(scores, 1) if score is not None]
    return data.LearningCurves(
        model=model,
        train_loss=[epoch["loss"] for epoch in curve],
        validation_macro_f1=scores,
        best_epoch=-max(known)[1] if known else None,
    )


def _curve(folder: Path) -> list[dict[str, Any]]:
    curve: list[dict[str, Any]] = json.loads((folder / "fit.json").read_text())["curve"]
    return curve


def few_labels(story: Story) -> "data.FewLabelStudy | None":
    """The few-label study; None where there was none."""
    from pipelines.report import data

    found = story.numbers.get("study_few_labels")
    if found is None:
        return None
    metric = story.numbers["record_requirements"]["metric"]
    return data.FewLabelStudy(
        per_class=found["per_class"],
        draws=found["draws"],
        metric=metric,
        absent=found.get("absent", ""),
        absent_rows=found.get("absent_rows", 0),
        models=[_draws(row, metric) for row in found["models"]],
    )


def explored(story: Story, store: ArtifactStore) -> "Exploration | None":
    """The study of synthetic rows; None where there was none."""
    from pipelines.augment.findings import Exploration

    if "exploration" not in story.artifacts:
        return None
    content = (store.path(story.artifacts["exploration"]) / "exploration.json").read_bytes()
    return Exploration.model_validate_json(content)


def made(story: Story) -> "MadeRows | None":
    """What was made for models to learn from; None if nothing was."""
    from pipelines.augment.made_rows import MadeRows

    found = story.numbers.get("augment_rows")
    return None if found is None else MadeRows.model_validate(found)


def features(story: Story) -> "data.FeatureStudy | None":
    """The derived columns that were tried; None where none was."""
    from pipelines.report import data

    found = story.numbers.get("derive_features")
    if found is None:
        return None
    return data.FeatureStudy(
        model=found["model"],
        level=found["level"],
        without=found["macro_f1_without"],
        with_kept=found["macro_f1_with"],
        outcomes=[
            data.FeatureTried(**{key: row[key] for key in data.FeatureTried.model_fields})
            for row in found["outcomes"]
        ],
    )


def _draws(row: dict[str, Any], metric: str) -> "data.FewLabelDraws":
    from pipelines.report import data

    def draws(spread: dict[str, Any]) -> dict[str, Any]:
        return {key: spread[key] for key in data.Draws.model_fields}

    absent = row.get("absent")
    return data.FewLabelDraws(
        model=row["name"],
        absent=data.Draws(**draws(absent)) if absent else None,
        **draws(row["draws"][metric]),
    )
