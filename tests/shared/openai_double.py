"""A server that speaks OpenAI's chat protocol on loopback, and breaks it on demand.

    def reply(request):            # the body of a request, as a dict
        return '{"answer": 42}'    # what the model writes

    with openai_double(reply, modes=["rate_limited", "ok"]) as server:
        ...                        # server.base_url, server.requests, server.modes

Each chat request takes the next of ``modes``; once they are used up, ``default`` holds. ``MODES``
names them all. ``refuses`` are what a server may not know: ``json_schema``, ``json_object``,
``tools``, ``stream``, ``temperature``. With a ``key``, other keys are turned away.
"""

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Request = dict[str, Any]
Reply = Callable[[Request], str]

HTML = "<!DOCTYPE html><html><body>Please log in to the proxy.</body></html>"
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


@dataclass(frozen=True)
class Received:
    """One request as it came: its path, its headers by their names in lower case, its bytes."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Request:
        """The body, read."""
        found: Request = json.loads(self.body)
        return found

    @property
    def method(self) -> str:
        """How it asks for an object: json_schema, json_object, tools or prompt."""
        if "tools" in self.json:
            return "tools"
        return self.json.get("response_format", {}).get("type", "prompt")

    @property
    def words(self) -> str:
        """All that is said in its messages."""
        return "\n".join(str(message["content"]) for message in self.json["messages"])


class OpenAIDouble(ThreadingHTTPServer):
    """The server; make it with ``openai_double``."""

    daemon_threads = True

    def __init__(self, reply: Reply, modes: Sequence[str], default: str, **rules: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = reply
        self.modes = list(modes)
        self.default = default
        self.key: str = rules["key"]
        self.models: Sequence[str] = rules["models"]
        self.refuses: frozenset[str] = frozenset(rules["refuses"])
        self.requests: list[Received] = []
        """The chat requests that arrived, in order."""
        self.closing = threading.Event()

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL should be."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def next_mode(self) -> str:
        """The mode of the request that just arrived."""
        return self.modes.pop(0) if self.modes else self.default

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is what many modes are about."""


