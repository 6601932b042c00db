"""What follows a failure: the same again, another method, the same with the error told, or no more.

At most ``MOST_REQUESTS`` requests are made for one answer, whatever happens.
"""

from collections.abc import Sequence

from pydantic import BaseModel, JsonValue

from agents.llm.failures import UNUSABLE, Fault, LlmFailure
from agents.llm.faults import speaks_of_method, speaks_of_sampling
from agents.llm.methods import Messages, request_parts, schema_in_words, with_words
from agents.llm.servers import Method

MOST_REQUESTS = 8
MOST_REASKS = 2
FIRST_WAIT, LONGEST_WAIT = 1.0, 20.0  # seconds
_QUOTED = 4000  # characters of an answer that a re-ask shows to its model

# How often the same request is sent again: nothing else may succeed a moment later.
REPEATS: dict[Fault, int] = {"server_down": 2, "rate_limited": 2, "server_error": 2, "timeout": 1}
_NEXT_METHOD: tuple[Fault, ...] = ("empty", "wrong_tool", "tool_arguments")
_WHY: dict[Fault, str] = {
    "empty": "It was empty.",
    "truncated": "It was too long and was cut off: be shorter.",
    "prose": "It holds no JSON object.",
    "half_json": "Its JSON object is broken or does not end.",
    "wrong_schema": "Its object does not fit the schema.",
    "wrong_tool": "It called another tool.",
    "tool_arguments": "The arguments of its tool call are broken.",
    "out_of_bounds": "Its values cannot be used.",
}


class Patience:
    """How often, and after how long, a request that failed is sent again."""

    def __init__(self) -> None:
        self._repeats = 0

    def seconds(self, failure: LlmFailure) -> float:
        """Seconds until the next try, as the server wishes. Raises the failure if there is none."""
        wait = FIRST_WAIT * 2**self._repeats if failure.wait is None else failure.wait
        if self._repeats >= REPEATS.get(failure.fault, 0) or wait > LONGEST_WAIT:
            raise failure
        self._repeats += 1
        return wait


class Course:
    """The requests for one object: what is sent now, and what follows if that fails."""

    def __init__(
        self, messages: Messages, schema: type[BaseModel], methods: Sequence[Method], reasks: int
    ) -> None:
        self._messages = messages
        self._schema = schema
        self._methods = list(methods)
        self._reasks_left = reasks
        self._in_words = False
        self._requests = 0
        self._patience = Patience()
        self.sampling = True
        """Whether temperature and seed are sent: some models take none."""

    @property
    def method(self) -> Method:
        """How the object is asked for now."""
        return self._methods[0]

    @property
    def messages(self) -> Messages:
        """What is said now; the schema is in it where the method does not carry it alone."""
        if self._in_words or self.method in ("json_mode", "prompt"):
            return with_words(self._messages, schema_in_words(self._schema))
        return self._messages

    @property
    def parts(self) -> dict[str, JsonValue]:
        """What the method adds to the request."""
        return request_parts(self.method, self._schema)

    def after(self, failure: LlmFailure) -> float:
        """Turn to what follows; returns the seconds to wait. Raises the failure if nothing does."""
        self._requests += 1
        if self._requests == MOST_REQUESTS:
            raise failure
        if self.sampling and failure.fault == "bad_request" and speaks_of_sampling(failure.detail):
            self.sampling = False
        elif self._refuses_method(failure):
            self._methods.pop(0)
        elif failure.fault in UNUSABLE:
            self._reask(failure)
        else:
            return self._patience.seconds(failure)
        return 0.0

    def _refuses_method(self, failure: LlmFailure) -> bool:
        if len(self._methods) == 1:
            return False
        named = failure.fault in ("server_error", "not_found") and speaks_of_method(failure.detail)
        return failure.fault == "bad_request" or named

    def _reask(self, failure: LlmFailure) -> None:
        """Tell the model what was wrong, and the schema in words: its server may hide it."""
        if self._reasks_left == 0:
            raise failure
        self._reasks_left -= 1
        self._in_words = True
        words = f"Your last answer cannot be used. {_WHY[failure.fault]} {failure.detail}".strip()
        if failure.answer.strip():
            said = ("assistant", failure.answer[:_QUOTED])
            self._messages = [*self._messages, said, ("user", words)]
        else:
            self._messages = with_words(self._messages, words)
        if failure.fault in _NEXT_METHOD and len(self._methods) > 1:
            self._methods.pop(0)
