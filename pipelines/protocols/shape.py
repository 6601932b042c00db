"""The shape of a text rather than its words: length, entropy, digits.

Entropies and shares are coarse: they tell a random name from a spoken one, and not one name from
another, which exact ones nearly do.
"""

import math
from collections import Counter
from collections.abc import Iterable

LONGEST_TEXT = 512


def as_text(data: bytes) -> str:
    """A protocol's text field, at most 512 characters of it; what is no UTF-8 is spelled out."""
    return data[:LONGEST_TEXT].decode("utf-8", "backslashreplace")[:LONGEST_TEXT]


def entropy(text: str) -> float:
    """Shannon entropy of the characters, in halves of a bit a character; 0 for an empty text."""
    counts = Counter(text).values()
    exact = -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
    return max(0.0, round(2 * exact) / 2)


def digit_share(text: str) -> float:
    """Share of the characters that are ASCII digits, in tenths; 0 for an empty text."""
    return round(sum(character in "0123456789" for character in text) / max(len(text), 1), 1)


def hex_words(numbers: list[int], digits: int = 4) -> str:
    """Numbers as hexadecimal words with blanks between them."""
    return joined(f"{number:0{digits}x}" for number in numbers)


def joined(words: Iterable[str]) -> str:
    """Words with blanks between them: whole ones, as many as 512 characters hold."""
    text = " ".join(words)
    if len(text) <= LONGEST_TEXT:
        return text
    return text[: LONGEST_TEXT + 1].rpartition(" ")[0] or text[:LONGEST_TEXT]