@contextmanager
def openai_double(
    reply: Reply = lambda request: "{}",
    modes: Sequence[str] = (),
    default: str = "ok",
    key: str = "",
    models: Sequence[str] = (),
    refuses: Sequence[str] = (),
) -> Iterator[OpenAIDouble]:
    """A running server (see the module); ``models`` are those that it knows, all if none."""
    unknown = {*modes, default} - MODES.keys()
    assert not unknown, f"no such modes: {unknown}"
    server = OpenAIDouble(reply, modes, default, key=key, models=models, refuses=refuses)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection. The modes below are handed it, with the request that came."""

    server: OpenAIDouble
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """A chat request: turned away, or answered in the next mode."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.received = Received(self.path, headers, body)
        if self.path != "/v1/chat/completions":
            self.error(404, "Not Found")
            return
        self.server.requests.append(self.received)
        request = self.received.json
        mode = self.server.next_mode()
        refusal = self.refusal(request)
        if refusal:
            self.error(*refusal)
        else:
            MODES[mode](self, request)

    def do_GET(self) -> None:
        """The list of models, which not every server has."""
        if self.path == "/v1/models" and self.server.models:
            self.json({"object": "list", "data": [{"id": name} for name in self.server.models]})
        else:
            self.error(404, "Not Found")

    def refusal(self, request: Request) -> tuple[int, str] | None:
        """What a server with this key, these models and these abilities turns away."""
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.server.key and key != self.server.key:
            return 401, "Incorrect API key provided."
        if self.server.models and request["model"] not in self.server.models:
            return 404, f"The model '{request['model']}' does not exist."
        kind = self.received.method
        if kind in self.server.refuses:
            field = "tools" if kind == "tools" else "'response_format.type'"
            return 400, f"{field}: {kind} is not supported."
        for name in ("stream", "temperature"):
            if name in self.server.refuses and request.get(name, False) is not False:
                return 400, f"Unsupported parameter: '{name}' is not supported with this model."
        return None

    # what modes are made of

    def send(self, status: int, body: bytes, kind: str = "application/json", **extra: str) -> None:
        """One whole HTTP answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        for name, value in extra.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def json(self, content: Any, status: int = 200, **extra: str) -> None:
        """One JSON answer."""
        self.send(status, json.dumps(content).encode(), **extra)

    def error(self, status: int, message: str, code: str = "", **extra: str) -> None:
        """An error in OpenAI's form."""
        self.json({"error": {"message": message, "code": code}}, status, **extra)

    def message(
        self, message: dict[str, Any], finish: str = "stop", usage: Any = USAGE, **top: Any
    ) -> None:
        """One chat completion."""
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
        content = {"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], **top}
        self.json({**content, "usage": usage} if usage else content)

    def say(self, text: str, finish: str = "stop", usage: Any = USAGE) -> None:
        """The model's text in the form that was asked for: message, tool call or stream."""
        request = self.received.json
        if request.get("stream"):
            self.stream([text[i : i + 5] for i in range(0, len(text), 5)], finish, usage)
        elif "tools" in request:
            self.message(
                _call(_tool(request), text), "tool_calls" if finish == "stop" else finish, usage
            )
        else:
            self.message({"content": text}, finish, usage)

    def stream(self, pieces: Sequence[str], finish: str = "stop", usage: Any = USAGE) -> None:
        """Server-sent events, one a piece."""
        self.begin_stream()
        for piece in pieces:
            self.event({"choices": [{"index": 0, "delta": {"content": piece}}]})
        self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        if usage and self.received.json.get("stream_options", {}).get("include_usage"):
            self.event({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def begin_stream(self) -> None:
        """The head of an answer whose end is the end of the connection."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def event(self, content: Any) -> None:
        """One server-sent event."""
        head = {"id": "x", "object": "chat.completion.chunk", "model": "m", "created": 0}
        self.wfile.write(f"data: {json.dumps({**head, **content})}\n\n".encode())
        self.wfile.flush()

    def model_text(self) -> str:
        """What the model writes to this request."""
        return self.server.reply(self.received.json)

    def log_message(self, *args: Any) -> None:
        """Nothing: tests are silent."""


def _tool(request: Request) -> str:
    """The name of the tool that a request offers."""
    return str(request["tools"][0]["function"]["name"]) if "tools" in request else "none_offered"


def _call(name: str, arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"content": None, "tool_calls": [{"id": "c", "type": "function", "function": function}]}


def _hang(handler: _Handler, request: Request) -> None:
    handler.server.closing.wait(60)


def _trickle(handler: _Handler, request: Request) -> None:
    """A blank every 20 ms, for four seconds: no read is slow, the answer is."""
    handler.begin_stream()
    for _ in range(200):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        if handler.server.closing.wait(0.02):
            return


def _huge(handler: _Handler, request: Request) -> None:
    """Ten megabytes in a valid answer."""
    handler.message({"content": "x" * 10_000_000})


def _hang_up(handler: _Handler, request: Request) -> None:
    handler.close_connection = True


def _half_body(handler: _Handler, request: Request) -> None:
    """The connection ends in the middle of the answer."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def _stream_cut(handler: _Handler, request: Request) -> None:
    """Two pieces, then nothing: the stream breaks off with an error in it."""
    handler.begin_stream()
    for piece in ("Because ", "it "):
        handler.event({"choices": [{"index": 0, "delta": {"content": piece}}]})
    handler.event({"error": {"message": "the worker died"}})


def _echo(handler: _Handler) -> str:
    return f"Bad header Authorization: {handler.headers.get('Authorization')}"


_CONTEXT = "This model's maximum context length is 2048 tokens, but you requested 9000 tokens."
Mode = Callable[[_Handler, Request], None]
MODES: dict[str, Mode] = {
    # usable as they are, or after a repair
    "ok": lambda h, r: h.say(h.model_text()),
    "no_usage": lambda h, r: h.say(h.model_text(), usage=None),
    "null_usage_counts": lambda h, r: h.say(h.model_text(), usage={"prompt_tokens": None}),
    "fenced": lambda h, r: h.message({"content": f"```json\n{h.model_text()}\n```"}),
    "think": lambda h, r: h.message(
        {"content": f'<think>Maybe {{"x": 1}}?</think>\n{h.model_text()}'}
    ),
    "think_unopened": lambda h, r: h.message(
        {"content": f'First {{"x": 1}}.\n</think>{h.model_text()}'}
    ),
    "harmony": lambda h, r: h.message(
        {
            "content": '<|channel|>analysis<|message|>{"x": 1}<|end|>'
            f"<|channel|>final<|message|>{h.model_text()}"
        }
    ),
    "prose_around": lambda h, r: h.message({"content": f"Sure! {h.model_text()} Anything else?"}),
    "parts": lambda h, r: h.message({"content": [{"type": "text", "text": h.model_text()}]}),
    "no_role": lambda h, r: h.json({"choices": [{"message": {"content": h.model_text()}}]}),
    "text_instead_of_call": lambda h, r: h.message({"content": h.model_text()}),
    "arguments_as_object": lambda h, r: h.message(_call(_tool(r), json.loads(h.model_text()))),
    "no_content_type": lambda h, r: h.send(
        200,
        json.dumps({"choices": [{"message": {"content": h.model_text()}}]}).encode(),
        kind="text/plain",
    ),
    # answers that cannot be used
    "empty": lambda h, r: h.message({"content": ""}),
    "null_content": lambda h, r: h.message({"content": None}),
    "thoughts_only": lambda h, r: h.message({"content": None, "reasoning_content": "Hmm."}),
    "thinks_forever": lambda h, r: h.say("<think>Hmm, hmm"),
    "prose": lambda h, r: h.message({"content": "I would suggest a random forest."}),
    "half_json": lambda h, r: h.message({"content": h.model_text()[:-1]}),
    "broken_json": lambda h, r: h.message({"content": "{'city': 'Paris',}"}),
    "a_list": lambda h, r: h.message({"content": f"[{h.model_text()}]"}),
    "wrong_schema": lambda h, r: h.say('{"colour": "red"}'),
    "not_a_number": lambda h, r: h.message({"content": '{"x": NaN}'}),
    "truncated": lambda h, r: h.say(h.model_text()[:-3], finish="length"),
    "refusal": lambda h, r: h.message({"content": None, "refusal": "I cannot help with that."}),
    "content_filter": lambda h, r: h.message({"content": ""}, finish="content_filter"),
    "wrong_tool": lambda h, r: h.message(_call("open_the_door", "{}"), "tool_calls"),
    "broken_arguments": lambda h, r: h.message(_call(_tool(r), '{"city": '), "tool_calls"),
    # what is no answer of a chat model
    "html": lambda h, r: h.send(200, HTML.encode(), kind="text/html"),
    "not_json": lambda h, r: h.send(200, b"OK"),
    "nothing": lambda h, r: h.send(200, b""),
    "choices_null": lambda h, r: h.json({"id": "x", "choices": None}),
    "choices_empty": lambda h, r: h.json({"id": "x", "choices": []}),
    "no_choices": lambda h, r: h.json({"object": "error", "message": "The engine is asleep."}),
    "message_null": lambda h, r: h.json({"choices": [{"message": None}]}),
    "error_in_200": lambda h, r: h.json({"error": {"message": "The upstream is gone."}}),
    "packed": lambda h, r: h.send(200, gzip.compress(b"{}"), Content_Encoding="gzip"),
    "huge": _huge,
    "huge_stream": lambda h, r: h.stream(["x" * 1_000_000] * 10),
    # requests that are turned away
    "auth": lambda h, r: h.error(401, "The API key has expired.", "invalid_api_key"),
    "forbidden": lambda h, r: h.error(403, "Your project has no access to this model."),
    "no_credit": lambda h, r: h.error(
        429, "You exceeded your current quota.", "insufficient_quota"
    ),
    "payment": lambda h, r: h.error(402, "Payment required."),
    "unknown_model": lambda h, r: h.error(404, "The model 'm' does not exist.", "model_not_found"),
    "unknown_model_400": lambda h, r: h.error(400, "model 'm' not found, try pulling it first"),
    "not_found": lambda h, r: h.json({"detail": "Not Found"}, 404),
    "bad_request": lambda h, r: h.error(400, "frequency_penalty must be positive."),
    "refused_plainly": lambda h, r: h.send(422, b"Unprocessable", kind="text/plain"),
    "context": lambda h, r: h.error(400, _CONTEXT, "context_length_exceeded"),
    "context_words": lambda h, r: h.json({"object": "error", "message": _CONTEXT}, 400),
    "context_500": lambda h, r: h.error(500, "the request exceeds the available context size"),
    "redirect": lambda h, r: h.send(302, b"", Location="http://127.0.0.1:1/login"),
    "grammar_500": lambda h, r: h.error(500, "Failed to parse grammar of json_schema"),
    # what may be well in a moment
    "rate_limited": lambda h, r: h.error(429, "Slow down.", Retry_After="3"),
    "rate_limited_silent": lambda h, r: h.error(429, "Slow down."),
    "rate_limited_long": lambda h, r: h.error(429, "Slow down.", Retry_After="3600"),
    "server_error": lambda h, r: h.error(500, "The engine died."),
    "unavailable": lambda h, r: h.send(503, HTML.encode(), kind="text/html"),
    "gateway_timeout": lambda h, r: h.send(504, HTML.encode(), kind="text/html"),
    "hang": _hang,
    "trickle": _trickle,
    "hang_up": _hang_up,
    "half_body": _half_body,
    "stream_cut": _stream_cut,
    # servers that repeat the key
    "echo_key": lambda h, r: h.error(401, _echo(h)),
    "echo_key_500": lambda h, r: h.send(500, _echo(h).encode(), kind="text/plain"),
    "echo_key_said": lambda h, r: h.message({"content": _echo(h)}),
    "echo_key_200": lambda h, r: h.send(200, _echo(h).encode(), kind="text/plain"),
}
