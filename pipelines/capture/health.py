"""What a capture turned out to be: every record is counted, and nothing is dropped in silence."""

from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.words import counted

# A hostile capture may have a corrupt record or a new reason every few bytes: only so many are
# named, all are counted.
NAMED_CORRUPT = 100
NAMED_REASONS = 64
OTHER_REASONS = "other reasons"
# What the records of a capture's files add up to.
SUMMED = (
    "bytes",
    "packets",
    "decoded",
    "truncated",
    "too_nested",
    "fragments",
    "reassembled",
    "fragments_lost",
)


@dataclass(frozen=True)
class CorruptRecord:
    """A record that could not be read: its byte offset in the (decompressed) capture, and why."""

    offset: int
    reason: str


@dataclass
class CaptureHealth:
    """The health record of one capture, filled while it is read.

    ``packets`` is what was read and always equals ``decoded`` (packets with an IP header) plus the
    sum of ``skipped``. ``truncated`` counts packets of which fewer bytes were captured than were on
    the wire; they are decoded as far as they go. ``bytes`` is the size of the file as read. Times
    are nanoseconds since 1970, None without packets. ``link_types`` counts packets by link type.
    ``tunnels`` counts packets by the name of the outermost tunnel that they are in, ``too_nested``
    those in more tunnels than are opened. Of the ``fragments`` of IP datagrams, ``fragments_lost``
    belong to none that could be put together; ``reassembled`` counts those that were.
    ``ended_early`` counts flows that ended because more were open than the flow table holds,
    ``dropped`` packets of a live interface that came faster than they were read. A capture in
    several files has their records in ``files``; what they count adds up in its own.
    """

    file: str = ""
    format: str = ""
    bytes: int = 0
    packets: int = 0
    decoded: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    truncated: int = 0
    corrupt: int = 0
    corrupt_records: list[CorruptRecord] = field(default_factory=list)
    first_ns: int | None = None
    last_ns: int | None = None
    link_types: dict[int, int] = field(default_factory=dict)
    tunnels: dict[str, int] = field(default_factory=dict)
    too_nested: int = 0
    fragments: int = 0
    reassembled: int = 0
    fragments_lost: int = 0
    ended_early: int = 0
    dropped: int = 0
    files: list["CaptureHealth"] = field(default_factory=list)

    def add_file(self, part: "CaptureHealth") -> None:
        """Add the record of one of the files that this capture lies in."""
        self.files.append(part)
        self.add(part)

    def add(self, part: "CaptureHealth") -> None:
        """Add what the record of a part of this capture counts."""
        self.format = self.format or part.format
        for name in SUMMED:
            setattr(self, name, getattr(self, name) + getattr(part, name))
        for reason, count in part.skipped.items():
            self.add_skipped(reason, count)
        for record in part.corrupt_records:
            self.add_corrupt(record.offset, f"{part.file}: {record.reason}")
        self.corrupt += part.corrupt - len(part.corrupt_records)
        if part.first_ns is not None and part.last_ns is not None:
            self.add_times(part.first_ns, part.last_ns)
        for code, count in part.link_types.items():
            self.link_types[code] = self.link_types.get(code, 0) + count
        for tunnel, count in part.tunnels.items():
            self.tunnels[tunnel] = self.tunnels.get(tunnel, 0) + count

    def add_corrupt(self, offset: int, reason: str) -> None:
        """Count a corrupt record at byte ``offset``; the first hundred are named."""
        self.corrupt += 1
        if len(self.corrupt_records) < NAMED_CORRUPT:
            self.corrupt_records.append(CorruptRecord(offset, reason))

    def add_skipped(self, reason: str, count: int) -> None:
        """Count ``count`` packets that were read but hold no IP header that can be decoded."""
        if reason not in self.skipped and len(self.skipped) >= NAMED_REASONS:
            reason = OTHER_REASONS
        self.skipped[reason] = self.skipped.get(reason, 0) + count

    def add_times(self, first_ns: int, last_ns: int) -> None:
        """Widen the span of the capture."""
        self.first_ns = first_ns if self.first_ns is None else min(self.first_ns, first_ns)
        self.last_ns = last_ns if self.last_ns is None else max(self.last_ns, last_ns)

    def ended_early_warning(self) -> str:
        """What to tell a person about flows that ended early; empty if none did."""
        if not self.ended_early:
            return ""
        return (
            f"{self.file}: {counted(self.ended_early, 'flow was', 'flows were')} ended early, "
            "because more were open at once than memory is spent on."
        )

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values; link types become strings, as JSON keys are."""
        record = asdict(self)
        record["link_types"] = {str(code): count for code, count in self.link_types.items()}
        record["files"] = [part.to_json() for part in self.files]
        return record
