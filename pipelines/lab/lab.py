"""The lab: labelled captures made from nothing, the same bytes for the same seed.

It lets a machine without data walk the whole life cycle. It is synthetic: a score on it says that
netloop works, not that the detector would.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal, get_args

from pipelines.errors import InputError
from pipelines.generate.scapy_packets import Frame
from pipelines.lab.behaviours import ATTACKS, BEHAVIOURS
from pipelines.lab.exchanges import SECOND
from pipelines.lab.traffic import day_of_traffic
from pipelines.progress import Progress, silent
from pipelines.store.files import scratch_folder

Size = Literal["tiny", "small", "large"]

DAYS_AND_CONVERSATIONS: dict[Size, tuple[int, int]] = {
    "tiny": (2, 8),
    "small": (5, 40),
    "large": (10, 120),
}
"""Days, and conversations of each class on each day."""

FIRST_DAY = date(2025, 3, 3)

# draft-ietf-opsawg-pcap: magic number for microseconds, version 2.4, two unused words, the longest
# packet, link type 1 (Ethernet).
PCAP_HEADER = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
RECORD_HEADER = struct.Struct("<IIII")

README = """\
Synthetic traffic. These captures were made by `netloop lab` (seed {seed}, size {size}); no host, no
person and no attack in them is real. They show how netloop works on a machine without data. A
detector that scores well here has shown nothing about real traffic.

<class>/<day>.pcap   one capture a class and day; the folder's name is the label
labels.csv           the same labels as a table: file,label

Benign: {benign}.
Attack: {attacks}.

All hosts take part in all classes, at the same hours, over the same ports; sizes, gaps and counts
overlap, and some conversations fail in every class, so that no single field gives a class away.
"""


@dataclass(frozen=True)
class LabReport:
    """What ``make_lab`` made."""

    folder: Path
    captures: int
    conversations: dict[str, int]
    """How many of each class."""
    packets: int


def make_lab(
    out: Path, *, seed: int = 0, size: Size = "small", progress: Progress = silent
) -> LabReport:
    """Write ``OUT/<class>/<day>.pcap``, ``OUT/labels.csv`` and ``OUT/README.txt``.

    ``out`` must be absent or empty, and appears whole or not at all. Raises InputError if it is
    neither, if it cannot be written, or if ``size`` is unknown.
    """
    if size not in DAYS_AND_CONVERSATIONS:
        raise InputError(
            f"There is no lab of size {size!r}.", f"Sizes: {', '.join(get_args(Size))}."
        )
    days, conversations = DAYS_AND_CONVERSATIONS[size]
    captures = [(name, FIRST_DAY + timedelta(day)) for day in range(days) for name in BEHAVIOURS]
    packets = 0
    _check_free(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(out.parent) as scratch:
            folder = scratch / "lab"
            for done, (name, day) in enumerate(captures):
                progress("making captures", done, len(captures), "captures")
                frames = day_of_traffic(name, day, conversations, seed)
                packets += len(frames)
                write_pcap(folder / name / f"{day}.pcap", frames)
            _describe(folder, captures, seed, size)
            folder.rename(out)
    except OSError as error:
        raise InputError(f"The lab cannot be written to {out}: {error.strerror}.") from error
    progress("making captures", len(captures), len(captures), "captures")
    return LabReport(out, len(captures), dict.fromkeys(BEHAVIOURS, days * conversations), packets)


def write_pcap(path: Path, frames: Sequence[Frame]) -> None:
    """Write a classic pcap file of Ethernet frames with microseconds, little-endian."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(PCAP_HEADER)
        for frame in frames:
            seconds, microseconds = divmod(frame.time_us, SECOND)
            length = len(frame.data)
            file.write(RECORD_HEADER.pack(seconds, microseconds, length, length) + frame.data)


def _check_free(out: Path) -> None:
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"{out} is not empty.", "Name a folder that does not exist yet.")


def _describe(folder: Path, captures: Sequence[tuple[str, date]], seed: int, size: Size) -> None:
    rows = [f"{name}/{day}.pcap,{name}" for name, day in captures]
    (folder / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    benign = [name for name in BEHAVIOURS if name not in ATTACKS]
    text = README.format(seed=seed, size=size, benign=", ".join(benign), attacks=", ".join(ATTACKS))
    (folder / "README.txt").write_text(text)
