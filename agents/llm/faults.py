"""A server's refusal, by its status and its words, as one of our faults."""

import datetime
import email.utils
import re
from collections.abc import Mapping

from agents.llm.failures import Fault
from agents.llm.reply import server_words

_CONTEXT = re.compile(
    r"(?i)context.{0,20}(length|window|size|limit|exceeded)|maximum.{0,20}(context|prompt)"
    r"|(prompt|input|request).{0,20}too (long|large)|too many (input )?tokens|n_ctx|max_model_len"
)
_NO_CREDIT = re.compile(
    r"(?i)insufficient_quota|exceeded your current quota|billing|credit|balance"
)
_NO_MODEL = re.compile(
    r"(?i)model_not_found|model.{0,80}(not found|not exist|unknown|not loaded|no such)"
    r"|(unknown|invalid|no such) model"
)
_OF_METHOD = re.compile(
    r"(?i)response_format|json_schema|json_object|json schema|structured|guided|grammar"
    r"|tool|function.?call"
)
_OF_SAMPLING = re.compile(r"(?i)temperature|\bseed\b")

_BY_STATUS: dict[int, Fault] = {
    401: "auth",
    402: "quota",
    403: "forbidden",
    404: "not_found",
    408: "timeout",
    413: "context_too_long",
    429: "rate_limited",
    504: "timeout",
}


def fault_of(status: int, body: str) -> Fault:
    """What a status outside of 2xx means; ``body`` is what came with it."""
    if _CONTEXT.search(body) and status in (400, 413, 422, 500):
        return "context_too_long"
    if _NO_CREDIT.search(body) and status == 429:
        return "quota"
    if _NO_MODEL.search(server_words(body)) and status in (400, 404, 422):
        return "unknown_model"
    if status < 400:
        return "redirected"
    return _BY_STATUS.get(status, "bad_request" if status < 500 else "server_error")


def speaks_of_method(words: str) -> bool:
    """Whether a server refuses how an object was asked for."""
    return bool(_OF_METHOD.search(words))


def speaks_of_sampling(words: str) -> bool:
    """Whether a server refuses the temperature or the seed."""
    return bool(_OF_SAMPLING.search(words))


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """What the Retry-After header says, in seconds from now; None without one that can be read."""
    said = headers.get("retry-after", "")
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(said)
        return max(0.0, (moment - datetime.datetime.now(datetime.UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
