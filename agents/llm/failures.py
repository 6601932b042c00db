"""What can go wrong between netloop and a language model, each by its name."""

from typing import Literal

from pipelines.errors import NetloopError
from pipelines.visible import visible

Fault = Literal[
    # nothing was sent
    "offline",
    "not_recorded",
    # the server gave no answer
    "unanswered",
    "server_down",
    "timeout",
    "rate_limited",
    "quota",
    "auth",
    "forbidden",
    "unknown_model",
    "not_found",
    "redirected",
    "bad_request",
    "context_too_long",
    "server_error",
    "too_large",
    # what came is no answer of a chat model
    "html",
    "unreadable",
    "no_choices",
    # an answer that cannot be used
    "empty",
    "truncated",
    "refusal",
    "prose",
    "half_json",
    "wrong_schema",
    "wrong_tool",
    "tool_arguments",
    "out_of_bounds",
]

# The model may do better if it is told what was wrong.
UNUSABLE: tuple[Fault, ...] = (
    "empty",
    "truncated",
    "prose",
    "half_json",
    "wrong_schema",
    "wrong_tool",
    "tool_arguments",
    "out_of_bounds",
)

_ANOTHER = "Try another model, or plan by rules: planner: rules."
_WORDS: dict[Fault, tuple[str, str]] = {
    "offline": (
        "Nothing was sent to {who}: netloop is offline.",
        "Unset NETLOOP_OFFLINE (or offline in llm.yaml), or plan by rules: planner: rules.",
    ),
    "not_recorded": (
        "The run has no record of this answer, and a replay asks nobody.",
        "Resume the run instead, or replay a run that was finished.",
    ),
    "unanswered": ("The run was stopped before {who} answered.", "Resume the run."),
    "server_down": (
        "{who} cannot be reached, or hung up.",
        "Start the server, or mend OPENAI_BASE_URL (base_url in llm.yaml).",
    ),
    "timeout": (
        "{who} did not answer in time.",
        "Raise timeout_seconds in llm.yaml, or take a smaller model.",
    ),
    "rate_limited": (
        "{who} takes no more requests for now.",
        "Wait, then resume the run; or raise the limit of your account.",
    ),
    "quota": (
        "The account behind the key has no credit left at {who}.",
        "Mend it there, or plan by rules: planner: rules.",
    ),
    "auth": (
        "The key is not accepted by {who}: wrong, expired or missing.",
        "Set OPENAI_API_KEY to a key that it accepts.",
    ),
    "forbidden": (
        "The key may not use {who}.",
        "Ask whoever runs the server for access, or name another model with NETLOOP_MODEL.",
    ),
    "unknown_model": (
        "The server does not know {who}.",
        "Name one that it has, with NETLOOP_MODEL (model in llm.yaml).",
    ),
    "not_found": (
        "Nothing that chats is at the address of {who}.",
        "Mend OPENAI_BASE_URL (base_url in llm.yaml): most end in /v1.",
    ),
    "redirected": (
        "The address of {who} leads elsewhere, and netloop does not follow.",
        "Log in to the proxy if there is one, or write the final address into OPENAI_BASE_URL.",
    ),
    "bad_request": ("The request was refused by {who}.", "Mend llm.yaml; see docs/llm.md."),
    "context_too_long": (
        "The request is longer than {who} can read.",
        "Raise the server's context size, or let the planner see less: llm_sees: schema.",
    ),
    "server_error": (
        "{who} failed.",
        "Look into the server's log, then resume the run.",
    ),
    "too_large": ("The answer of {who} was cut off: it is over 8 MB.", _ANOTHER),
    "html": (
        "A web page answered instead of {who}.",
        "Log in to the proxy if there is one, or mend OPENAI_BASE_URL: most end in /v1.",
    ),
    "unreadable": ("What {who} sent is no answer of a chat model.", "Mend OPENAI_BASE_URL."),
    "no_choices": ("{who} sent an answer without a message.", "Look into the server's log."),
    "empty": (
        "{who} answered nothing.",
        "Raise max_tokens in llm.yaml, or turn the model's thinking off (docs/llm.md).",
    ),
    "truncated": ("The answer of {who} stops in the middle.", "Raise max_tokens in llm.yaml."),
    "refusal": ("{who} refuses to answer.", _ANOTHER),
    "prose": ("{who} answered with words where an object was asked for.", _ANOTHER),
    "half_json": ("{who} answered with an object that is broken.", _ANOTHER),
    "wrong_schema": ("{who} answered with an object of another form.", _ANOTHER),
    "wrong_tool": ("{who} did not call the tool that it was given.", _ANOTHER),
    "tool_arguments": ("{who} called its tool with broken arguments.", _ANOTHER),
    "out_of_bounds": ("{who} proposed what cannot be done.", _ANOTHER),
}


class LlmFailure(NetloopError):
    """No answer of a model that can be used.

    ``fault`` names why, ``detail`` says more in the server's or our own words, ``answer`` is what
    the model wrote if it wrote something, ``wait`` the seconds after which the server wants to be
    asked again. Whoever makes one hands over texts that are free of secrets (``redact``).
    """

    def __init__(
        self,
        fault: Fault,
        detail: str = "",
        *,
        who: str = "",
        answer: str = "",
        wait: float | None = None,
    ) -> None:
        words, mend = _WORDS[fault]
        said = _sentence(visible(detail, 300))
        sentence = words.format(who=f"the language model {visible(who)}".strip())
        super().__init__(f"{sentence[0].upper()}{sentence[1:]}{said}", mend)
        self.fault: Fault = fault
        self.detail = detail
        self.answer = answer
        self.wait = wait

    def of(self, who: str) -> "LlmFailure":
        """The same failure, with the name of the model and its server."""
        return LlmFailure(self.fault, self.detail, who=who, answer=self.answer, wait=self.wait)


def _sentence(words: str) -> str:
    """Words of others behind a sentence of ours."""
    return words and f" {words}{'' if words[-1] in '.!?…' else '.'}"
