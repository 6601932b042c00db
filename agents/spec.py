"""The YAML spec of a run: what to detect, in which data, how well, with which budget."""

import difflib
import os
import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from pipelines.datasets.fields import check_masks
from pipelines.errors import InputError
from pipelines.executors import Workers
from pipelines.models.registry import MODELS
from tools.requirements import Place, TaskCode

Sees = Literal["schema", "stats", "redacted", "raw"]


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
    """Captures that are read at once; as many as there are CPUs when left out."""
    executor: str = "auto"
    """Who reads captures: auto, serial, processes, dask, or a Dask scheduler's address."""

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
        known = ["baselines", *MODELS]
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
                raise ValueError(f"{name!r} is no model, did you mean {near!r}?")
        return names

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
    design: DesignSpec = Field(default_factory=DesignSpec)
    budget: BudgetSpec = Field(default_factory=BudgetSpec)
    planner: Literal["auto", "rules", "llm"] = "auto"
    """Who proposes: rules, or a language model; auto takes the model if one is configured."""
    llm_sees: Sees = "stats"
    """How much of the data a planner's prompt may hold."""
    attachments: list[str] = Field(default_factory=list, max_length=10)
    """Text files that belong to the goal; only their sizes leave at ``schema`` and ``stats``."""
    seed: int = Field(default=0, ge=0, lt=2**32)


def load_spec(path: Path, changes: list[str] | None = None) -> Spec:
    """Read a spec file and apply ``key=value`` changes (dotted keys, YAML values).

    Raises InputError: no such file, no YAML, an unknown key (with the nearest valid one), a value
    out of bounds, an environment variable that is not set.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"The spec {path} cannot be read: {error.strerror}.",
            "Give a YAML spec (there are some in examples/), or talk it through: netloop chat",
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"The spec {path} is not YAML: {_one_line(error)}.") from error
    if not isinstance(content, dict):
        raise InputError(f"The spec {path} is not a mapping of keys.", "Begin with 'goal: ...'.")
    for change in changes or []:
        _apply(content, change)
    return parse_spec(content, str(path))


def parse_spec(content: dict[str, Any], where: str) -> Spec:
    """Check a spec that was read, expanding environment variables in its paths.

    Raises InputError as ``load_spec`` does.
    """
    try:
        spec = Spec.model_validate(content)
    except ValidationError as error:
        raise InputError(f"In {where}: {_explain(error)}.") from error
    data = spec.data.model_copy(
        update={
            name: expand(getattr(spec.data, name), f"data.{name}")
            for name in ("source", "label", "test")
        }
    )
    return spec.model_copy(update={"data": data, "design": _expanded(spec.design)})


def _expanded(design: DesignSpec) -> DesignSpec:
    """The design with the path of its base expanded."""
    if design.traffic_lm is None:
        return design
    base = expand(design.traffic_lm.base, "design.traffic_lm.base")
    tuned = design.traffic_lm.model_copy(update={"base": base})
    return design.model_copy(update={"traffic_lm": tuned})


def expand(text: str | None, where: str) -> str | None:
    """``$NAME`` and ``${NAME}`` from the environment, ``~`` as the home folder.

    Raises InputError if a variable is not set.
    """
    if text is None:
        return None
    filled = os.path.expandvars(text)
    if filled.startswith("~"):
        filled = str(Path(filled).expanduser())
    if missing := re.search(r"\$(\w+|\{[^}]*\})", filled):
        name = missing.group(1).strip("{}")
        raise InputError(
            f"{where} names the environment variable {name}, which is not set.",
            f"Set it: export {name}=/path/to/the/captures",
        )
    return filled


def _apply(content: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise InputError(
            f"--set {change!r} is not key=value.", "Example: --set data.split.test=0.3"
        )
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"--set {key}: the value is not YAML: {_one_line(error)}.") from error
    *parents, last = key.split(".")
    part = content
    for name in parents:
        below = part.setdefault(name, {})
        if not isinstance(below, dict):
            raise InputError(f"--set {key}: {name} is a value, not a group of keys.")
        part = below
    part[last] = value


def _explain(error: ValidationError) -> str:
    return "; ".join(_explain_one(dict(item)) for item in error.errors()[:5])


def _explain_one(item: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] != "extra_forbidden":
        return f"{place}: {item['msg'].removeprefix('Value error, ').lower()}"
    known = _keys_at(item["loc"][:-1])
    near = difflib.get_close_matches(str(item["loc"][-1]), known, n=1, cutoff=0.0)
    return f"unknown key {place!r}, did you mean {near[0]!r}? (known here: {', '.join(known)})"


def _keys_at(place: tuple[Any, ...]) -> list[str]:
    model: type[BaseModel] = Spec
    for name in place:
        annotation = model.model_fields[name].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return list(model.model_fields)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
