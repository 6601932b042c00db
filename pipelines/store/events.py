"""What happened in a run, in order: one JSON line an event, only ever appended."""

import datetime
import json
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

EventType = Literal[
    "run.started",
    "run.resumed",
    "run.finished",
    "plan.proposed",
    "plan.decided",
    "question.answered",
    "step.started",
    "step.finished",
    "step.reused",
    "step.failed",
    "stage.reviewed",
    "gate.overridden",
    "budget.raised",
]


class Event(BaseModel):
    """One event. ``seq`` counts from 0 within a run, across processes."""

    v: int = 1
    ts: str
    run: str
    seq: int
    type: EventType
    data: dict[str, Any] = Field(default_factory=dict)


class EventLog:
    """The events.jsonl of one run; the run's lock makes this process its only writer."""

    def __init__(self, path: Path, run: str) -> None:
        self.path = path
        self.run = run
        self._close_torn_line()
        self._next = max((event.seq for event in read_events(path)), default=-1) + 1

    def append(self, kind: EventType, **data: Any) -> Event:
        """Write one event; it is on disk when this returns.

        The line is ASCII: class names may hold line separators, and paths bytes that are no text.
        """
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        event = Event(ts=now, run=self.run, seq=self._next, type=kind, data=data)
        with self.path.open("a", encoding="ascii") as file:
            file.write(json.dumps(event.model_dump(mode="json")) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._next += 1
        return event

    def _close_torn_line(self) -> None:
        """A kill can cut the last line: end it, so that the next event starts on its own."""
        content = self.path.read_bytes() if self.path.exists() else b""
        if content and not content.endswith(b"\n"):
            with self.path.open("ab") as file:
                file.write(b"\n")


def read_events(path: Path) -> list[Event]:
    """All whole events of a log, oldest first; a line torn by a kill is left out."""
    if not path.exists():
        return []
    events = []
    for line in path.read_bytes().split(b"\n"):
        try:
            events.append(Event.model_validate(json.loads(line)))
        except ValueError:
            continue
    return events
