"""What the text of one flow, packet or table record says, how it is written and read back.

    tcp4 n=5>4 b=900>5120 t=1.2s▸74S◂74SA˖21m▸66A▸583PA˖1m⠖⠃⠁⠂⠀⠁⣼⠃⠃…

The first word is the protocol and the IP version (``p47`` for a protocol without a name; ICMP adds
type and code), then values by name, then the packets: direction, wire length, TCP flags, the time
since the packet before, payload. What is masked is not there.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote, unquote

from pipelines.represent.traffic_text.symbols import (
    BACK,
    BRAILLE,
    CUT,
    EITHER,
    FLAGS,
    FORTH,
    GAP,
    bytes_text,
    flags_text,
    text_bytes,
    text_flags,
    text_time,
    time_text,
)

PROTOCOLS = {(6, 4): "tcp", (6, 6): "tcp", (17, 4): "udp", (17, 6): "udp"}
PROTOCOLS |= {(1, 4): "icmp", (58, 6): "icmp", (132, 4): "sctp", (132, 6): "sctp"}
NUMBERS = {f"{name}{version}": number for (number, version), name in PROTOCOLS.items()}
SAFE = "<>:+/,*()@;[]"
PAYLOAD_CHUNK = 16  # bytes that are kept or left out together
VALUE_CHUNK = 64  # letters of a value, likewise

_KIND = re.compile(
    r"(?P<name>tcp|udp|icmp|sctp|p(?P<number>\d+)v)(?P<version>\d+)(?::(\d+)/(\d+))?"
)
_PACKET = re.compile(
    rf"(?P<way>[{FORTH}{BACK}{EITHER}])(?P<length>\d*)(?P<flags>[{FLAGS}]*)"
    rf"(?:{GAP}(?P<gap>[\d.]+[ums]))?"
    rf"(?P<payload>[{chr(BRAILLE)}-{chr(BRAILLE + 255)}]*)(?P<cut>{CUT}?)"
)


class Unit(NamedTuple):
    """A piece of a text that is kept or left out as one; the lower ``rank``, the more it says.

    ``group`` counts the words and packets of a text: pieces of one group are written together.
    """

    text: str
    rank: int
    group: int
    is_word: bool = False


@dataclass(frozen=True)
class PacketText:
    """One packet. ``backward`` and ``length`` (wire bytes) are None where they are masked.

    ``gap_us``: microseconds since the packet before, two digits of them; ``cut``: there was more
    payload than is here.
    """

    backward: bool | None = None
    length: int | None = None
    flags: int = 0
    gap_us: int = 0
    payload: bytes = b""
    cut: bool = False

    @property
    def head(self) -> str:
        """The packet but its payload."""
        way = EITHER if self.backward is None else BACK if self.backward else FORTH
        length = "" if self.length is None else str(self.length)
        gap = f"{GAP}{time_text(self.gap_us)}" if self.gap_us else ""
        return f"{way}{length}{flags_text(self.flags)}{gap}"

    def __str__(self) -> str:
        return self.head + bytes_text(self.payload) + (CUT if self.cut else "")


@dataclass(frozen=True)
class RowText:
    """One row. ``kind``: IP version, protocol, and ICMP's type and code; None where masked."""

    kind: tuple[int, int] | None = None
    icmp: tuple[int, int] | None = None
    values: dict[str, str] = field(default_factory=dict)
    packets: tuple[PacketText, ...] = ()

    def __str__(self) -> str:
        values = ["".join(_value_pieces(name, value)) for name, value in self.values.items()]
        return " ".join([*self._kind(), *values]) + "".join(map(str, self.packets))

    def _kind(self) -> list[str]:
        if self.kind is None:
            return []
        version, number = self.kind
        name = PROTOCOLS.get((number, version), f"p{number}v")
        return [f"{name}{version}" + (":{}/{}".format(*self.icmp) if self.icmp else "")]

    def units(self) -> list[Unit]:
        """The text in pieces, in order: words with blanks between them, then the packets.

        Ranked by what a piece tells of behaviour: the protocol, how the first packets go, what
        they begin with, the values; then the packets that follow, and the rest of their payload.
        """
        kind = self._kind()
        pieces = [Unit(word, 0, 0, is_word=True) for word in kind]
        for group, (name, value) in enumerate(self.values.items(), len(kind)):
            for place, part in enumerate(_value_pieces(name, value)):
                pieces.append(Unit(part, value_rank(place), group, is_word=True))
        for number, packet in enumerate(self.packets):
            group, rank = len(kind) + len(self.values) + number, packet_rank(number)
            pieces.append(Unit(packet.head, rank, group))
            for place in range(0, len(packet.payload), PAYLOAD_CHUNK):
                part = bytes_text(packet.payload[place : place + PAYLOAD_CHUNK])
                pieces.append(Unit(part, max(rank, chunk_rank(place // PAYLOAD_CHUNK)), group))
        return pieces


def value_rank(place: int) -> int:
    """A value says most where it begins."""
    return 3 if place == 0 else 4 + place


def packet_rank(number: int) -> int:
    """The first packets are the handshake and the first request; later ones repeat."""
    return 1 if number < 4 else 4 if number < 8 else 6


def chunk_rank(number: int) -> int:
    """A payload begins with what its protocol says; its later bytes are contents."""
    return 2 if number == 0 else 4 + number


def parse_text(text: str) -> RowText:
    """What a text says: ``str`` of it is the text again. Raises ValueError for any other text."""
    begin = _PACKET.search(text)
    end = begin.start() if begin else len(text)
    words = text[:end].split(" ") if end else []
    kind = icmp = None
    if words and (found := _KIND.fullmatch(words[0])):
        version = int(found["version"])
        number = found["number"]
        kind = (version, int(number) if number else NUMBERS[f"{found['name']}{version}"])
        icmp = (int(found[4]), int(found[5])) if found[4] else None
        words = words[1:]
    values = dict(map(_value, words))
    packets = []
    while end < len(text):
        if not (found := _PACKET.match(text, end)):
            raise ValueError(f"no packet: {text[end : end + 40]!r}")
        packets.append(_packet(found))
        end = found.end()
    return RowText(kind, icmp, values, tuple(packets))


def _value_pieces(name: str, value: str) -> list[str]:
    """``name=value`` in pieces; a sign at the value's end that says that it was cut stays one."""
    whole, cut = (value[:-1], CUT) if value.endswith(CUT) else (value, "")
    places = range(VALUE_CHUNK, len(whole), VALUE_CHUNK)
    later = [quote(whole[place : place + VALUE_CHUNK], safe=SAFE) for place in places]
    pieces = [f"{quote(name, safe='')}={quote(whole[:VALUE_CHUNK], safe=SAFE)}", *later]
    return [*pieces[:-1], pieces[-1] + cut]


def _value(word: str) -> tuple[str, str]:
    name, sign, value = word.partition("=")
    if not (name and sign):
        raise ValueError(f"no value: {word[:40]!r}")
    return unquote(name), unquote(value)


def _packet(found: re.Match[str]) -> PacketText:
    return PacketText(
        backward=None if found["way"] == EITHER else found["way"] == BACK,
        length=int(found["length"]) if found["length"] else None,
        flags=text_flags(found["flags"]),
        gap_us=text_time(found["gap"]) if found["gap"] else 0,
        payload=text_bytes(found["payload"]),
        cut=bool(found["cut"]),
    )
