"""What a detector's verdicts add up to, and whether traffic has moved away from the test side.

Verdicts are EVE lines, as ``pipelines.operate.eve`` writes them; of a line only its type, its time,
the class, the score and ``unknown`` are read.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, BinaryIO

from pydantic import BaseModel, Field

from pipelines.operate.drift import Drift, drift

LONGEST_LINE = 1 << 20
TICKS = 10_000  # EVE lines give a score by four digits
UNSURE = 0.6  # a best score below it
# Bounds of the bins of scores, in hundredths: close at the top, where most scores are.
BOUNDS = (0, 50, 60, 70, 80, 90, 95, 99, 100)
LEAST_HOURS = 1 / 60  # a shorter span says nothing of an hour


class ClassFacts(BaseModel):
    """The events of one class."""

    events: int
    alerts: int
    share: float = Field(description="Of all events")
    share_in_training: float | None = Field(description="Of the rows that it learned from")
    scores: tuple[float, float, float] = Field(description="5th, 50th and 95th percentile")


class AlertFacts(BaseModel):
    """Verdicts in small numbers; ``classes`` are those with events, the most frequent first."""

    events: int
    alerts: int
    unknown: int = Field(description="Events below their class's threshold")
    unsure: int = Field(description=f"Other events with a best score below {UNSURE}")
    unsure_in_test: float | None = Field(description="Share of the test rows below that score")
    other_records: int = Field(description="Records that are no verdict on one of the classes")
    bad_lines: int
    first: str | None
    last: str | None
    hours: float | None
    alerts_per_hour: float | None
    classes: dict[str, ClassFacts]
    mix: Drift | None
    scores: Drift | None


@dataclass(frozen=True)
class Reference:
    """What the detector's model did on the test side."""

    guessed: Mapping[str, int]
    """Class -> rows that were taken for it"""
    scores: Sequence[int] | None = None
    """Rows by their best score, a hundred equal bins from 0 to 1; None if that was not recorded"""


@dataclass
class Tally:
    """What was counted: of a bounded size, however many lines are read."""

    scores: dict[str, Counter[int]]
    """Class -> score in ticks -> events"""
    alerts: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    unsure: int = 0
    other: int = 0
    bad: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def take(self, line: bytes) -> None:
        """Count one line."""
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            self.bad += 1
            return
        verdict = record.get("ml") if isinstance(record, dict) else None
        if not isinstance(verdict, dict) or not self._knows(verdict.get("label")):
            self.other += 1
            return
        score = verdict.get("confidence")
        if isinstance(score, (int, float)) and 0 <= score <= 1:
            self._count(verdict["label"], round(score * TICKS), record)
        else:
            self.bad += 1

    def _knows(self, label: object) -> bool:
        return isinstance(label, str) and label in self.scores

    def _count(self, label: str, ticks: int, record: dict[str, Any]) -> None:
        unknown = record["ml"].get("unknown") is True
        self.scores[label][ticks] += 1
        self.alerts[label] += record.get("event_type") == "alert"
        self.unknown += unknown
        self.unsure += not unknown and ticks < UNSURE * TICKS
        if (moment := _moment(record.get("timestamp"))) is not None:
            self.first = min(moment, self.first or moment)
            self.last = max(moment, self.last or moment)

    def hundredths(self) -> list[int]:
        """Events by their score, a hundred equal bins from 0 to 1."""
        found = [0] * 100
        for counts in self.scores.values():
            for ticks, events in counts.items():
                found[min(ticks * 100 // TICKS, 99)] += events
        return found


def read_verdicts(file: BinaryIO, classes: Collection[str]) -> Tally:
    """Count the lines of ``file``, one by one; ``classes`` are those that the detector knows."""
    tally = Tally({name: Counter() for name in classes})
    for line in _lines(file):
        tally.take(line)
    return tally


def alert_facts(tally: Tally, training: Mapping[str, int], tested: Reference | None) -> AlertFacts:
    """The numbers of a tally; ``training`` has the rows of each class that were learned from."""
    learned = sum(training.values())
    counts = {name: scores.total() for name, scores in tally.scores.items()}
    events, alerts = sum(counts.values()), tally.alerts.total()
    hours = None
    if tally.first is not None and tally.last is not None:
        hours = (tally.last - tally.first).total_seconds() / 3600
    before = None if tested is None else tested.scores
    return AlertFacts(
        events=events,
        alerts=alerts,
        unknown=tally.unknown,
        unsure=tally.unsure,
        unsure_in_test=sum(before[: round(100 * UNSURE)]) / sum(before) if before else None,
        other_records=tally.other,
        bad_lines=tally.bad,
        first=tally.first.isoformat() if tally.first else None,
        last=tally.last.isoformat() if tally.last else None,
        hours=hours,
        alerts_per_hour=alerts / hours if hours and hours >= LEAST_HOURS else None,
        classes={
            name: ClassFacts(
                events=counts[name],
                alerts=tally.alerts[name],
                share=counts[name] / events,
                share_in_training=training.get(name, 0) / learned if learned else None,
                scores=_percentiles(tally.scores[name]),
            )
            for name in sorted(counts, key=lambda name: (-counts[name], name))
            if counts[name]
        },
        mix=_mix(counts, tested),
        scores=drift(_binned(tally.hundredths()), _binned(before)) if before else None,
    )


def _mix(counts: Mapping[str, int], tested: Reference | None) -> Drift | None:
    if tested is None:
        return None
    return drift([*counts.values()], [tested.guessed.get(name, 0) for name in counts])


def _binned(hundredths: Sequence[int]) -> list[int]:
    return [sum(hundredths[low:high]) for low, high in pairwise(BOUNDS)]


def _percentiles(scores: Counter[int]) -> tuple[float, float, float]:
    """The smallest scores that 5, 50 and 95 % of the events do not exceed."""
    wanted = [share * scores.total() for share in (0.05, 0.5, 0.95)]
    found: list[float] = []
    below = 0
    for ticks in sorted(scores):
        below += scores[ticks]
        found += [ticks / TICKS] * (sum(place <= below for place in wanted) - len(found))
    low, middle, high = found
    return low, middle, high


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines that are not blank; of one that is too long, its beginning, which is no JSON."""
    while line := file.readline(LONGEST_LINE):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE)
        if line.strip():
            yield line


def _moment(text: object) -> datetime | None:
    """A time with its zone, UTC where none is named; None for what is none."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
