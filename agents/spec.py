"""The YAML spec of a run: what to detect, in which data, how well, with which budget."""

from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from pipelines.augment.settings import StudySettings, one_of
from pipelines.datasets.absent import Absent
from pipelines.datasets.fields import check_masks
from pipelines.executors import Workers
from pipelines.features.columns import row_features
from pipelines.features.proposals import MOST_PROPOSALS
from pipelines.models.registry import MODELS
from tools.requirements import Place, Sees, TaskCode

LEVELS: tuple[Sees, ...] = get_args(Sees)


def least(allowed: Sees, recorded: Sees | None) -> Sees:
    """What a planner may see: what the spec allows, or the less that a person approved."""
    return allowed if recorded is None else min(allowed, recorded, key=LEVELS.index)


class SpecPart(BaseModel):
    """A part of the spec: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class SplitSpec(SpecPart):
    by: Literal["time", "capture", "flow", "row", "host", "day", "site"] | None = None
    """What must not straddle the split; proposed when left out."""
    test: float = Field(default=0.5, gt=0, lt=1)
    """Share of each class's groups on the test side."""
    validation: float = Field(default=0.2, gt=0, lt=1)
    """Share of the train side kept for early stopping and for choosing the model."""


class SampleSpec(SpecPart):
    per_class: int = Field(ge=2)
    """Labelled rows drawn of each class; two at least, so that one can check the other."""
    draws: int = Field(default=20, ge=2, le=1000)
    """How many times; the spread over draws is the interval."""
    absent: Absent = Field(default_factory=dict)
    """Column -> values: rows of these families are never learned from, and judged all the same."""


class DataSpec(SpecPart):
    source: str
    """A folder of captures, one capture, or a table."""
    label: str | None = None
    """file, folder, a column, or the path of a labels.csv; proposed when left out."""
    test: str | None = None
    """A second source in the same layout: then no split is drawn."""
    granularity: Literal["flow", "packet"] = "flow"
    """What a row is."""
    decode_tunnels: bool = True
    """Whether a packet in a tunnel counts as the innermost IP packet, or as the tunnel's own."""
    protocols: bool = False
    """Whether rows tell what TLS, QUIC, HTTP, DNS, SSH and SMTP say."""
    split: SplitSpec = Field(default_factory=SplitSpec)
    sample: SampleSpec | None = None
    """The few-label study: train on a few rows of each class, many times."""
    columns: dict[str, Any] | None = None
    """For a table of one's own: which columns are the label, the time, or to be dropped."""
    masks: list[str] | None = None
    """Field groups that models may not see; the identifiers by default."""
    accept_shortcuts: str | None = Field(default=None, min_length=1, max_length=4000)
    """Why to go on even if the audit finds a leak; the report says so on its first line."""
    workers: int | None = None
    """Captures that are read, or draws of a study that are tried, at once; as many as there are
    CPUs when left out."""
    executor: str = "auto"
    """Who reads captures and tries draws of a study: auto, serial, processes, dask, or a Dask
    scheduler's address."""

    @field_validator("masks")
    @classmethod
    def known_masks(cls, names: list[str] | None) -> list[str] | None:
        """Refuse a mask that is no field group."""
        check_masks(names or [])
        return names

    @model_validator(mode="after")
    def known_workers(self) -> "DataSpec":
        """Refuse an executor that does not exist, or a number of workers that cannot be."""
        Workers(self.executor, self.workers)
        return self


class RequirementsSpec(SpecPart):
    metric: Literal["macro_f1", "accuracy"] = "macro_f1"
    target: float | None = Field(default=None, ge=0, le=1)
    """What the chosen model must reach on the test side; asked for when left out."""
    max_false_positive_rate: float | None = Field(default=None, ge=0, le=1)
    """Tolerated share of false alarms at a recall of 0.9; asked for when left out."""
    benign: list[str] | None = None
    """Classes that mean "nothing to report"; asked for when left out."""
    task: TaskCode | None = None
    """The kind of detection, by its code."""
    max_latency_ms: float | None = Field(default=None, gt=0)
    """Longest time that a verdict on one row may take, on the machine of the run."""
    runs_on: Place | None = None
    """Where the detector will run."""


