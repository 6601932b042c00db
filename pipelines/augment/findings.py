"""What a study of synthetic rows found: all models and arms."""

from pydantic import BaseModel

from pipelines.augment.verdict import Outcome, Verdict
from pipelines.evaluate.few_labels import Spread


class ModelFindings(BaseModel):
    """What all arms do for one model. ``alone``: the score with the real rows alone."""

    alone: Spread
    outcomes: list[Outcome]
    verdict: Verdict


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
    """

    metric: str
    within: bool = False
    draws: int
    real_rows: int
    test_rows: int
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
            f"rows of their own; {self.metric_name}"
        )
