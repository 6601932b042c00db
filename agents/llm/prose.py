"""Words from a model, piece by piece where its server can."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from agents.llm.failures import LlmFailure
from agents.llm.faults import speaks_of_sampling
from agents.llm.methods import Messages
from agents.llm.record import Manner
from agents.llm.repair import without_thoughts
from agents.llm.reply import Reply
from pipelines.visible import ELLIPSIS

if TYPE_CHECKING:
    from agents.llm.egress import Door
    from agents.llm.line import Line

Body = Mapping[str, JsonValue]


class Prose:
    """One answer in words: streamed, or whole from a server that cannot stream."""

    def __init__(self, on_piece: Callable[[str], None], sampling: Body) -> None:
        self._on_piece = on_piece
        self._sampling = sampling
        self._streaming = True
        self.begun = False
        """Whether a piece was handed on: from then on nothing is asked again."""
        self.reply: Reply | None = None
        """What the last request brought, if only in part."""

    @property
    def method(self) -> Manner:
        """How words are asked for now."""
        return "stream" if self._streaming else "whole"

    def request(self, line: "Line", door: "Door", messages: Messages) -> str:
        """Send one request; returns the answer without the model's thoughts.

        An answer that was cut off ends in an ellipsis. Raises LlmFailure.
        """
        self.reply = None
        if self._streaming:
            self._stream(line, door, messages)
        else:
            self.reply = line.ask(door, messages, self._sampling)
        reply = self.reply or Reply()
        text = without_thoughts(reply.text).strip()
        if reply.refusal or reply.finish == "content_filter":
            raise LlmFailure("refusal", reply.refusal, answer=text)
        if not text:
            raise LlmFailure("empty", "It wrote thoughts only." if reply.thought else "")
        if not self.begun:
            self._hand_on(text)
        return text + ELLIPSIS if reply.finish == "length" else text

    def plainer(self, failure: LlmFailure) -> bool:
        """Turn to a request that asks less of the server; False if none would help."""
        refused = failure.fault == "bad_request"
        if refused and self._sampling and speaks_of_sampling(failure.detail):
            self._sampling = {}
        elif self._streaming and (refused or failure.fault in ("unreadable", "empty")):
            self._streaming = False
        else:
            return False
        return True

    def _stream(self, line: "Line", door: "Door", messages: Messages) -> None:
        """Take the pieces as they come; what was said stands in ``reply``, also after a failure."""
        said, finish, tokens, thoughts = "", "", None, Thoughts()
        try:
            for piece in line.stream(door, messages, self._sampling):
                said += (text := str(piece.text))
                finish = piece.response_metadata.get("finish_reason") or finish
                if usage := piece.usage_metadata:
                    tokens = (usage["input_tokens"], usage["output_tokens"])
                self._hand_on(thoughts.left_out(text))
        finally:
            self.reply = Reply(text=line.without_key(said), finish=finish, tokens=tokens)

    def _hand_on(self, text: str) -> None:
        if text:
            self.begun = True
            self._on_piece(text)


class Thoughts:
    """Leaves out what a model thinks aloud before it answers, piece by piece."""

    def __init__(self) -> None:
        self._held = ""
        self._over = False

    def left_out(self, piece: str) -> str:
        """What of this piece, and of those held back, belongs to the answer."""
        if self._over:
            return piece
        self._held = (self._held + piece).lstrip()
        _, ended, answer = self._held.partition("</think>")
        if not ended and ("<think>".startswith(self._held) or self._held.startswith("<think>")):
            return ""
        text = answer.lstrip() if ended else self._held
        self._over = bool(text)
        self._held = "" if self._over else self._held
        return text
