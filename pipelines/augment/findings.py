"""What a study of synthetic rows found: all models and arms."""

from pydantic import BaseModel

from pipelines.augment.names import REAL
from pipelines.augment.verdict import Outcome, Verdict, points
from pipelines.evaluate.few_labels import Spread


class ModelFindings(BaseModel):
    """What all arms do for one model. ``alone``: the score with the real rows alone, ``absent``:
    the accuracy with them on judged rows of absent families."""

    alone: Spread
    absent: Spread | None = None
    outcomes: list[Outcome]
    verdict: Verdict

    @property
    def on_absent(self) -> str:
        """How it does on absent families, and what of generators is surest there; maybe nothing."""
        gains = [(one, one.absent) for one in self.outcomes if one.arm != REAL and one.absent]
        if self.absent is None or not gains:
            return ""
        arm, gain = max(gains, key=lambda pair: pair[1].ci[0])
        return (
            f"Families that no draw holds: accuracy {self.absent.mean:.3f} with the real rows "
            f"alone, give or take {self.absent.std:.3f}, the worst draw {self.absent.min:.3f}. "
            f"Surest there is {arm.name}, {arm.amount:g} to one: {points(gain)}."
        )


class ArmFindings(BaseModel):
    """What is to be said of an arm's rows, whatever models make of them.

    ``rows``: how many it made for a draw; ``refused``: those of all draws that could not be used,
    by reason; ``gate``: the quality gate's verdict on the rows of all draws together.
    """

    rows: float
    refused: dict[str, int]
    gate: str


class Exploration(BaseModel):
    """All models and arms. ``real_rows`` are those of one draw.

    ``within``: draws are folds, and the ``test_rows`` are the labelled rows, held out in turn.
    ``absent_rows`` of the ``test_rows`` are of families that no draw holds.
    """

    metric: str
    within: bool = False
    draws: int
    real_rows: int
    test_rows: int
    absent_rows: int = 0
    arms: dict[str, ArmFindings]
    models: dict[str, ModelFindings]

    @property
    def metric_name(self) -> str:
        """The metric as a person reads it."""
        return "accuracy" if self.metric == "accuracy" else "macro-F1"

    @property
    def how(self) -> str:
        """How the arms were compared, in a clause."""
        if self.within:
            return f"cross-validation within {self.real_rows:,} rows; {self.metric_name}"
        return (
            f"{self.draws:,} draws of {self.real_rows:,} real rows, judged by {self.test_rows:,} "
            f"rows of their own{self.of_absent}; {self.metric_name}"
        )

    @property
    def of_absent(self) -> str:
        """How many of the rows that judge are of absent families, as a clause; maybe nothing."""
        return f", {self.absent_rows:,} of them of absent families" if self.absent_rows else ""
