"""One model at one server, through ChatOpenAI: a request goes out, an answer or a failure comes.

Slow to import: only the functions that send something should.
"""

import base64
import contextvars
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx2 as httpx
import langsmith
import openai
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI
from pydantic import JsonValue, SecretStr

from agents.llm.egress import Door, certificates, way_out
from agents.llm.failures import Fault, LlmFailure
from agents.llm.faults import fault_of, seconds_to_wait
from agents.llm.methods import Messages
from agents.llm.redact import redact, without
from agents.llm.reply import Reply, read_reply, server_words
from agents.llm.settings import OPENAI, LlmSettings

Body = Mapping[str, JsonValue]

# What ChatOpenAI raises on answers of no known form; read_reply says what is wrong with them.
STUMBLES = (AttributeError, IndexError, KeyError, TypeError, ValueError)

langsmith.configure(enabled=False)  # it would send prompts past the door


class Line:
    """The way to one server, for many requests."""

    def __init__(self, settings: LlmSettings, key: SecretStr, egress: Path) -> None:
        self._settings = settings
        self._key = key
        self._egress = egress
        self._out = way_out(settings.base_url)
        # ChatOpenAI would make one of its own, which reads the certificates again
        self._unused = httpx.AsyncClient(verify=certificates(), trust_env=False)

    def door(self, place: str, admit: Callable[[bytes], None]) -> Door:
        """The door for the requests of one place (see ``Door``)."""
        return Door(self._settings, self._out, self._egress, place, admit)

    def ask(self, door: Door, messages: Messages, body: Body) -> Reply:
        """Send one request with ``body`` beside the messages and read its answer.

        Raises LlmFailure; what ``admit`` raises.
        """
        failure = None
        with httpx.Client(transport=door) as client:
            chat = self._chat(client, body)
            try:
                contextvars.Context().run(chat.invoke, _sayable(messages))
            except openai.OpenAIError as error:
                failure = self._failure(error, door)
            except STUMBLES:
                if not door.status:  # nothing came, so that it is no answer that is wrong
                    raise
        if failure is not None:  # raised out here, where no error with secrets is behind it
            raise failure
        return read_reply(self._received(door))

    def models(self, door: Door) -> list[str]:
        """The names of the models that the server has; none if it does not say."""
        with httpx.Client(transport=door) as client:
            try:
                found = self._chat(client, {}).root_client.models.list()
                return sorted(model.id for model in found)
            except (openai.OpenAIError, *STUMBLES):
                return []

    def stream(self, door: Door, messages: Messages, body: Body) -> Iterator[AIMessageChunk]:
        """Send one request and yield the pieces of its answer. Raises as ``ask`` does."""
        failure = None
        with httpx.Client(transport=door) as client:
            quiet = contextvars.Context()
            pieces = quiet.run(self._chat(client, body).stream, _sayable(messages))
            try:
                while (piece := quiet.run(next, pieces, None)) is not None:
                    yield piece
            except openai.OpenAIError as error:
                failure = self._failure(error, door)
            except STUMBLES:
                if not door.status:
                    raise
                failure = LlmFailure("unreadable")
        if failure is not None:
            raise failure

    def _chat(self, client: httpx.Client, body: Body) -> ChatOpenAI:
        """A ChatOpenAI that tries once, waits no longer than told, and asks nobody else.

        What shapes an answer goes through ``extra_body``: given ``response_format`` by name,
        ChatOpenAI would parse the answer, and raise at the first word around the object.
        """
        limit = "max_completion_tokens" if self._settings.base_url == OPENAI else "max_tokens"
        return ChatOpenAI(
            model=self._settings.model,
            base_url=self._settings.base_url,
            api_key=self._key if self._key.get_secret_value() else SecretStr("none"),
            use_responses_api=False,
            timeout=self._settings.timeout_seconds,
            max_retries=0,
            http_client=client,
            http_async_client=self._unused,
            http_socket_options=(),
            openai_proxy="",
            stream_usage=True,
            default_headers={"Accept-Encoding": "identity", **self._login()},
            extra_body={limit: self._settings.max_tokens, **self._settings.extra_body, **body},
        )

    def _login(self) -> dict[str, str]:
        """The header of a user and password, if the address had them."""
        if self._settings.login is None:
            return {}
        login = base64.b64encode(self._settings.login.get_secret_value().encode())
        return {"Authorization": f"Basic {login.decode('ascii')}"}

    def without_key(self, text: str) -> str:
        """What a server or its model said, without the key, which they might repeat."""
        return without(text, *self._secrets())

    def _received(self, door: Door) -> str:
        return self.without_key(door.received.decode("utf-8", "replace"))

    def _secrets(self) -> list[str]:
        login = self._settings.login
        whole = "" if login is None else login.get_secret_value()
        logins = [whole, whole.partition(":")[2]]
        return [self._key.get_secret_value(), *logins]

    def _failure(self, error: openai.OpenAIError, door: Door) -> LlmFailure:
        """The failure that an error of the OpenAI client stands for."""
        fault: Fault
        wait = None
        if isinstance(error, openai.APIStatusError):
            body = self._received(door)
            fault, words = fault_of(error.status_code, body), server_words(body)
            wait = seconds_to_wait(error.response.headers)
        elif isinstance(error, openai.APITimeoutError):
            fault, words = "timeout", ""
        elif isinstance(error, openai.APIConnectionError):
            fault, words = "server_down", _root(error)
        else:  # said within a stream
            fault, words = "server_error", str(error)
        return LlmFailure(fault, redact(words, *self._secrets()), wait=wait)


def _root(error: BaseException) -> str:
    """What the innermost error says: "Connection refused" rather than "Connection error"."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)


def _sayable(messages: Messages) -> list[tuple[str, str]]:
    """The messages without halves of surrogate pairs, which paths may hold and no server takes."""
    return [(role, text.encode("utf-8", "replace").decode("utf-8")) for role, text in messages]
