"""How well the models do: the ladder, the chosen one class by class, few labels, curves."""

from pipelines.evaluate.captures import captures_words
from pipelines.report import pictures
from pipelines.report.data import (
    ClassScore,
    Confusion,
    FewLabelStudy,
    ModelScore,
    ReportData,
)
from pipelines.report.html import (
    Cell,
    Figure,
    Markup,
    badge,
    bullets,
    element,
    join,
    picture,
    table,
    text,
)

_FAIR = (
    "Every model was trained on the same rows and tested on the same rows. The choice was made "
    "without the test side, which was read once."
)
_FAIR_DRAWS = (
    "Means over the draws. In each draw all models learnt from the same few rows and met "
    "the same test rows. The choice was made by folds within the few rows."
)


def models(report: ReportData) -> Markup:
    """The ladder and the candidates on the identical split."""
    if not report.models:
        return Markup()
    ordered = sorted(report.models, key=lambda model: -model.macro_f1)
    words = "; ".join(f"{model.name} {model.macro_f1:.3f}" for model in ordered)
    target = report.target if report.metric == "macro_f1" else None
    resampled = "resampled split groups" if report.few_labels is None else "the draws"
    return join(
        [
            element("p", _FAIR if report.few_labels is None else _FAIR_DRAWS),
            picture(
                pictures.ladder(report.models, report.chosen, target),
                f"Macro-F1 of {len(ordered)} models with intervals: {words}.",
                f"In colour: the chosen model. Bars: 95 % interval over {resampled}.",
            ),
            _ladder(ordered, report.chosen),
            _captures(ordered),
        ]
    )


def features(report: ReportData) -> Markup:
    """Derived columns: what validation gained by each, and which models read."""
    study = report.features
    if study is None:
        return Markup()
    rows = [
        [
            one.expression,
            one.verdict,
            None if one.difference is None else Figure(f"{one.difference:+.4f}"),
            None if one.ci is None else f"{one.ci[0]:+.4f} to {one.ci[1]:+.4f}",
        ]
        for one in study.outcomes
    ]
    # the verdict of those that were fitted says why
    unfitted = [f"{one.expression}: {one.reason}" for one in study.outcomes if one.ci is None]
    kept = frozenset(i for i, one in enumerate(study.outcomes) if one.verdict == "kept")
    scores = (
        f"Macro-F1 of {study.model} on validation rows, which chose and so flatter: "
        f"{study.without:.3f} without and {study.with_kept:.3f} with those that were kept. "
        f"Intervals of level {study.level:.4f}, for all that were tried at once."
    )
    heads = ["feature", "verdict", "gain", "interval"]
    return join([element("p", scores), table(heads, rows, kept), bullets(unfitted)])


def _captures(ordered: list[ModelScore]) -> Markup:
    """How many whole captures each model judged right, where whole ones were held out."""
    scores = {model.name: model.captures for model in ordered if model.captures is not None}
    return element("p", captures_words(scores)) if scores else Markup()


def _ladder(ordered: list[ModelScore], chosen: str | None) -> Markup:
    """The models as a table, without the columns that nothing was measured for."""
    heads = ["model", "macro-F1", "95 % interval", "accuracy", "false positives", "rows/s"]
    rows = [_model_row(model, chosen) for model in ordered]
    filled = [place for place in range(len(heads)) if any(row[place] is not None for row in rows)]
    return table(
        [heads[place] for place in filled],
        [[row[place] for place in filled] for row in rows],
        frozenset(i for i, model in enumerate(ordered) if model.name == chosen),
    )


def _model_row(model: ModelScore, chosen: str | None) -> list[Cell]:
    rate = None if model.rows_per_second is None else round(model.rows_per_second)
    alarms = model.false_positive_rate
    return [
        Markup(text(model.name) + (" " + badge("chosen", "good") if model.name == chosen else "")),
        model.macro_f1,
        f"{model.low:.3f} to {model.high:.3f}",
        model.accuracy,
        None if alarms is None else Figure(f"{alarms:.2%}"),
        rate,
    ]


