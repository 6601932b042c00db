"""What a report says, as plain values. Parts that were not done are absent."""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pipelines.augment.findings import Exploration
from pipelines.augment.made_rows import MadeRows
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.evaluate.captures import CaptureScore

Outcome = Literal["done", "paused", "refused", "failed", "budget"]
Metric = Literal["macro_f1", "accuracy"]
Verdict = Literal["shortcut", "weak", "none"]
GroupVerdict = Literal["shortcut", "strong", "weak", "none"]


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("is not a finite number")
    return number


Score = Annotated[float, AfterValidator(_finite)]


class Part(BaseModel):
    """A part of a report: unknown names are refused, so that nothing is silently left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassRows(Part):
    """How many rows of a class are on each side."""

    name: str
    train: int = 0
    validation: int = 0
    test: int = 0


class CorruptRecord(Part):
    """A record that could not be read: its byte offset in the (decompressed) capture, and why."""

    capture: str
    offset: int
    reason: str


class HealthSummary(Part):
    """What was read from all captures together, and what was not."""

    captures: int
    packets: int
    bytes: int
    truncated: int = Field(0, description="Packets of which the capture kept only the beginning")
    skipped: dict[str, int] = Field(default_factory=dict, description="Reason -> packets")
    corrupt: int = 0
    corrupt_records: list[CorruptRecord] = Field(default_factory=list, description="The first ones")


class DataCard(Part):
    """Where the rows come from and what they are."""

    source: str
    test_source: str | None = None
    label: str = Field("", description="Where the class comes from: file, folder, a column...")
    granularity: str = "flow"
    classes: list[ClassRows]
    masks: list[str] = Field(default_factory=list, description="Field groups hidden from models")
    health: HealthSummary | None = None


class SideSize(Part):
    """How much one side of the split holds."""

    rows: int
    groups: int


class SplitProof(Part):
    """The split and the count that proves it clean."""

    by: str
    group: str = Field(description="What may not straddle: flow, row or capture")
    sides: dict[Literal["train", "validation", "test"], SideSize]
    groups_on_two_sides: int
    manifest_sha256: str
    warnings: list[str] = Field(default_factory=list)


class AuditRow(Part):
    """One field, looked up alone: how well it predicts the label of held-out rows."""

    field: str
    group: str
    accuracy: Score
    majority: Score
    verdict: Verdict
    masked: bool

    @property
    def is_open(self) -> bool:
        """A shortcut that the models can see."""
        return self.verdict == "shortcut" and not self.masked

    @property
    def is_identifier(self) -> bool:
        """Whether it says who sent the traffic rather than what the traffic does."""
        return self.group in DEFAULT_MASKS


class Duplicates(Part):
    """Test rows of a class whose payload also occurs on the train side."""

    name: str
    rows: int = Field(description="Test rows of the class that carry a payload")
    repeated: int


class AuditGroup(Part):
    """One field group: its best field alone, a small tree on all of it, and what a model lost."""

    group: str
    masked: bool
    field: str | None = None
    field_accuracy: Score | None = None
    tree_accuracy: Score
    majority: Score
    verdict: GroupVerdict
    fall: Score | None = Field(None, description="Macro-F1 that the chosen model lost without it")
    fall_ci: tuple[Score, Score] | None = None


class AuditLeak(Part):
    """How many test rows training already knows in one way."""

    words: str
    verdict: Literal["leak", "doubt", "none"]


class ForgedNetwork(Part):
    """The chosen model where addresses, times and the other identifiers are others."""

    model: str
    macro_f1: Score
    fall: Score
    moved: int = Field(description="Test rows of which any probability changed")
    rows: int


class Audit(Part):
    """The audit: a verdict, a row a field group, the fields one by one, and leaks."""

    rows: list[AuditRow]
    duplicates: list[Duplicates] = Field(default_factory=list)
    verdict: Literal["trustworthy", "doubtful", "leaking"] | None = None
    reasons: list[str] = Field(default_factory=list)
    groups: list[AuditGroup] = Field(default_factory=list)
    leaks: list[AuditLeak] = Field(default_factory=list)
    forged: ForgedNetwork | None = None


class ModelScore(Part):
    """One model on the test side, with the 95 % interval of its macro-F1."""

    name: str
    macro_f1: Score
    low: Score
    high: Score
    accuracy: Score
    rows_per_second: float | None = None
    baseline: bool = Field(True, description="A step of the ladder rather than a candidate")
    false_positive_rate: Score | None = Field(None, description="At a recall of 0.9")
    captures: CaptureScore | None = Field(None, description="Where whole ones were held out")

    @property
    def is_unsure(self) -> bool:
        """Whether the interval says nothing: the test side holds too few split groups."""
        return self.low <= 0 and self.high >= 1


class PairedDifference(Part):
    """Macro-F1 of the chosen model minus that of the best baseline, over the same resamples."""

    baseline: str
    difference: Score
    low: Score
    high: Score


class ClassScore(Part):
    """How one class fares under the chosen model."""

    name: str
    precision: Score
    recall: Score
    f1: Score
    rows: int


class Confusion(Part):
    """``counts[i][j]``: test rows of class i that the chosen model took for class j."""

    classes: list[str]
    counts: list[list[int]]

    @model_validator(mode="after")
    def _square(self) -> "Confusion":
        size = len(self.classes)
        if len(self.counts) != size or any(len(row) != size for row in self.counts):
            raise ValueError(f"a confusion matrix of {size} classes has {size} rows and columns")
        return self


class LearningCurves(Part):
    """What a network did, epoch by epoch; None where nothing was measured."""

    model: str
    train_loss: list[Score] = Field(min_length=1)
    validation_macro_f1: list[Score | None] = Field(default_factory=list)
    best_epoch: int | None = Field(None, description="From 1: the epoch whose weights were kept")


class Draws(Part):
    """A score over repeated draws of a few labelled rows."""

    mean: Score
    std: Score
    min: Score
    max: Score


class FewLabelDraws(Draws):
    """The scores of one model over all draws. ``absent``: its accuracy on absent families."""

    model: str
    absent: Draws | None = None
    scores: list[Score] = Field(
        default_factory=list, description="One a draw, where they were kept"
    )


class FewLabelStudy(Part):
    """Models trained on a few rows of each class, many times over."""

    per_class: int
    draws: int
    metric: str = "accuracy"
    absent: str = Field("", description="Families that no draw holds, in words")
    absent_rows: int = Field(0, description="Test rows of them")
    models: list[FewLabelDraws] = Field(min_length=1)


class FeatureTried(Part):
    """A derived column that was tried; ``difference`` and ``ci`` are None if none was fitted."""

    expression: str
    verdict: str
    reason: str
    difference: Score | None
    ci: tuple[Score, Score] | None


class FeatureStudy(Part):
    """Derived columns on validation rows. The scores are of the rows that chose."""

    model: str
    level: Score = Field(description="Of each interval")
    without: Score
    with_kept: Score
    outcomes: list[FeatureTried]


class PlanVersion(Part):
    """One version of one stage's plan, and what a person or a policy said to it."""

    stage: str
    version: int
    planner: str
    summary: str
    changes: list[str] = Field(default_factory=list)
    decision: str = Field("", description="approve, edit, reject...; empty while it waits")
    by: str = ""
    note: str = ""
    answer: str = Field("", description="What was replied, if the note was a question")


