"""What a language model may say in each stage: typed, bounded, names from closed lists only.

Code turns it into a plan that is checked like any other. Field order is the order in which a model
writes, so that it gives its reasons before its choice.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.spec import Sees
from pipelines.features.proposals import MOST_PROPOSALS
from pipelines.features.tokens import MOST_CHARACTERS
from pipelines.models.cnn.architecture import Architecture
from tools.requirements import Place, TaskCode

Words = Annotated[str, Field(max_length=600)]
Share = Annotated[float, Field(ge=0, le=1)]
Generator = Literal[
    "duplicates", "jitter", "smote", "mixup", "marginals", "copula", "llm", "llm_evolved"
]
MOST_QUESTIONS = 3


class Said(BaseModel):
    """Something that a model says; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class AskedOfPerson(Said):
    """A question that only a person can answer, about one field of the record."""

    about: Literal["target", "max_false_positive_rate", "benign", "max_latency_ms", "runs_on"]
    text: Words
    why: Words


class RequirementsSaid(Said):
    """The goal, read: what to tell apart and how well."""

    analysis: Words
    task: TaskCode | Literal["none"]
    benign: list[str]
    metric: Literal["macro_f1", "accuracy"]
    target: Share | None
    max_false_positive_rate: Share | None
    max_latency_ms: Annotated[float, Field(gt=0)] | None
    runs_on: Place | None
    llm_sees: Sees
    granularity: Literal["flow", "packet"]
    questions: list[AskedOfPerson] = Field(max_length=MOST_QUESTIONS)


class JudgedRecord(Said):
    """One sampled record: whether it can be what its label says."""

    record: int = Field(ge=0)
    plausible: bool
    why: Words


class ChosenFilter(Said):
    """A filter to set rows aside with."""

    name: str
    why: Words


class CleaningSaid(Said):
    """How far the rows can be believed, and what to do about it."""

    judgement: Words
    records: list[JudgedRecord] = Field(max_length=100)
    filters: list[ChosenFilter] = Field(max_length=20)
    last_days: Annotated[float, Field(gt=0, le=36_500)] | None
    split_by: Literal["time", "capture", "flow", "row", "host", "day", "site", "fixed"]
    split_why: Words
    test: Annotated[float, Field(gt=0, lt=1)]
    masks: list[str]
    masks_why: Words


class FeatureSaid(Said):
    """A derived column and the reason for it."""

    expression: Annotated[str, Field(max_length=MOST_CHARACTERS)]
    why: Words


class AugmentationSaid(Said):
    """Which derived columns to try; whether made-up rows would help, how many, by which one."""

    judgement: Words
    features: list[FeatureSaid] = Field(max_length=MOST_PROPOSALS)
    generators: list[Generator] = Field(max_length=8)
    rows_per_real_row: Annotated[float, Field(ge=0, le=16)]
    label_more: list[str]


class DesignSaid(Said):
    """Which models are worth training, and what the network looks like."""

    curves: Words
    why: Words
    candidates: list[str] = Field(min_length=1, max_length=20)
    cnn_epochs: Annotated[int, Field(ge=1, le=1000)] | None
    network: Literal["default", "small", "wide", "deep_residual", "dilated", "own"]
    own: Architecture | None


class OperationSaid(Said):
    """Which model becomes the detector."""

    model: str
    why: Words


class ReadingSaid(Said):
    """What a stage's results mean to the person, and whether another trial is worth its price."""

    words: list[Words] = Field(max_length=5)
    again: bool
    again_why: Words
    retrain: Literal["no", "soon", "now"]
    retrain_why: Words
