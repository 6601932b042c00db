"""Rotating captures: which files are pieces of one capture, and in which order.

Known are the names that dumpcap and Wireshark (``-b``), tcpdump (``-C``, ``-G``, ``-W``), Suricata
and netsniff-ng give their files, also where these were compressed afterwards.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pipelines.capture.compression import SUFFIXES
from pipelines.capture.framing import read_frames
from pipelines.capture.health import CaptureHealth
from pipelines.errors import InputError

# Enough for a file's header and its first packet, unless that is a very long one.
FIRST_BYTES = 1 << 12
# As far as two time zones are apart at most: names are in local time, packets are not.
NEAR_SECONDS = 26 * 3600
EPOCH_DIGITS = 10
# From the year to at least the minute: files that are named by the day are captures of their own.
_MOMENT = (
    r"(?:19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d[-_.T]?[0-2]\d[-_.:hH]?[0-5]\d(?:[-_.:mM]?[0-5]\d)?"
)
_NAMES = tuple(
    re.compile(pattern)
    for pattern in (
        # dumpcap -b: web_00001_20240131120000.pcapng, and with nametimenum:2 the other way round
        r"(?P<head>.+)_(?P<number>\d{5,})_(?P<moment>\d{14})(?P<tail>\.\w+)",
        r"(?P<head>.+)_(?P<moment>\d{14})_(?P<number>\d{5,})(?P<tail>\.\w+)",
        # tcpdump -G, with -C a number behind it: web-2024-01-31_12:00:00.pcap1; seconds since 1970
        rf"(?P<head>.*?(?<!\d))(?P<moment>{_MOMENT}|1\d{{9}})(?P<tail>(?:\D.*?)??)(?P<number>\d*)",
        # tcpdump -C: web.pcap, web.pcap1, ...; with -W web.pcap00, web.pcap01, ...
        r"(?P<head>.+\.(?:pcap|pcapng|cap|dump|dmp))(?P<moment>)(?P<tail>)(?P<number>\d*)",
    )
)


class _Name(NamedTuple):
    """A file's name taken apart: what the files of one rotation share, and what orders them."""

    shared: tuple[str, ...]
    order: tuple[str, int]


def find_rotation(paths: Iterable[Path]) -> list[list[Path]]:
    """``paths`` as captures: the files of a rotation together, every other file on its own.

    Files belong together if they lie in one folder and their names differ only in the number or
    the moment that a capturing program counts with. They are ordered by their first packets, since
    a ring of files begins anywhere, and by their names where those say nothing. A file without a
    packet, or whose first packet is not of the moment in its name, is on its own. Captures come in
    the order of their first paths.
    """
    members: dict[tuple[str, ...], list[tuple[Path, _Name]]] = {}
    for path in paths:
        name = _taken_apart(path)
        members.setdefault(name.shared, []).append((path, name))
    captures: list[list[Path]] = []
    for files in members.values():
        captures += _in_order(files)
    return captures


def _taken_apart(path: Path) -> _Name:
    name = path.stem if path.suffix.lower() in SUFFIXES else path.name
    for number, pattern in enumerate(_NAMES):
        if found := pattern.fullmatch(name):
            shared = (str(path.parent), str(number), found["head"], found["tail"])
            return _Name(shared, (re.sub(r"\D", "", found["moment"]), int(found["number"] or 0)))
    return _Name((str(path),), ("", 0))


def _in_order(files: list[tuple[Path, _Name]]) -> list[list[Path]]:
    """The files of one rotation by their first packets; those that do not fit are on their own."""
    if len(files) == 1:
        return [[files[0][0]]]
    pieces: list[tuple[int, tuple[str, int], Path]] = []
    others: list[list[Path]] = []
    for path, name in files:
        time_ns = first_time(path)
        if time_ns is not None and _is_of(name.order[0], time_ns):
            pieces.append((time_ns, name.order, path))
        else:
            others.append([path])
    return [[path for _, _, path in sorted(pieces)], *others] if pieces else others


def _is_of(moment: str, time_ns: int) -> bool:
    """Whether a packet is of the moment in a name, which may be local time; digits may be none."""
    if not moment:
        return True
    if len(moment) == EPOCH_DIGITS:
        seconds = float(moment)
    else:
        try:
            named = datetime.strptime(f"{moment:0<14}", "%Y%m%d%H%M%S")
        except ValueError:
            return False
        seconds = named.replace(tzinfo=UTC).timestamp()
    return abs(time_ns / 1e9 - seconds) <= NEAR_SECONDS


def first_time(path: Path) -> int | None:
    """Nanoseconds since 1970 of a capture's first packet; None if it has none or is no capture."""
    try:
        frames = next(read_frames(path, CaptureHealth(), piece_bytes=FIRST_BYTES), None)
    except InputError:
        return None
    return None if frames is None else int(frames.time_ns[0])
