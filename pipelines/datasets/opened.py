"""A source that is read as its rows are asked for."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from pipelines.capture.health import CaptureHealth


@dataclass
class OpenedSource:
    """Rows as docs/design.md describes them, a table at a time, to be read once.

    ``classes`` counts rows by class, ``health`` has a record a capture and ``warnings`` say what
    was left out; they are complete when the last table has been read. ``tables`` raises what
    reading the source raises. ``layout`` is the name of a table's loader.
    """

    schema: pa.Schema
    tables: Iterator[pa.Table]
    health: list[CaptureHealth] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    classes: Counter[str] = field(default_factory=Counter)
    layout: str | None = None
