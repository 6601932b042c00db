"""What one check says about synthetic rows."""

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


def unjudged(name: str, why: str) -> Check:
    """A check that could not be made."""
    return Check(name=name, value=None, bar=None, passed=None, words=why)
