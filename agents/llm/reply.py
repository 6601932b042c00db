"""The body of a server's answer, read by ourselves.

ChatOpenAI reads it too, but stumbles over what servers of all kinds send (pages of a proxy, null
for choices, arguments as an object) and drops what tells why an answer is empty.
"""

import json
from dataclasses import dataclass, field

from agents.llm.failures import LlmFailure


@dataclass(frozen=True)
class Reply:
    """What a model answered; ``calls`` are the names and arguments of the tools that it calls."""

    text: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    finish: str = ""
    refusal: str = ""
    thought: bool = False
    """Whether it wrote thoughts apart from its answer."""
    tokens: tuple[int, int] | None = None
    """Read and written, if the server says."""


def read_reply(body: str) -> Reply:
    """The answer in a body. Raises LlmFailure: html, unreadable or no_choices."""
    if body.lstrip()[:1] == "<":
        raise LlmFailure("html")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise LlmFailure("unreadable", f"It begins: {body[:80]}" if body else "") from None
    choices = content.get("choices") if isinstance(content, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    choice: dict[str, object] = first if isinstance(first, dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        raise LlmFailure("no_choices", server_words(body))
    return Reply(
        text=_text(message.get("content")),
        calls=_calls(message.get("tool_calls")),
        finish=str(choice.get("finish_reason") or ""),
        refusal=_text(message.get("refusal")),
        thought=any(message.get(key) for key in ("reasoning_content", "reasoning")),
        tokens=_tokens(content.get("usage")),
    )


def server_words(body: str) -> str:
    """What a server says of a request that it did not answer, from any of the known forms."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return "" if body.lstrip()[:1] == "<" else body[:500]
    for key in ("error", "message", "detail"):
        if not isinstance(content, dict):
            break
        content = content.get(key) or content
    return content if isinstance(content, str) else json.dumps(content)[:500]


def _text(content: object) -> str:
    """The text of a message, which some servers send in parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return _clean(content) if isinstance(content, str) else ""


def _calls(calls: object) -> list[tuple[str, str]]:
    if not isinstance(calls, list):
        return []
    functions = [call.get("function") for call in calls if isinstance(call, dict)]
    return [
        (_text(function.get("name")), _arguments(function.get("arguments")))
        for function in functions
        if isinstance(function, dict)
    ]


def _arguments(arguments: object) -> str:
    """The text of a call's arguments; some servers send the object itself."""
    return _clean(arguments if isinstance(arguments, str) else json.dumps(arguments))


def _tokens(usage: object) -> tuple[int, int] | None:
    if not isinstance(usage, dict):
        return None
    counts = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
    read, written = (count if type(count) is int and count >= 0 else None for count in counts)
    return None if read is None or written is None or not read + written else (read, written)


def _clean(text: str) -> str:
    """JSON can spell half a surrogate pair, which no file and no validator takes."""
    return text.encode("utf-8", "replace").decode("utf-8")
