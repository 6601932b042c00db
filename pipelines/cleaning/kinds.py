"""What a filter is: typed parameters, and a look at rows that finds those it would move."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from pipelines.datasets.fields import DEFAULT_MASKS, is_captured
from pipelines.datasets.group_names import Group
from pipelines.progress import Progress, silent

Flags = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]


class FilterParams(BaseModel):
    """The base of every filter's parameters: unknown names are refused, values are checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Pool:
    """What filters look at.

    ``health``: the health record of every capture that the rows came from; none for tables.
    ``group``: the split group that will be used; ``groups``: the fewest that a class needs.
    ``masks``: field groups that the models of a filter may not see.
    """

    rows: pa.Table
    health: Sequence[dict[str, Any]] = ()
    group: Group = "flow"
    groups: int = 2
    masks: Sequence[str] = DEFAULT_MASKS
    seed: int = 0
    progress: Progress = silent

    @property
    def captured(self) -> bool:
        """Whether the rows are flows or packets of captures."""
        return is_captured(self.rows.schema)

    def kept(self, places: npt.NDArray[np.int64]) -> "Pool":
        """The pool with these rows only."""
        return replace(self, rows=self.rows.take(pa.array(places)))


@dataclass(frozen=True)
class Finding:
    """The rows that a filter moves.

    ``hit``: shape (rows,). ``details`` and ``scores``: per row that is hit, why it is and how bad
    (0 is worst), where the filter can tell. ``precision``: how many of them are rightly hit, where
    it can be estimated. ``evidence``: what else speaks for moving them; numbers and own words only.
    """

    hit: Flags
    details: Sequence[str] | None = None
    scores: Scores | None = None
    precision: float | None = None
    evidence: str = ""


P = TypeVar("P", bound=FilterParams)


def no(pool: Pool) -> bool:
    """Never."""
    return False


def yes(pool: Pool) -> bool:
    """Always."""
    return True


def of_captures(pool: Pool) -> bool:
    """Whether a filter fits rows that came from captures."""
    return pool.captured


@dataclass(frozen=True)
class Kind(Generic[P]):
    """One kind of filter; each file of this package declares its own.

    ``needs``: columns without which it cannot look. ``proposed``: whether it is tried unasked, if
    the rows have these columns; ``slow``: whether it then waits until a thorough look is asked for.
    ``shows``: columns that tell a person most about a row that is hit.
    """

    name: str
    params: type[P]
    find: Callable[[Pool, P], Finding]
    reason: str
    needs: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    proposed: Callable[[Pool], bool] = yes
    slow: Callable[[Pool], bool] = no
    recommended: Callable[[Pool], bool] = no
    defaults: Callable[[Pool], dict[str, Any]] = field(default=lambda pool: {})

    def fits(self, rows: pa.Table) -> bool:
        """Whether the rows have the columns that it needs."""
        return all(name in rows.schema.names for name in self.needs)
