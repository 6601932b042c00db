"""What a run may spend, and the pause when it is spent."""

from typing import Literal

from pipelines.errors import NetloopError

What = Literal["minutes", "gpu_minutes", "llm_calls", "tokens", "money"]
WORDS: dict[What, str] = {
    "minutes": "minutes",
    "gpu_minutes": "minutes on a GPU",
    "llm_calls": "requests to the language model",
    "tokens": "tokens of the language model",
    "money": "US dollars for the language model",
}


class BudgetSpent(NetloopError):
    """A limit is reached: the run rests, and goes on where it stopped once it may spend more."""

    exit_code = 5

    def __init__(self, what: What, limit: float, run: str) -> None:
        self.what = what
        self.limit = limit
        super().__init__(
            f"The budget of {limit:g} {WORDS[what]} is used up.",
            f"Allow more: netloop runs resume {run} --budget {what}={2 * limit or 1:g}",
        )
