"""What one check says about synthetic rows."""

import numpy as np
from pydantic import BaseModel, Field


class Check(BaseModel):
    """One check. ``words`` is a clause: a report joins those of several checks."""

    name: str
    value: float | None = Field(description="What was measured")
    bar: float | None = Field(description="What it is compared with")
    passed: bool | None = Field(description="None where it cannot be judged: the words say why")
    words: str
    rows: list[int] = Field(
        default_factory=list, description="Positions of the synthetic rows that it objects to"
    )


def at_most(
    name: str, value: float, bar: float, words: str, objected: np.ndarray | None = None
) -> Check:
    """A check that passes up to the bar. ``objected``: flags of synthetic rows, shape (rows,)."""
    rows = [] if objected is None else np.flatnonzero(objected).tolist()
    return Check(name=name, value=value, bar=bar, passed=value <= bar, words=words, rows=rows)


def at_least(name: str, value: float, bar: float, words: str) -> Check:
    """A check that passes from the bar on."""
    return Check(name=name, value=value, bar=bar, passed=value >= bar, words=words)


def unjudged(name: str, why: str) -> Check:
    """A check that could not be made."""
    return Check(name=name, value=None, bar=None, passed=None, words=why)
