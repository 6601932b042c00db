"""HTTP/1 requests and responses (RFC 9112), and the preface of HTTP/2 (RFC 9113 section 3.4)."""

import re
from dataclasses import dataclass, field

METHODS = (
    b"GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH|TRACE|CONNECT|PROPFIND|PROPPATCH|MKCOL|COPY|MOVE|LOCK|"
    b"UNLOCK|REPORT|SEARCH|M-SEARCH|NOTIFY|SUBSCRIBE|UNSUBSCRIBE"
)
REQUEST = re.compile(rb"(" + METHODS + rb") ([^ \r\n]*)(?: HTTP/(\d\.\d))?")
NEXT_REQUEST = re.compile(rb"(?m)^(?:" + METHODS + rb") [^ \r\n]+ HTTP/1\.\d\r?$")
RESPONSE = re.compile(rb"HTTP/(\d\.\d) (\d{3})")
HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\n]*)")
# Some clients and servers end lines without a carriage return (RFC 9112 section 2.2).
LINE_END, BLANK_LINE, FOLD = (
    re.compile(end) for end in (rb"\r?\n", rb"\r?\n\r?\n", rb"\r?\n[ \t]+")
)
# Scheme, perhaps, and authority of a URI that is or lies within a request target.
AUTHORITY = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]{0,15})?(?::|%3A)(?:/|%2F){2}[^/?#&%]*", re.IGNORECASE
)
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MOST_HEADERS = 100


@dataclass
class HttpMessage:
    """The start line and headers of a message; header names as they were written."""

    version: str | None = None
    method: str | None = None
    target: bytes | None = None
    status: int | None = None
    headers: list[tuple[str, bytes]] = field(default_factory=list)

    def header(self, name: str) -> bytes | None:
        """The value of the first header of a name, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


def read_request(data: bytes) -> HttpMessage | None:
    """The first request, or as much of it as is there; None if ``data`` begins like none."""
    if data.startswith(HTTP2_PREFACE):
        return HttpMessage(version="2")
    line = REQUEST.match(data)
    if line is None:
        return None
    method, target, version = line.groups()
    return HttpMessage(
        version=version.decode() if version else None,
        method=method.decode(),
        target=target,
        headers=_headers(data),
    )


def read_response(data: bytes) -> HttpMessage | None:
    """The first response, or as much of it as is there; None if ``data`` begins like none."""
    line = RESPONSE.match(data)
    if line is None:
        return None
    return HttpMessage(
        version=line.group(1).decode(), status=int(line.group(2)), headers=_headers(data)
    )


def count_requests(data: bytes) -> int:
    """How many request lines there are in one direction."""
    return len(NEXT_REQUEST.findall(data))


def _headers(data: bytes) -> list[tuple[str, bytes]]:
    """Headers of a message up to the blank line; a last line without an end is left out.

    Lines that begin with a blank go on with the one before (RFC 9112 section 5.2).
    """
    blank = BLANK_LINE.search(data)
    head = FOLD.sub(b" ", data[: blank.start()] if blank else data)
    lines = LINE_END.split(head, MOST_HEADERS + 1)[1 : MOST_HEADERS + 1]
    if not blank and lines:
        lines.pop()
    matches = [HEADER.fullmatch(line) for line in lines]
    return [(found.group(1).decode(), found.group(2).strip()) for found in matches if found]


@dataclass(frozen=True)
class Target:
    """A request target without any scheme and authority: path, keys of its query."""

    path: str
    query: str

    @property
    def depth(self) -> int:
        """How many parts the path has."""
        return sum(bool(part) for part in self.path.split("/"))

    @property
    def extension(self) -> str | None:
        """What follows the last dot of the last part, in lower case, if it is short."""
        _, dot, extension = self.path.rsplit("/", 1)[-1].rpartition(".")
        is_plain = dot and extension.isascii() and extension.isalnum() and len(extension) <= 8
        return extension.lower() if is_plain else None

    @property
    def keys(self) -> list[str]:
        """The keys of the query, in its order; what no ``=`` follows may be a value, so none."""
        found = [part.partition("=")[0] for part in self.query.split("&") if "=" in part]
        return [AUTHORITY.sub("", key) for key in found]


def split_target(target: bytes) -> Target:
    """Path and query of a request target (RFC 9112 section 3.2), however it is written.

    Hosts are taken out, also that of a URI within the path, as some proxies and redirects have it.
    """
    path, _, query = target.decode("utf-8", "backslashreplace").partition("?")
    path = AUTHORITY.sub("", path)
    return Target(path or "/", query.partition("#")[0])
