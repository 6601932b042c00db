"""A language model that can be asked for an object or for words. It runs and approves nothing."""

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, JsonValue, SecretStr

from agents.budget import What
from agents.llm.course import MOST_REASKS, Course, Patience
from agents.llm.failures import LlmFailure
from agents.llm.meter import Meter
from agents.llm.methods import Messages, answer_text
from agents.llm.prose import Prose
from agents.llm.record import AnswerLog, Manner
from agents.llm.repair import Reading
from agents.llm.reply import Reply
from agents.llm.sending import Sending
from agents.llm.servers import METHODS, Method
from agents.llm.settings import LlmSettings

if TYPE_CHECKING:
    from agents.llm.line import Line

T = TypeVar("T", bound=BaseModel)
OnPiece = Callable[[str], None]


def accept(value: BaseModel) -> None:
    """A check that every value passes."""


class Llm:
    """One model at one server, for one run; what it has answered before is not asked again.

    Each request is admitted by ``meter`` and stands in ``log`` and ``egress`` before it leaves.
    """

    def __init__(
        self,
        settings: LlmSettings,
        key: SecretStr,
        log: AnswerLog,
        egress: Path,
        meter: Meter,
        *,
        reasks: int = MOST_REASKS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._key = key
        self._log = log
        self._egress = egress
        self._meter = meter
        self._reasks = reasks
        self._sleep = sleep

    @cached_property
    def _line(self) -> "Line":
        from agents.llm.line import Line

        return Line(self._settings, self._key, self._egress)

    def ask(
        self,
        schema: type[T],
        messages: Messages,
        place: str,
        check: Callable[[T], None] = accept,
    ) -> T:
        """An object of ``schema`` that passes ``check`` (which raises InputError or ValueError).

        ``messages`` are pairs of a role (system, user, assistant) and a text. Raises LlmFailure if
        no usable answer came, BudgetSpent before a request that could go over the budget.
        """
        reading = Reading(schema, check)
        known = _known(self._log, reading, place)
        if known is not None:
            return known
        course = Course(messages, schema, self._methods(), self._reasks)
        while True:
            try:
                return self._attempt(course, reading, place)
            except LlmFailure as failure:
                self._sleep(course.after(failure))

    def say(self, messages: Messages, place: str, on_piece: OnPiece | None = None) -> str:
        """Prose; ``on_piece`` is handed its pieces as they come, which are foreign words.

        Raises as ``ask`` does. Nothing is sent twice once a piece was handed on.
        """
        known = self._log.recorded(place)
        if known is not None:
            (on_piece or _nowhere)(known)
            return known
        patience, prose = Patience(), Prose(on_piece or _nowhere, self._sampling())
        while True:
            try:
                return self._request_prose(prose, messages, place)
            except LlmFailure as failure:
                if prose.begun:
                    raise
                if not prose.plainer(failure):
                    self._sleep(patience.seconds(failure))

    def allow(self, what: What, limit: float) -> None:
        """Let it spend more from here on; ``what`` may be a limit of others."""
        self._meter.allow(what, limit)

    def _methods(self) -> tuple[Method, ...]:
        """The methods in the order in which they are tried."""
        if self._settings.method != "auto":
            return (self._settings.method,)
        first = self._log.good_method(self._settings.model) or self._settings.first_method
        return METHODS[METHODS.index(first or METHODS[0]) :]

    def _attempt(self, course: Course, reading: Reading[T], place: str) -> T:
        """One request for an object, written down with how it ended."""
        sending = self._sending(place, course.method)
        reply = None
        try:
            body = {**course.parts, **(self._sampling() if course.sampling else {})}
            door = self._line.door(place, sending.admit)
            reply = self._line.ask(door, course.messages, body)
            value, exact = _used(reply, reading)
        except LlmFailure as failure:
            sending.close(reply, failure.answer or None, failure.fault)
            raise failure.of(self._settings.who) from None
        sending.close(reply, exact, None)
        return value

    def _request_prose(self, prose: Prose, messages: Messages, place: str) -> str:
        """One request for prose, written down with how it ended."""
        sending = self._sending(place, prose.method)
        try:
            door = self._line.door(place, sending.admit)
            text = prose.request(self._line, door, messages)
        except LlmFailure as failure:
            sending.close(prose.reply, failure.answer or None, failure.fault)
            raise failure.of(self._settings.who) from None
        sending.close(prose.reply, text, None)
        return text

    def _sending(self, place: str, method: Manner) -> Sending:
        return Sending(self._settings, self._log, self._meter, place, method)

    def _sampling(self) -> dict[str, JsonValue]:
        wished = {"temperature": self._settings.temperature, "seed": self._settings.seed}
        return {name: value for name, value in wished.items() if value is not None}


class RecordedLlm:
    """The answers of a run that was, for its replay: nothing is sent, nobody is asked."""

    def __init__(self, log: AnswerLog) -> None:
        self._log = log

    def ask(
        self,
        schema: type[T],
        messages: Messages,
        place: str,
        check: Callable[[T], None] = accept,
    ) -> T:
        """The object recorded for ``place``. Raises LlmFailure if there is none that passes."""
        return Reading(schema, check).of(self._answer(place))[0]

    def say(self, messages: Messages, place: str, on_piece: OnPiece | None = None) -> str:
        """The prose recorded for ``place``. Raises LlmFailure if there is none."""
        text = self._answer(place)
        (on_piece or _nowhere)(text)
        return text

    def allow(self, what: What, limit: float) -> None:
        """A record spends nothing."""

    def _answer(self, place: str) -> str:
        answer = self._log.recorded(place)
        if answer is None:
            raise LlmFailure("not_recorded", f"It is the one of {place}.")
        return answer


def _nowhere(piece: str) -> None:
    """Where pieces go that nobody waits for."""


def _known(log: AnswerLog, reading: Reading[T], place: str) -> T | None:
    """What was answered before, if it can still be used."""
    answer = log.recorded(place)
    try:
        return None if answer is None else reading.of(answer)[0]
    except LlmFailure:
        return None


def _used(reply: Reply, reading: Reading[T]) -> tuple[T, str]:
    """The object of a reply, and its JSON. Raises LlmFailure."""
    text = answer_text(reply, reading.schema)
    try:
        return reading.of(text)
    except LlmFailure as failure:
        if reply.calls and failure.fault in ("prose", "half_json"):
            raise LlmFailure("tool_arguments", failure.detail, answer=text) from None
        raise
