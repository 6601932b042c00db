"""The one door to a server: what leaves is written down first, what comes back is bounded.

Slow to import: only the functions that send something should.
"""

import base64
import functools
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2 as httpx

from agents.llm.failures import LlmFailure
from agents.llm.record import append_line, utc_now
from agents.llm.settings import LlmSettings, is_this_machine

LARGEST_ANSWER = 8 << 20
CONNECT_SECONDS = 10.0


@functools.cache
def certificates() -> ssl.SSLContext:
    """Whom to trust; read once, for it takes a tenth of a second."""
    return httpx.create_ssl_context()


def way_out(base_url: str) -> httpx.HTTPTransport:
    """The connections to a server, through the proxy of the environment if it names one."""
    parts = urlsplit(base_url)
    proxies = urllib.request.getproxies()
    direct = is_this_machine(base_url) or urllib.request.proxy_bypass(parts.hostname or "")
    proxy = None if direct else proxies.get(parts.scheme) or proxies.get("all")
    try:
        return httpx.HTTPTransport(
            verify=certificates(), proxy=proxy, limits=httpx.Limits(max_keepalive_connections=0)
        )
    except (ImportError, ValueError, httpx.InvalidURL):  # its words may hold a password
        raise LlmFailure(
            "server_down", "The environment's proxy cannot be used: write http://host:port."
        ) from None


class Door(httpx.BaseTransport):
    """An httpx transport for the requests of one place.

    ``admit`` is handed the body of each request before it leaves, and may raise to keep it in. What
    came back is in ``received``, the status in ``status``.
    """

    def __init__(
        self,
        settings: LlmSettings,
        out: httpx.BaseTransport,
        egress: Path,
        place: str,
        admit: Callable[[bytes], None],
    ) -> None:
        self._settings = settings
        self._out = out
        self._egress = egress
        self._place = place
        self._admit = admit
        self.received = bytearray()
        self.status = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it. Raises LlmFailure: offline, or the answer is packed, too large or too slow."""
        deadline = time.monotonic() + self._settings.timeout_seconds
        body = request.read()
        if self._settings.offline:
            raise LlmFailure("offline")
        self._admit(body)
        append_line(self._egress, self._line(request, body))
        request.extensions["timeout"]["connect"] = min(
            CONNECT_SECONDS, self._settings.timeout_seconds
        )
        response = self._out.handle_request(request)
        self.status = response.status_code
        response.stream = Bounded(response, self.received, deadline)
        return response

    def _line(self, request: httpx.Request, body: bytes) -> dict[str, object]:
        """One line of egress.jsonl; headers are left out, for the key is one."""
        line = {
            "at": utc_now(),
            "method": request.method,
            "url": str(request.url),
            "place": self._place,
            "bytes": len(body),
        }
        try:
            return {**line, "body": body.decode("utf-8")}
        except UnicodeDecodeError:
            return {**line, "base64": base64.b64encode(body).decode("ascii")}


class Bounded(httpx.SyncByteStream):
    """An answer's bytes, kept while they pass, that end at a size and a moment."""

    def __init__(self, response: httpx.Response, kept: bytearray, deadline: float) -> None:
        if not isinstance(response.stream, httpx.SyncByteStream):
            raise TypeError("an answer of an asynchronous client")
        self._stream = response.stream
        self._packed = response.headers.get("content-encoding", "identity") != "identity"
        self._kept = kept
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        if self._packed:  # it could unpack to any size, and we did not ask for it
            raise LlmFailure("unreadable", "It is compressed, which netloop did not ask for.")
        for piece in self._stream:
            if len(self._kept) + len(piece) > LARGEST_ANSWER:
                raise LlmFailure("too_large")
            if time.monotonic() > self._deadline:
                raise LlmFailure("timeout")
            self._kept += piece
            yield piece

    def close(self) -> None:
        """Let go of the connection."""
        self._stream.close()
