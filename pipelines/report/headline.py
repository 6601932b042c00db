"""What was found, in one line that a hurried reader may believe: it holds the bad news too."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipelines.words import counted

if TYPE_CHECKING:
    from pipelines.report.data import AuditRow, ModelScore, PairedDifference, ReportData

Level = Literal["good", "warning", "bad", "open"]

_UNFINISHED = {
    "done": "No model was tested.",
    "paused": "Paused: no model has been tested yet.",
    "refused": "Refused: the run was ended before any model was tested.",
    "failed": "Failed: a step went wrong before any model was tested.",
    "budget": "Budget used up before any model was tested.",
}
_ENDED_EARLY = {
    "paused": "The run is paused; its last stages are not done.",
    "refused": "The run was ended before its last stage.",
    "failed": "A later step went wrong.",
    "budget": "The budget was used up before the last stage.",
}
METRIC_NAMES = {"macro_f1": "macro-F1", "accuracy": "accuracy"}


@dataclass(frozen=True)
class Headline:
    """``line`` first, then ``details``, a sentence each."""

    level: Level
    line: str
    details: list[str]


def fork_words(record: dict[str, Any]) -> str:
    """Where a run was forked from, for whoever reads its results; empty if it was not."""
    found = record.get("forked_from")
    if found is None:
        return ""
    words = f"Forked from run {found['run']} at {found['stage']}/{found['version']}."
    if not found["test_read"]:
        return words
    return (
        f"{words} Its test side had been read by then: whoever decided knowing its scores has no "
        "untouched test any more."
    )


def overridden(found: str, by: str, reason: str) -> str:
    """What leads a report whose audit failed and was overridden."""
    who = f"a {by}" if by == "person" else f"the {by}"
    return (
        f"This number was accepted although the audit found a leak: {found} "
        f"Overridden by {who}: {reason}"
    )


def headline(report: "ReportData") -> Headline:
    """What the run found.

    An audit that was overridden leads, then a split that leaks, an identifier that the models see
    or a missed target. Behaviour that predicts the label alone may be what there is to learn: the
    result comes first, then a warning.
    """
    model = report.model(report.chosen)
    ended = _ended(report, model)
    score = _score(model, report) + _behaviour_alone(report) if model else ""
    if problem := report.override or _leak(report) or _open_identifiers(report):
        return Headline("bad", problem, [f"{score}.", *ended] if model else ended)
    if model is None:
        return Headline("open", _UNFINISHED[report.outcome], ended[1:])
    if missed := _missed(model, report):
        return Headline("warning", missed, [f"{score}.", *ended])
    notes = [*_doubts(report), *_unsure(model), *_target_met(model, report), *ended]
    return Headline(_level(model, report), f"{score}.", notes)


def _ended(report: "ReportData", model: "ModelScore | None") -> list[str]:
    """How the run ended, unless it is done, and the error if one ended it."""
    words = _ENDED_EARLY if model else _UNFINISHED
    early = [words[report.outcome]] if report.outcome in _ENDED_EARLY else []
    return [*early, report.error] if report.outcome == "failed" and report.error else early


def _level(model: "ModelScore", report: "ReportData") -> Level:
    if report.outcome in _ENDED_EARLY:
        return "open"
    doubtful = _behaviour_alone(report) or _doubts(report) or _unsure(model)
    return "warning" if doubtful else "good"


def _doubts(report: "ReportData") -> list[str]:
    """The first reason of an audit that doubts, unless the first line says it already."""
    if report.audit is None or report.audit.verdict != "doubtful" or _behaviour_alone(report):
        return []
    return [f"The audit calls this doubtful: {report.audit.reasons[0]}"]


def _unsure(model: "ModelScore") -> list[str]:
    return ["The test side holds too few split groups for an interval."] if model.is_unsure else []


def against_baseline(difference: "PairedDifference") -> str:
    """The paired difference in words: ``0.022 better than random_forest (0.010 to 0.034)``."""
    interval = f"(95 % interval {difference.low:+.3f} to {difference.high:+.3f})"
    size = f"{abs(difference.difference):.3f}"
    if difference.low <= 0 <= difference.high:
        return f"not clearly different from {difference.baseline} {interval}"
    word = "better" if difference.difference > 0 else "worse"
    return f"{size} {word} than {difference.baseline} {interval}"


def _score(model: "ModelScore", report: "ReportData") -> str:
    """``cnn reaches macro-F1 0.908 (95 % interval 0.897 to 0.919), 0.022 better than ...``

    Without a full stop: a warning may follow.
    """
    said = f"{model.name} reaches macro-F1 {model.macro_f1:.3f}"
    said += f" (95 % interval {model.low:.3f} to {model.high:.3f})"
    best = report.best_baseline
    if report.difference is not None:
        return f"{said}, {against_baseline(report.difference)}"
    if best is None:
        return f"{said}; no baseline was trained to compare it with"
    if best.name == model.name:
        return f"{said}; it is itself the best baseline"
    return f"{said}; the best baseline, {best.name}, {best.macro_f1:.3f}"


def _leak(report: "ReportData") -> str:
    if report.split is None or report.split.groups_on_two_sides == 0:
        return ""
    count = report.split.groups_on_two_sides
    return (
        f"Do not believe these scores: {count:,} {report.split.group} "
        f"{'group is' if count == 1 else 'groups are'} on two sides of the split."
    )


def _open_shortcuts(report: "ReportData") -> "list[AuditRow]":
    """What the models see although it predicts the label alone, the strongest first."""
    found = [row for row in report.audit.rows if row.is_open] if report.audit else []
    return sorted(found, key=lambda row: -row.accuracy)


def _open_identifiers(report: "ReportData") -> str:
    found = _open_shortcuts(report)
    worst = next((row for row in found if row.is_identifier), None)
    if worst is None:
        return ""
    more = f"; the same holds for {len(found) - 1} more" if len(found) > 1 else ""
    return (
        f"The audit failed: {worst.field} alone predicts the label (accuracy {worst.accuracy:.3f}, "
        f"majority class {worst.majority:.3f}) and the models see it{more}."
    )


def _behaviour_alone(report: "ReportData") -> str:
    """The half sentence of warning behind the result; empty if an identifier leads already."""
    found = _open_shortcuts(report)
    if not found or any(row.is_identifier for row in found):
        return ""
    worst, others = found[0], len(found) - 1
    more = f", as {counted(others, 'other does', 'others do')}" if others else ""
    return (
        f"; but one field alone, {worst.field} (accuracy {worst.accuracy:.3f}, majority class "
        f"{worst.majority:.3f}), already predicts the label{more}: see the audit"
    )


def _missed(model: "ModelScore", report: "ReportData") -> str:
    parts = []
    reached = getattr(model, report.metric)
    if report.target is not None and reached < report.target:
        name = METRIC_NAMES[report.metric]
        parts.append(f"{name} {reached:.3f}, wanted {report.target:g}")
    limit, alarms = report.max_false_positive_rate, model.false_positive_rate
    if limit is not None and alarms is not None and alarms > limit:
        parts.append(f"false positives {alarms:.2%} at a recall of 0.9, tolerated {limit:.2%}")
    return f"Target missed: {'; '.join(parts)}." if parts else ""


def _target_met(model: "ModelScore", report: "ReportData") -> list[str]:
    if report.target is None:
        return ["No target was set."]
    name, reached = METRIC_NAMES[report.metric], getattr(model, report.metric)
    return [f"The target was met: {name} {reached:.3f}, wanted {report.target:g}."]
