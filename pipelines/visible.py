"""Text from traffic, files, people or models, made harmless to look at.

A label may carry terminal escapes, a file name may turn the reading direction around, a model's
answer may hide words in characters that nobody sees. Every string that netloop did not write
itself passes ``visible`` before a terminal or a report shows it.
"""

import re
import unicodedata

ELLIPSIS = "…"

# Letters, marks and symbols by their Unicode category, yet drawn as nothing: joiners, fillers,
# the empty braille cell and the variation selectors.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)

# More combining marks on one letter than any script needs cover the lines above and below it.
_MARKS_ON_A_LETTER = 4


def visible(text: str, limit: int = 200) -> str:
    r"""``text`` on one line, at most ``limit`` characters, every character of which can be seen.

    Control characters, line ends, format characters (bidi controls, zero-width, tags, the byte
    order mark), variation selectors, lone surrogates, private and unassigned code points are
    shown as Python would write them: ``\x1b``, ``\n``, ``\u202e``. Nothing is silently dropped, so
    two names that differ look different. A longer text ends in an ellipsis. The result is plain:
    markup in it (``[red]``, ``<b>``) is left for the caller to treat as text.
    """
    shown: list[str] = []
    marks = _MARKS_ON_A_LETTER  # a mark at the very beginning would sit on our own text
    for character in text[: limit + 1]:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category == "Zs":
            shown.append(" ")
        elif _is_unseen(character, category) or marks > _MARKS_ON_A_LETTER:
            shown.append(character.encode("unicode_escape").decode("ascii"))
        else:
            shown.append(character)
    return shorten("".join(shown), limit)


def visible_lines(text: str, limit: int = 4000) -> list[str]:
    """The lines of a longer text, each made ``visible``; ``limit`` is for all of them together."""
    lines = [visible(line, limit) for line in text[:limit].replace("\r\n", "\n").split("\n")]
    if len(text) > limit:
        lines[-1] += ELLIPSIS
    return lines


def shorten(text: str, limit: int) -> str:
    """``text``, cut to ``limit`` characters with an ellipsis as the last if it was longer."""
    return text if len(text) <= limit else text[: limit - 1] + ELLIPSIS


def _is_unseen(character: str, category: str) -> bool:
    """Whether nothing is drawn for it, or something other than a character happens."""
    return category[0] == "C" or category in ("Zl", "Zp") or bool(_INVISIBLE.match(character))
