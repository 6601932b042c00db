"""One request in the log and on the meter, from before it leaves until it is over."""

import hashlib
import time

from agents.llm.failures import Fault
from agents.llm.meter import Meter, estimated_tokens
from agents.llm.record import AnswerLog, Exchange, Manner, utc_now
from agents.llm.reply import Reply
from agents.llm.settings import LlmSettings

# The server turned these away before its model read them.
_COST_NOTHING: tuple[Fault, ...] = (
    "server_down",
    "rate_limited",
    "quota",
    "auth",
    "forbidden",
    "unknown_model",
    "not_found",
    "redirected",
    "bad_request",
    "context_too_long",
    "html",
)


class Sending:
    """Admits one request to the door and writes down how it ended."""

    def __init__(
        self,
        settings: LlmSettings,
        log: AnswerLog,
        meter: Meter,
        place: str,
        method: Manner,
    ) -> None:
        self._settings = settings
        self._log = log
        self._meter = meter
        self._place = place
        self._method = method
        self._left: Exchange | None = None
        self._began = time.monotonic()

    def admit(self, body: bytes) -> None:
        """Count a request that is about to leave. Raises BudgetSpent if it must not."""
        tokens = estimated_tokens(len(body))
        self._meter.check(tokens, self._settings.max_tokens)
        self._left = Exchange(
            number=self._log.next_number,
            at=utc_now(),
            place=self._place,
            attempt=len(self._log.of(self._place)) + 1,
            model=self._settings.model,
            method=self._method,
            request_sha256=hashlib.sha256(body).hexdigest(),
            tokens_in=tokens,
            # what may be written until we know: a request that is cut off is paid for all the same
            tokens_out=self._settings.max_tokens,
            money=self._meter.price_of(tokens, self._settings.max_tokens),
        )
        self._log.write(self._left)

    def close(self, reply: Reply | None, answer: str | None, fault: Fault | None) -> None:
        """Write down how it ended; nothing if it never left."""
        if self._left is None:
            return
        read, written = self._tokens(self._left.tokens_in, reply, fault)
        result = {
            "answer": answer,
            "fault": fault,
            "tokens_in": read,
            "tokens_out": written,
            "estimated": reply is None or reply.tokens is None,
            "money": self._meter.price_of(read, written),
            "seconds": round(time.monotonic() - self._began, 3),
        }
        self._log.write(self._left.model_copy(update=result))

    def _tokens(self, guess: int, reply: Reply | None, fault: Fault | None) -> tuple[int, int]:
        """What was read and written, by the server's count or else by ours."""
        if reply is None:
            return (0, 0) if fault in _COST_NOTHING else (guess, self._settings.max_tokens)
        if reply.tokens is not None:
            return reply.tokens
        texts = [reply.text, *(arguments for _, arguments in reply.calls)]
        return guess, estimated_tokens(sum(len(text.encode()) for text in texts))