class TrafficLmSpec(SpecPart):
    base: str = Field(default="traffic-nano", min_length=1)
    """``traffic-nano``, or the folder of a base that has the traffic tokens."""
    method: Literal["auto", "full", "lora", "prefix"] = "auto"
    """What is trained: all weights, low-rank changes of them, or a prefix."""
    epochs: int | None = Field(default=None, ge=1, le=1000)
    """Upper bound; the planner's choice when left out."""
    labels: Literal["tokens", "names"] = "tokens"
    """Whether a token stands for each class, or its name is spelled out."""
    controls: bool = False
    """Whether the untuned base and the same network from random weights are trained as well."""


class AugmentationSpec(SpecPart, StudySettings):
    """A study of synthetic rows: without one, none are proposed unless a person asks."""


class DesignSpec(SpecPart):
    candidates: list[str] = Field(default_factory=lambda: ["baselines", "cnn"], min_length=1)
    """``baselines`` (the whole ladder), one of its models by name, ``cnn`` or ``traffic_lm``."""
    epochs: int | None = Field(default=None, ge=1, le=10_000)
    """Upper bound of the CNN's epochs; the planner's choice when left out."""
    traffic_lm: TrafficLmSpec | None = None
    """How the traffic language model is tuned, if it is among the candidates."""

    @field_validator("candidates")
    @classmethod
    def known_models(cls, names: list[str]) -> list[str]:
        """Refuse a name that is neither a model nor the whole ladder."""
        return [one_of(name, ["baselines", *MODELS], "model") for name in names]

    @model_validator(mode="after")
    def settings_of_a_candidate(self) -> "DesignSpec":
        """Refuse settings that would do nothing."""
        if self.traffic_lm and not any(name.startswith("traffic_lm") for name in self.candidates):
            raise ValueError("traffic_lm has settings here, but is not among the candidates")
        return self


class BudgetSpec(SpecPart):
    minutes: float | None = Field(default=None, gt=0)
    """Wall clock of the steps, all together; no more is begun once they are spent."""
    gpu_minutes: float | None = Field(default=None, gt=0)
    """Wall clock of the steps that ran on a GPU."""
    llm_calls: int | None = Field(default=None, ge=0)
    """Requests to the planner's server, also those that failed; none is sent beyond them."""
    tokens: int | None = Field(default=None, ge=0)
    """Tokens of these requests and their answers."""
    money: float | None = Field(default=None, ge=0)
    """US dollars, by the prices in the workspace's llm.yaml."""


class Spec(SpecPart):
    """A run, as a person writes it down."""

    goal: str = Field(min_length=3, max_length=2000)
    data: DataSpec
    requirements: RequirementsSpec = Field(default_factory=RequirementsSpec)
    features: list[str] | Literal["auto"] | None = None
    """Derived columns to try (docs/features.md), or ``auto``: those of a language model."""
    augmentation: AugmentationSpec | None = None
    """Whether synthetic rows would help, found out before any is made."""
    design: DesignSpec = Field(default_factory=DesignSpec)
    budget: BudgetSpec = Field(default_factory=BudgetSpec)
    planner: Literal["auto", "rules", "llm"] = "auto"
    """Who proposes: rules, or a language model; auto takes the model if one is configured."""
    llm_sees: Sees = "stats"
    """How much of the data a planner's prompt may hold."""
    attachments: list[str] = Field(default_factory=list, max_length=10)
    """Text files that belong to the goal; only their sizes leave at ``schema`` and ``stats``."""
    seed: int = Field(default=0, ge=0, lt=2**32)

    @field_validator("features", mode="before")
    @classmethod
    def well_written(cls, given: Any) -> Any:
        """Refuse what is no feature, whatever the columns of the data are.

        Raises InputError, which points at the mistake; pydantic hands it on as it is.
        """
        if given in (None, "auto"):
            return given
        if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
            raise ValueError("give a list of features as texts, or auto")
        if not 0 < len(given) <= MOST_PROPOSALS:
            raise ValueError(f"give 1 to {MOST_PROPOSALS} features, not {len(given)}")
        return [str(feature) for feature in row_features(given, None, masks=())]

    @model_validator(mode="after")
    def labels_to_choose_by(self) -> "Spec":
        """Refuse to choose features by labels that a study of few labels does not have."""
        if self.features and self.data.sample:
            raise ValueError(
                "features are chosen by all labels of the train side; a study of few labels "
                "(data.sample) is to do without them"
            )
        return self
