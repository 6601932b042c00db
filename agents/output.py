"""What a run found, as one JSON document: the last thing that ``--json`` prints."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.checkpoints import STAGES, Plan
from agents.state import State, last_review
from pipelines.report.headline import fork_words, overridden
from pipelines.store.run import RunFolder

Status = Literal[
    "running", "paused", "done", "target_missed", "failed", "refused", "budget", "interrupted"
]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SplitOutput(Part):
    by: str = Field(description="time, capture, flow, row or fixed")
    sizes: dict[str, int] = Field(description="Side -> rows")
    groups: dict[str, int] = Field(description="Side -> split groups")
    groups_on_two_sides: int
    manifest: str = Field(description="Path of the manifest that lists every group")


class AuditOutput(Part):
    name: str = Field(description="The field, or fields joined with ' + '")
    accuracy: float = Field(description="Held-out accuracy of a plain look-up on this field alone")
    majority: float = Field(description="Held-out accuracy of the most frequent class")
    verdict: Literal["shortcut", "weak", "none"]
    masked: bool = Field(description="Whether models are kept from seeing it")
    group: str = Field(description="The field group, which is also the mask that hides it")


class GroupOutput(Part):
    group: str = Field(description="The field group, which is also the mask that hides it")
    masked: bool = Field(description="Whether models are kept from seeing it")
    field: str | None = Field(description="The field of the group with the best look-up")
    field_accuracy: float | None
    tree_accuracy: float = Field(description="Held-out accuracy of a small tree on the group")
    majority: float
    verdict: Literal["shortcut", "strong", "weak", "none"]


class LeakOutput(Part):
    name: Literal["copied_rows", "near_duplicates", "shared_hosts", "time_order"]
    rows: int = Field(description="Test rows concerned")
    of: int = Field(description="All test rows")
    verdict: Literal["leak", "doubt", "none"]
    words: str


class DuplicateOutput(Part):
    label: str
    duplicates: int = Field(description="Test rows whose payload also occurs on the train side")
    rows: int = Field(description="Test rows of the class that carry a payload")


class ReplayOutput(Part):
    label: str
    capture: str
    duplicates: int = Field(description="Rows that repeat an earlier row of their class")
    rows: int


class FeatureOutput(Part):
    expression: str = Field(description="The derived column, in netloop's language of features")
    verdict: str = Field(description="kept, redundant, not beyond its interval, worse, constant...")
    difference: float | None = Field(description="Macro-F1 on validation with it minus without it")
    ci: tuple[float, float] | None = Field(description="Interval, corrected for all that are tried")


class ModelOutput(Part):
    name: str
    macro_f1: float = Field(
        description="On the test side; the mean over draws in a few-label study"
    )
    ci: tuple[float, float] = Field(description="95 % interval over split groups, or over draws")
    accuracy: float
    validation_macro_f1: float | None = Field(default=None, description="What models are chosen by")
    per_class: dict[str, dict[str, float | int | None]] = Field(default_factory=dict)
    false_positive_rate: float | None = Field(
        default=None, description="Mean over classes that are not benign, at recall 0.9"
    )
    difference: dict[str, Any] | None = Field(default=None, description="Against the best baseline")
    captures: dict[str, Any] | None = Field(
        default=None, description="Whole captures judged, where whole captures were held out"
    )
    rows_per_second: float | None = None
    draws: dict[str, Any] | None = Field(
        default=None, description="Mean, spread and extremes over draws"
    )
    absent: dict[str, Any] | None = Field(
        default=None,
        description="Accuracy over draws on the test rows of families that no draw holds "
        "(data.sample.absent): how many rows, mean, spread and extremes",
    )


class PendingOutput(Part):
    stage: str
    version: int
    digest: str = Field(description="What an approval approves")
    plan: dict[str, Any]


class RunOutput(Part):
    """The JSON document of ``netloop run --json`` and ``netloop runs show --json``."""

    notice: str | None = Field(
        default=None, description="The leak that somebody accepted, and why: read it first"
    )
    run: str
    origin: str | None = Field(
        default=None, description="The run and plan that it was forked from, if it was"
    )
    status: Status
    error: str | None = None
    findings: list[str] = Field(default_factory=list, description="What the reviews found")
    split: SplitOutput | None = None
    verdict: Literal["trustworthy", "doubtful", "leaking"] | None = Field(
        default=None, description="Of the audit: whether a score can mean anything"
    )
    reasons: list[str] = Field(
        default_factory=list, description="Why it is not trustworthy, the worst first"
    )
    groups: list[GroupOutput] = Field(default_factory=list, description="A row a field group")
    leaks: list[LeakOutput] = Field(default_factory=list, description="Found or not")
    audit: list[AuditOutput] = Field(default_factory=list)
    duplicates: list[DuplicateOutput] = Field(default_factory=list)
    replays: list[ReplayOutput] = Field(
        default_factory=list, description="Captures that repeat their own payloads, on any side"
    )
    advice: list[str] = Field(default_factory=list, description="What the audit calls for")
    features: list[FeatureOutput] = Field(
        default_factory=list, description="Derived columns that were tried; models read those kept"
    )
    models: list[ModelOutput] = Field(default_factory=list)
    best: str | None = Field(
        default=None, description="Chosen by validation, never by the test side"
    )
    detector: str | None = Field(default=None, description="Folder of the packed detector")
    report: str | None = Field(default=None, description="Path of the HTML report")
    pending: PendingOutput | None = Field(
        default=None, description="The plan that waits for a decision"
    )


def run_output(run: RunFolder, state: State, pending: Plan | None) -> RunOutput:
    """Gather what a run has found so far from its state."""
    record, numbers = run.read(), state.get("numbers", {})
    tested = numbers.get("evaluate_models") or numbers.get("study_few_labels") or {}
    audit = numbers.get("audit_shortcuts", {})
    artifacts = state.get("artifacts", {})
    detector = artifacts.get("detector")
    return RunOutput(
        notice=notice(state),
        run=run.id,
        origin=fork_words(record) or None,
        status=record["status"],
        error=record.get("error"),
        findings=findings(state),
        split=_split(run, numbers.get("split_rows"), artifacts.get("split")),
        verdict=audit.get("verdict"),
        reasons=audit.get("reasons", []),
        groups=[
            GroupOutput(**{key: row[key] for key in GroupOutput.model_fields})
            for row in audit.get("groups", [])
        ],
        leaks=[LeakOutput(**row) for row in audit.get("leaks", [])],
        audit=[
            AuditOutput(**{key: row[key] for key in AuditOutput.model_fields})
            for row in audit.get("fields", [])
        ],
        duplicates=[DuplicateOutput(**row) for row in duplicates(audit)],
        replays=[ReplayOutput(**row) for row in replays(audit)],
        advice=audit.get("advice", []),
        features=[
            FeatureOutput(**{key: row[key] for key in FeatureOutput.model_fields})
            for row in numbers.get("derive_features", {}).get("outcomes", [])
        ],
        models=[ModelOutput(**row) for row in tested.get("models", [])],
        best=tested.get("best"),
        detector=str(run.store.path(detector).resolve()) if detector else None,
        report=str(run.report.resolve()) if run.report.exists() else None,
        pending=None if pending is None else _pending(pending),
    )


def notice(state: State) -> str | None:
    """The leaks that were accepted although the audit stopped them; None if none was."""
    last = [found for stage in STAGES if (found := last_review(state, stage))]
    said = [overridden(r.gate, r.by, r.override) for _, r in last if r.gate and r.override]
    return " ".join(said) or None


def findings(state: State) -> list[str]:
    """What the reviews found, stage by stage, the last review of each."""
    last: dict[str, list[str]] = {}
    for name, review in state.get("reviews", {}).items():
        last[name.split("/")[0]] = review.findings
    return [line for lines in last.values() for line in lines]


def duplicates(audit: dict[str, Any]) -> list[dict[str, Any]]:
    """Payloads of the test side that the train side has too, a row a class."""
    return [
        {"label": row["label"], "duplicates": row["duplicates"], "rows": row["of"]}
        for row in audit.get("duplicates", [])
    ]


def replays(audit: dict[str, Any]) -> list[dict[str, Any]]:
    """Captures whose rows repeat earlier ones of their class, on whichever side."""
    return [
        {
            "label": row["label"],
            "capture": row["capture"],
            "duplicates": row["duplicates"],
            "rows": row["of"],
        }
        for row in audit.get("replays", [])
    ]


def _split(
    run: RunFolder, numbers: dict[str, Any] | None, digest: str | None
) -> SplitOutput | None:
    if numbers is None or digest is None:
        return None
    return SplitOutput(
        by=numbers["by"],
        sizes={side: size["rows"] for side, size in numbers["sizes"].items()},
        groups={side: size["groups"] for side, size in numbers["sizes"].items()},
        groups_on_two_sides=numbers["groups_on_two_sides"],
        manifest=str((run.store.path(digest) / "manifest.json").resolve()),
    )


def _pending(plan: Plan) -> PendingOutput:
    return PendingOutput(
        stage=plan.stage,
        version=plan.version,
        digest=plan.digest(),
        plan=plan.model_dump(mode="json"),
    )
