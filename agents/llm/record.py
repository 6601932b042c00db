"""What was asked of a language model and what it answered: one run's ``llm.jsonl``."""

import datetime
import json
import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agents.llm.failures import Fault
from agents.llm.servers import METHODS, Method

Manner = Literal[Method, "stream", "whole"]
"""How an object, or words, were asked for."""


class Exchange(BaseModel):
    """One request and its answer.

    Its line is written before the request leaves, as ``unanswered``, and once more under the same
    ``number`` when it is over: a kill in between still leaves the request counted.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    at: str
    """When it left, in UTC."""
    place: str
    """Why it was asked: ``design/2/propose``."""
    attempt: int
    """From 1 within the place."""
    model: str
    method: Manner
    request_sha256: str
    """Of the body as it was sent: that of its line in egress.jsonl."""
    answer: str | None = None
    """The JSON that passed, or the prose; with a fault, what the model wrote."""
    fault: Fault | None = "unanswered"
    tokens_in: int
    tokens_out: int = 0
    estimated: bool = True
    """Whether the tokens are our guess, for the server did not say."""
    money: float = 0.0
    """US dollars; 0 where the price is unknown."""
    seconds: float = 0.0


class AnswerLog:
    """One ``llm.jsonl`` (0600), only ever appended to; the run's lock makes us its only writer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._exchanges = {exchange.number: exchange for exchange in _read(path)}

    @property
    def exchanges(self) -> list[Exchange]:
        """Every request that was sent, in order."""
        return list(self._exchanges.values())

    @property
    def next_number(self) -> int:
        """The number of the next request."""
        return max(self._exchanges, default=-1) + 1

    def write(self, exchange: Exchange) -> None:
        """Append a line; it is on disk when this returns. An older one of its number is void."""
        append_line(self.path, exchange.model_dump(mode="json"))
        self._exchanges[exchange.number] = exchange

    def of(self, place: str) -> list[Exchange]:
        """What was asked for one place, in order."""
        return [exchange for exchange in self.exchanges if exchange.place == place]

    def recorded(self, place: str) -> str | None:
        """The last answer for a place that could be used: it need not be asked again."""
        usable = [found.answer for found in self.of(place) if found.fault is None]
        return usable[-1] if usable else None

    def good_method(self, model: str) -> Method | None:
        """How the model gave objects so far: the plainest way, if there were several."""
        good = {e.method for e in self.exchanges if e.model == model and e.fault is None}
        return next((method for method in reversed(METHODS) if method in good), None)


def append_line(path: Path, content: dict[str, object]) -> None:
    """Append a JSON line to a private file and see it onto the disk.

    A line that a kill tore is ended first. The line is ASCII, whatever its strings hold.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "r+b") as file:
        if file.seek(0, os.SEEK_END) and os.pread(handle, 1, file.tell() - 1) != b"\n":
            file.write(b"\n")
        file.write(json.dumps(content).encode("ascii") + b"\n")
        file.flush()
        os.fsync(handle)


def utc_now() -> str:
    """The time as a log writes it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _read(path: Path) -> list[Exchange]:
    """All whole lines, oldest first; a line torn by a kill is left out."""
    if not path.exists():
        return []
    found = []
    for line in path.read_bytes().split(b"\n"):
        try:
            found.append(Exchange.model_validate(json.loads(line)))
        except ValueError:
            continue
    return found
