"""What a run's language model may cost, and what it has cost so far."""

from pydantic import BaseModel, ConfigDict, Field

from agents.budget import BudgetSpent, What
from agents.llm.record import AnswerLog
from agents.llm.settings import Price
from pipelines.errors import InputError

_BYTES_A_TOKEN = 3  # few for prose, many for dense JSON: a guess that errs upward


class Spent(BaseModel):
    """What was spent: requests that left (failed ones too), their tokens, US dollars."""

    llm_calls: int = 0
    tokens: int = 0
    money: float = 0.0


class Limits(BaseModel):
    """What may be spent; None is no limit."""

    model_config = ConfigDict(frozen=True)

    llm_calls: int | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    money: float | None = Field(default=None, ge=0)


class Meter:
    """The limits of one run against its log, which outlives the process.

    Raises InputError if money is limited and the model has no price.
    """

    def __init__(self, limits: Limits, log: AnswerLog, price: Price | None = None) -> None:
        if limits.money is not None and price is None:
            raise InputError(
                "The budget limits money, but nobody said what the model costs.",
                "Add it to the workspace's llm.yaml, in US dollars for a million tokens: "
                "prices: {MODEL: {input: 0.15, output: 0.6}}",
            )
        self.limits = limits
        self._log = log
        self._price = price

    @property
    def spent(self) -> Spent:
        """Everything that was sent in this run, in this process or an earlier one."""
        exchanges = self._log.exchanges
        return Spent(
            llm_calls=len(exchanges),
            tokens=sum(exchange.tokens_in + exchange.tokens_out for exchange in exchanges),
            money=sum(exchange.money for exchange in exchanges),
        )

    def allow(self, what: What, limit: float) -> None:
        """Take another limit, if it is one of these."""
        if what in Limits.model_fields:
            self.limits = Limits.model_validate({**self.limits.model_dump(), what: limit})

    def check(self, prompt_tokens: int, max_tokens: int) -> None:
        """Raise BudgetSpent if a request with an answer of ``max_tokens`` could go over."""
        would = Spent(
            llm_calls=self.spent.llm_calls + 1,
            tokens=self.spent.tokens + prompt_tokens + max_tokens,
            money=self.spent.money + self.price_of(prompt_tokens, max_tokens),
        )
        limits: dict[What, tuple[float | None, float]] = {
            "llm_calls": (self.limits.llm_calls, would.llm_calls),
            "tokens": (self.limits.tokens, would.tokens),
            "money": (self.limits.money, would.money),
        }
        for what, (limit, amount) in limits.items():
            if limit is not None and amount > limit:
                raise BudgetSpent(what, limit, self._log.path.parent.name)

    def price_of(self, tokens_in: int, tokens_out: int) -> float:
        """US dollars; 0 if the price is unknown."""
        return 0.0 if self._price is None else self._price.of(tokens_in, tokens_out)


def estimated_tokens(size: int) -> int:
    """The tokens of ``size`` bytes of text, where nobody counted them."""
    return -(-size // _BYTES_A_TOKEN)
