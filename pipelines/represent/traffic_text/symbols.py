"""The signs that traffic text is made of, and how bytes, flags and times are written with them.

Payload bytes are Braille patterns: there are exactly 256, byte b is U+2800 + b, each is one column
wide, and no other text holds them. So a token made of them can never match in an instruction, and
no byte of a packet can be taken for a word, a digit or a control character.
"""

import re

BRAILLE = 0x2800
# A packet from the initiator, to it, and one whose direction is masked.
FORTH, BACK, EITHER = "▸", "◂", "▪"
# Before the time since the packet before; not a plain plus sign, for the same reason as above.
GAP = "˖"
# Behind payload of which more was captured than is written.
CUT = "…"
# Bit 0 of the TCP flags byte is FIN, bit 7 is CWR.
FLAGS = "FSRPAUEC"

_BYTES = {byte: BRAILLE + byte for byte in range(256)}
_UNITS = {"u": 1, "m": 1_000, "s": 1_000_000}
_DIGITS = 2
_TIME = re.compile(r"(\d+(?:\.\d)?)([ums])")


def bytes_text(content: bytes) -> str:
    """One Braille pattern a byte."""
    return content.decode("latin-1").translate(_BYTES)


def text_bytes(text: str) -> bytes:
    """The bytes that ``bytes_text`` wrote. Raises ValueError for any other sign."""
    return bytes(ord(sign) - BRAILLE for sign in text)


def flags_text(flags: int) -> str:
    """The letters of the bits that are set in a TCP flags byte, FIN first."""
    return "".join(letter for bit, letter in enumerate(FLAGS) if flags >> bit & 1)


def text_flags(text: str) -> int:
    """The TCP flags byte that ``flags_text`` wrote."""
    return sum(1 << FLAGS.index(letter) for letter in text)


def rounded_time(microseconds: int) -> int:
    """A time of at least 0 with its first two digits, as text keeps it."""
    step: int = 10 ** max(len(str(microseconds)) - _DIGITS, 0)
    return (microseconds + step // 2) // step * step


def time_text(microseconds: int) -> str:
    """A rounded time in the largest unit that it fills: 7u, 1.2m, 30s."""
    unit = next(
        (unit for unit in ("s", "m") if microseconds >= _UNITS[unit]),
        "u",
    )
    tenths = microseconds * 10 // _UNITS[unit]
    whole, tenth = divmod(tenths, 10)
    return f"{whole}.{tenth}{unit}" if tenth else f"{whole}{unit}"


def text_time(text: str) -> int:
    """The microseconds that ``time_text`` wrote. Raises ValueError for anything else."""
    found = _TIME.fullmatch(text)
    if not found:
        raise ValueError(f"no time: {text!r}")
    whole, _, tenth = found[1].partition(".")
    return (int(whole) * 10 + int(tenth or 0)) * _UNITS[found[2]] // 10
