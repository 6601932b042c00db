"""What a person may set of a study of synthetic rows, in a spec and in a plan alike."""

import difflib
from collections.abc import Sequence

from pydantic import BaseModel, Field, field_validator

from pipelines.augment.names import ARMS, PLAIN
from pipelines.models.registry import QUICK

# With fewer draws flipping signs cannot reach one in twenty: 2 ** -5 is the first below it.
FEWEST_DRAWS = 6
MOST_AMOUNT = 50
# Of a cross-validation within the labelled rows.
REPEATS = 2


class StudySettings(BaseModel):
    """Which generators are compared, with how many rows, on which models, how often."""

    arms: list[str] = Field(
        default_factory=lambda: list(PLAIN), min_length=1, description="Generators to compare"
    )
    amounts: list[float] = Field(
        default_factory=lambda: [0.25, 1.0, 2.0, 4.0, 8.0],
        min_length=1,
        description="Rows to each real one",
    )
    models: list[str] = Field(
        default_factory=lambda: ["random_forest", "cnn"],
        min_length=1,
        description="What is trained with them: models that learn in seconds",
    )
    per_class: int = Field(default=10, ge=2, description="Real rows of each class in a draw")
    draws: int = Field(
        default=20, ge=FEWEST_DRAWS, le=1000, description="How often; all arms meet the same draws"
    )
    screened: bool = Field(
        default=False,
        description="Also try each generator without rows whose label two of three models doubt",
    )
    within: bool = Field(
        default=False,
        description="Choose by cross-validation within the labelled rows: for those who have no "
        "others. Nothing is drawn then",
    )

    @field_validator("arms")
    @classmethod
    def known_arms(cls, names: list[str]) -> list[str]:
        """Refuse a generator that does not exist."""
        return [one_of(name, ARMS, "generator") for name in names]

    @field_validator("models")
    @classmethod
    def quick_models(cls, names: list[str]) -> list[str]:
        """Refuse a model that cannot be fitted hundreds of times."""
        return [one_of(name, QUICK, "model that learns in seconds") for name in names]

    @field_validator("amounts")
    @classmethod
    def some_rows(cls, amounts: list[float]) -> list[float]:
        """Refuse an amount that is none; each once, the smallest first."""
        if not all(0 < amount <= MOST_AMOUNT for amount in amounts):
            raise ValueError(f"an amount is above 0 and at most {MOST_AMOUNT} to each real one")
        return sorted(set(amounts))


def one_of(name: str, known: Sequence[str], what: str) -> str:
    """The name itself. Raises ValueError, with the nearest one, for a name that is not known."""
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise ValueError(f"{name!r} is no {what}, did you mean {near!r}?")
    return name
