"""One action of the life cycle: typed parameters, a risk, a price and a run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from pipelines.executors import AUTO, Workers
from pipelines.progress import Progress, silent
from pipelines.store.artifacts import ArtifactStore
from pipelines.store.run import RunFolder
from tools.rates import Rates

if TYPE_CHECKING:
    from pipelines.augment.asking import Author

Risk = Literal["read", "write", "train", "deploy"]


class Params(BaseModel):
    """The base of every tool's parameters: unknown names are refused, values are checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimate(BaseModel):
    """What a step will cost, from rates measured on this machine or, before that, from our own."""

    rows: int | None = Field(
        default=None, description="Rows (flows, packets, records) it will work on"
    )
    minutes: float = Field(default=0.0, description="Wall-clock minutes")
    memory_mb: int = Field(default=0, description="Peak memory in MB beyond the process itself")
    llm_calls: int = Field(default=0, description="Requests to a language model's server")
    tokens: int = Field(default=0, description="Tokens of these requests and their answers")
    money: float = Field(default=0.0, description="US dollars for them")
    measured: bool = Field(
        default=False, description="Whether the rate was measured on this machine"
    )


class ToolResult(BaseModel):
    """What a tool leaves: artefacts by name -> content hash, and small numbers that code checks."""

    artifacts: dict[str, str] = Field(default_factory=dict)
    numbers: dict[str, Any] = Field(default_factory=dict, description="Small, JSON, no traffic")
    work: float = Field(default=0.0, description="Units of work done, as ``estimate`` counts them")
    seconds: float = Field(default=0.0, description="Wall clock; never part of an artefact")


@dataclass(frozen=True)
class ToolContext:
    """What a tool may touch: the artefacts of its run, a progress line, measured rates.

    ``author`` writes synthetic rows, where a language model may. ``workers`` read captures, of
    which ``shards`` keeps what they made, and try the draws of a study; results are the same
    whoever works, so neither is part of a call. Work that has no end of its own ends soon after
    ``stop()`` is true.
    """

    store: ArtifactStore
    inputs: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    progress: Progress = silent
    rates: Rates = field(default_factory=Rates)
    run: RunFolder | None = None
    emit: Callable[[str], object] = lambda line: None
    stop: Callable[[], bool] = lambda: False
    workers: Workers = AUTO
    author: "Author | None" = None
    shards: Path | None = None

    def artifact(self, name: str) -> Path:
        """The folder of the artefact that an earlier step left under ``name``."""
        return self.store.path(self.inputs[name])

    def rows(self) -> int | None:
        """How many rows the run works on so far; None before they are imported."""
        from pipelines.store.rows import count_rows  # pyarrow, wanted only here

        name = next((n for n in ("clean_rows", "rows") if n in self.inputs), None)
        return None if name is None else count_rows(self.artifact(name))

    def named(self, prefix: str) -> dict[str, Path]:
        """Artefact folders whose names begin with ``prefix``, by the rest of their names."""
        return {
            name.removeprefix(prefix): self.store.path(digest)
            for name, digest in sorted(self.inputs.items())
            if name.startswith(prefix)
        }


P = TypeVar("P", bound=Params)


def nothing_outside(params: Any) -> list[Path]:
    """The files outside the store that a call reads, for a tool that reads none."""
    return []


@dataclass(frozen=True)
class ToolSpec(Generic[P]):
    """A tool.

    ``needs`` names the artefacts it reads (a name that ends in ``/`` stands for all that begin so;
    one that ends in ``?`` may be absent), ``makes`` those it leaves. ``reads`` lists files outside
    the store whose content is part of the call. ``version`` rises when the same call would give
    another result. A tool that is not ``repeatable`` runs every time it is called.
    """

    name: str
    summary: str
    params: type[P]
    risk: Risk
    run: Callable[[P, ToolContext], ToolResult]
    estimate: Callable[[P, ToolContext], Estimate]
    needs: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    reads: Callable[[P], list[Path]] = nothing_outside
    repeatable: bool = True
    version: int = 1