class ReportData(Part):
    """Everything that a report shows. ``write_report`` leaves out what is absent."""

    run: str
    goal: str
    outcome: Outcome
    error: str = Field("", description="What went wrong, if the run failed")
    override: str = Field("", description="The leak that somebody accepted, and why; it leads")
    spec: str = Field("", description="The spec as text")
    metric: Metric = "macro_f1"
    target: Score | None = None
    max_false_positive_rate: Score | None = None
    models: list[ModelScore] = Field(default_factory=list)
    chosen: str | None = Field(None, description="The model that was packed: best by validation")
    difference: PairedDifference | None = None
    findings: list[str] = Field(default_factory=list, description="What the reviews found")
    data: DataCard | None = None
    split: SplitProof | None = None
    audit: Audit | None = None
    per_class: list[ClassScore] = Field(default_factory=list)
    confusion: Confusion | None = None
    curves: LearningCurves | None = None
    few_labels: FewLabelStudy | None = None
    explored: Exploration | None = Field(None, description="Whether synthetic rows help")
    made: MadeRows | None = Field(None, description="Synthetic rows that models learned from")
    features: FeatureStudy | None = None
    plans: list[PlanVersion] = Field(default_factory=list)
    limits: list[str] = Field(default_factory=list)
    commands: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _named_models_were_tested(self) -> "ReportData":
        compared = None if self.difference is None else self.difference.baseline
        for name in (self.chosen, compared):
            if name is not None and self.model(name) is None:
                raise ValueError(f"{name!r} is not among the tested models")
        return self

    @property
    def best_baseline(self) -> ModelScore | None:
        """What the chosen model is compared with; itself, if it is of the ladder and its best."""
        if self.difference is not None:
            return self.model(self.difference.baseline)
        chosen = self.model(self.chosen)
        if chosen is not None and chosen.baseline:
            return chosen
        ladder = [model for model in self.models if model.baseline]
        return max(ladder, key=lambda model: model.macro_f1, default=None)

    def model(self, name: str | None) -> ModelScore | None:
        """The scores of the model of that name; None if there is none."""
        return next((model for model in self.models if model.name == name), None)
