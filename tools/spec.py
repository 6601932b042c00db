"""One action of the life cycle: typed parameters, a risk, a price and a run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from pipelines.progress import Progress, silent

Risk = Literal["read", "write", "train", "deploy"]


class Params(BaseModel):
    """The base of every tool's parameters: unknown names are refused, values are checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimate(BaseModel):
    """What a step will cost, from rates measured on this machine or, before that, from our own."""

    rows: int | None = Field(None, description="Rows (flows, packets, records) it will work on")
    minutes: float = Field(0.0, description="Wall-clock minutes")
    memory_mb: int = Field(0, description="Peak memory in MB beyond the process itself")


class ToolResult(BaseModel):
    """What a tool leaves: artefacts by name -> content hash, and small numbers that code checks."""

    artifacts: dict[str, str] = Field(default_factory=dict)
    numbers: dict[str, Any] = Field(default_factory=dict, description="Small, JSON, no traffic")
    seconds: float = Field(0.0, description="Wall clock; never part of an artefact")


@dataclass(frozen=True)
class ToolContext:
    """What a tool may touch: the artefacts of its run, the results so far, a progress line."""

    store: "ArtifactStore"
    inputs: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    progress: Progress = silent

    def artifact(self, name: str) -> Path:
        """The folder of the artefact that an earlier step of this run left under ``name``."""
        return self.store.path(self.inputs[name])


P = TypeVar("P", bound=Params)


@dataclass(frozen=True)
class ToolSpec(Generic[P]):
    """A tool. ``version`` rises when the same parameters and inputs would give another result."""

    name: str
    summary: str
    params: type[P]
    risk: Risk
    needs: tuple[str, ...]
    makes: tuple[str, ...]
    estimate: Callable[[P, ToolContext], Estimate]
    run: Callable[[P, ToolContext], ToolResult]
    version: int = 1


from pipelines.store.artifacts import ArtifactStore  # noqa: E402
