"""CSIC-2010 and its like: text files of HTTP requests, whole ones or one request line a line."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from pipelines.datasets.fields import LABEL
from pipelines.datasets.loaders.base import Loader, groups_of
from pipelines.datasets.table_files import Head, TableFile, readable, survey, text_lines

METHODS = "get|post|put|delete|head|options|patch|trace|connect|propfind"
REQUEST_LINE = re.compile(
    rf"(?P<method>{METHODS}) (?P<url>(https?://|/).*?)( (?P<version>HTTP/\d(\.\d)?))?",
    re.IGNORECASE,
)
HEADER = re.compile(r"(?P<name>[!-9;-~]+):[ \t]*(?P<value>.*)")
HOST_OF_URL = re.compile(r"https?://[^/?]*", re.IGNORECASE)
# Headers that name a session, a host or a length that is a column of its own.
OWN_COLUMN = ("cookie", "host", "content-length")
BLOCK_REQUESTS = 10_000
LONGEST_SHAPE = 40
COLUMNS = (
    *("label", "method", "version", "path", "query", "headers", "body", "url_length"),
    *(
        "body_length",
        "parameters",
        "longest_value",
        "specials",
        "shapes",
        "session",
        "site_host",
        "request",
    ),
)


@dataclass
class Request:
    """One HTTP request, as it lay in the file."""

    method: str
    url: str
    version: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: list[str] = field(default_factory=list)

    def header(self, wanted: str) -> str:
        """The value of a header by its name in lower case; empty if it is absent."""
        return next((value for name, value in self.headers if name.lower() == wanted), "")


def recognise(head: Head) -> TableFile | None:
    """A text whose first line, and if it has no version also its second, is a request line."""
    lines = [line.strip() for line in head.lines if line.strip()][:2]
    found = [REQUEST_LINE.fullmatch(line) for line in lines]
    if not found or found[0] is None or not (found[0]["version"] or all(found)):
        return None
    return TableFile(head.path, head.bytes, COLUMNS)


def read(file: TableFile, warnings: list[str]) -> Iterator[pa.Table]:
    """Blocks of requests. Bytes that are no UTF-8 are read as Latin-1, without a loss."""
    label = class_of(file.path)
    with readable(file.path):
        encoding = survey(file)
        if encoding == "latin-1":
            warnings.append(f"{file.path.name} is not UTF-8 and was read as Latin-1.")
        found = requests(text_lines(file.path, encoding))
        while block := list(itertools.islice(found, BLOCK_REQUESTS)):
            rows = [cells(request, label) for request in block]
            columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
            yield pa.table(columns, names=list(COLUMNS))


def sample(file: TableFile) -> pa.Table:
    """The first requests."""
    nothing = pa.table({name: pa.array([], pa.string()) for name in COLUMNS})
    return next(read(file, []), nothing).slice(0, 100)


def class_of(path: Path) -> str:
    """The class that a file's name tells, else the name itself."""
    name = path.name.lower()
    if any(word in name for word in ("anomal", "abnormal", "attack", "malicious")):
        return "anomalous"
    return "normal" if "normal" in name or "benign" in name else path.name.split(".")[0]


def requests(lines: Iterator[str]) -> Iterator[Request]:
    """Requests from their lines: a request line, headers, an empty line, perhaps a body."""
    request: Request | None = None
    in_headers = False
    for line in lines:
        if (start := REQUEST_LINE.fullmatch(line)) is not None:
            if request:
                yield request
            request = Request(start["method"], start["url"], start["version"] or "")
            in_headers = True
        elif not line:
            in_headers = False
        elif request and in_headers and (header := HEADER.fullmatch(line)):
            request.headers.append((header["name"], header["value"]))
        elif request:
            request.body.append(line)
    if request:
        yield request


def cells(request: Request, label: str) -> tuple[str, ...]:
    """The columns of one request."""
    place = HOST_OF_URL.sub("", request.url)
    path, _, query = place.partition("?")
    body = "\n".join(request.body)
    parameters = [part.partition("=") for part in re.split("[&\n]", f"{query}&{body}") if part]
    values = [value for _, _, value in parameters]
    shapes = [f"{name}={shape(value)}" for name, _, value in parameters]
    headers = [f"{n}: {v}" for n, v in request.headers if n.lower() not in OWN_COLUMN]
    numbers = (
        len(place),
        len(body),
        len(values),
        max(map(len, values), default=0),
        len(re.findall(r"[^\w/.&=+-]", place + body)),
    )
    host = HOST_OF_URL.match(request.url)
    return (
        *(label, request.method.upper(), request.version.upper(), path, query),
        *("\n".join(headers), body, *map(str, numbers), " ".join(shapes), request.header("cookie")),
        request.header("host") or (host[0] if host else ""),
        f"{path}?{query}{body}",
    )


def shape(value: str) -> str:
    """What a value is made of: each run of letters as ``a``, of digits as ``0``, the rest as it is.

    Values differ from visitor to visitor, their shapes hardly (cf. C. Kruegel and G. Vigna, Anomaly
    Detection of Web-based Attacks, 2003).
    """
    text = re.sub(r"%[0-9a-fA-F]{2}", lambda code: chr(int(code[0][1:], 16)), value)
    text = re.sub(r"[^\W\d_]+", "a", text)
    return re.sub(r"\s+|\++", "+", re.sub(r"\d+", "0", text))[:LONGEST_SHAPE]


CSIC = Loader(
    name="http_requests",
    title="text files of HTTP requests (CSIC-2010)",
    recognise=recognise,
    read=read,
    sample=sample,
    labels={"binary": "label"},
    groups=groups_of(
        {
            "http": ("method", "version", "path", "query", "headers", "body", "shapes"),
            "sizes": ("url_length", "body_length", "longest_value"),
            "counts": ("parameters", "specials"),
            "names": ("site_host",),
            "split": ("session", "request"),
            LABEL: ("label",),
        }
    ),
    texts=frozenset({"path", "query", "headers", "body"}),
    words=frozenset({"shapes"}),
    record=("request",),
    faults=(
        "The class is the file's: anomalous if its name says so, else normal.",
        "Requests with the same path and parameters are one split group, sent by GET or by POST.",
        "The session cookie is an identifier and never a feature; the host is masked.",
        "Files are Latin-1, not UTF-8.",
        "Most requests repeat; anomalous ones include harmless mistakes of users.",
    ),
)
