"""A model behind a server on loopback, and the run folder that it writes to."""

import json
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from openai_double import OpenAIDouble
from pydantic import BaseModel, ConfigDict, SecretStr

from agents.llm.client import Llm
from agents.llm.failures import LlmFailure
from agents.llm.meter import Limits, Meter
from agents.llm.record import AnswerLog, Exchange
from agents.llm.settings import LlmSettings

CANARY = "sk-canary-0123456789abcdefABCDEF"
GOOD = '{"city": "Paris", "rivers": ["Seine"]}'


class City(BaseModel):
    """What the tests ask for."""

    model_config = ConfigDict(extra="forbid")

    city: str
    rivers: list[str] = []


@dataclass
class Desk:
    """One run with its model: ask, and look at what was written and sent."""

    server: OpenAIDouble
    run: Path
    waits: list[float] = field(default_factory=list)
    key: str = CANARY

    def llm(self, limits: Limits | None = None, reasks: int = 2, **settings: Any) -> Llm:
        """The model as a new process would open it."""
        chosen = {"base_url": self.server.base_url, "model": "m", "timeout_seconds": 5, **settings}
        found = LlmSettings.model_validate(chosen)
        log = self.log
        return Llm(
            found,
            SecretStr(self.key),
            log,
            self.run / "egress.jsonl",
            Meter(limits or Limits(), log, found.price),
            reasks=reasks,
            sleep=self.waits.append,
        )

    def ask(self, place: str = "design/1/propose", **settings: Any) -> City:
        """One city, asked for in words that say nothing of its form."""
        messages = [("system", "You know cities."), ("user", "The capital of France?")]
        return self.llm(**settings).ask(City, messages, place)

    def fails(self, **settings: Any) -> LlmFailure:
        """The failure that ``ask`` ends with; nothing of it shows the key."""
        with pytest.raises(LlmFailure) as failed:
            self.ask(**settings)
        assert CANARY not in all_that_is_told(failed.value)
        return failed.value

    def check_files(self) -> None:
        """The key is in no file of the workspace."""
        for path in self.run.parents[1].rglob("*"):
            assert path.is_dir() or CANARY not in path.read_text(), path

    @property
    def log(self) -> AnswerLog:
        """The log as it is on disk."""
        return AnswerLog(self.run / "llm.jsonl")

    @property
    def exchanges(self) -> list[Exchange]:
        """What was asked, as it is on disk."""
        return self.log.exchanges

    @property
    def methods(self) -> list[str]:
        """How the server was asked, request by request."""
        return [received.method for received in self.server.requests]

    @property
    def egress(self) -> list[dict[str, Any]]:
        """The lines of egress.jsonl."""
        return [json.loads(line) for line in (self.run / "egress.jsonl").read_text().splitlines()]


def all_that_is_told(error: BaseException) -> str:
    """Every text in which an error may reach a person, those of the errors behind it included."""
    told = ["".join(traceback.format_exception(error))]
    behind: BaseException | None = error
    while behind is not None:
        told += [str(behind), repr(behind), repr(vars(behind))]
        behind = behind.__cause__ or behind.__context__
    return "\n".join(told)


OpenDesk = Callable[..., AbstractContextManager[Desk]]
"""``with desk("mode", ..., default="mode") as at:`` a run whose server answers so."""