def classes(report: ReportData) -> Markup:
    """How the chosen model does on each class: confusion matrix, precision and recall."""
    parts = [
        _confusion(report.confusion) if report.confusion else Markup(),
        _per_class(report.per_class) if report.per_class else Markup(),
    ]
    if not any(parts) or report.chosen is None:
        return join(parts)
    name = element("strong", report.chosen)
    return join([element("p", "How ", name, " does on each class of the test side."), *parts])


def _confusion(matrix: Confusion) -> Markup:
    confused = _most_confused(matrix)
    words = "; ".join(confused) or "no row was mistaken"
    return join(
        [
            picture(
                pictures.confusion(matrix),
                f"Confusion matrix of {len(matrix.classes)} classes. Most confused: {words}.",
                "Each row adds up to 100 %: what became of the test rows of that class.",
                "wide",
            ),
            element("h3", "Most often mistaken") if confused else Markup(),
            bullets(confused),
        ]
    )


def _most_confused(matrix: Confusion, most: int = 5) -> list[str]:
    """The largest off-diagonal shares in words: ``Neris taken for Virut: 23 of 212 (11 %)``."""
    found = []
    for i, row in enumerate(matrix.counts):
        for j, count in enumerate(row):
            if i != j and count:
                found.append((count / sum(row), count, sum(row), i, j))
    found.sort(key=lambda entry: (-entry[0], -entry[1], entry[3:]))
    return [
        f"{matrix.classes[i]} taken for {matrix.classes[j]}: {count:,} of {total:,} ({share:.0%})"
        for share, count, total, i, j in found[:most]
    ]


def _per_class(scores: list[ClassScore]) -> Markup:
    ordered = sorted(scores, key=lambda score: score.f1)
    return join(
        [
            element("h3", "Precision and recall, worst first"),
            table(
                ["class", "precision", "recall", "F1", "test rows"],
                [[s.name, s.precision, s.recall, s.f1, s.rows] for s in ordered],
            ),
        ]
    )


def few_labels(report: ReportData) -> Markup:
    """The study with a few labelled rows: mean and spread over the draws."""
    if report.few_labels is None:
        return Markup()
    study = report.few_labels
    ordered = sorted(study.models, key=lambda model: -model.mean)
    rows: list[list[Cell]] = [[m.model, m.mean, m.std, m.min, m.max] for m in ordered]
    words = "; ".join(f"{m.model} {m.mean:.3f} ± {m.std:.3f}" for m in ordered)
    return join(
        [
            element(
                "p",
                f"Each model was trained on {study.per_class:,} labelled rows of each class, drawn "
                f"anew {study.draws:,} times. The spread is what one lucky or unlucky draw can do.",
            ),
            picture(
                pictures.strips(study),
                f"Mean {study.metric} over draws: {words}.",
                "Upright: the mean. Thick: one standard deviation. Thin: lowest to highest draw.",
            ),
            table(["model", f"mean {study.metric}", "std", "min", "max"], rows),
            _absent(study),
        ]
    )


def _absent(study: FewLabelStudy) -> Markup:
    """How models do on families that no draw holds, the best first."""
    known = [(m.model, m.absent) for m in study.models if m.absent]
    if not known:
        return Markup()
    known.sort(key=lambda found: -found[1].mean)
    rows: list[list[Cell]] = [[name, s.mean, s.std, s.min, s.max] for name, s in known]
    return join(
        [
            element("h3", "Families that no draw holds"),
            element(
                "p",
                f"No labelled row is of {study.absent}; {study.absent_rows:,} of the test rows "
                "are. The accuracy on these alone:",
            ),
            table(["model", "mean accuracy", "std", "min", "max"], rows),
        ]
    )


def learning(report: ReportData) -> Markup:
    """How the network learnt, epoch by epoch."""
    if report.curves is None:
        return Markup()
    curves, kept = report.curves, ""
    if curves.best_epoch is not None:
        kept = f" The dashed line is epoch {curves.best_epoch}, whose weights were kept."
    first, last = curves.train_loss[0], curves.train_loss[-1]
    return picture(
        pictures.learning(curves),
        f"Learning curves of {curves.model}: train loss from {first:.3f} to {last:.3f} "
        f"over {len(curves.train_loss)} epochs.",
        f"{curves.model}, epoch by epoch.{kept}",
    )
