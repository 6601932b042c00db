"""Text of the data that a person allowed a planner to read: harmless to look at, marked as data."""

import re
import unicodedata

from pipelines.privacy.addresses import Anonymiser
from pipelines.privacy.texts import anonymous_text
from pipelines.visible import shorten

# Longest quotation of a cell, of a payload and of an attachment, in characters.
CELL, PAYLOAD, ATTACHMENT = 120, 240, 8_000
MOST_MARKS = 4

# Seen by a model and by nobody else, though letters, marks or symbols by their category.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# Servers read these as the turns of a conversation: <|im_start|>, <s>, [INST].
_TURNS = re.compile(r"\[(?=/?(?:INST|SYSTEM|TOOL|AVAILABLE_TOOLS))", re.IGNORECASE)
_BRACKETS = str.maketrans("<>", "\u2039\u203a")


def quoted(text: str, limit: int = CELL, anonymiser: Anonymiser | None = None) -> dict[str, str]:
    """At most ``limit`` characters of ``text`` as a value that says what it is: the data's words.

    With an ``anonymiser``, the addresses that are spelled out in it are others.
    """
    plain = harmless(text[: 4 * limit])
    if anonymiser is not None:
        plain = anonymous_text(plain, anonymiser)
    return {"data": shorten(plain, limit)}


def harmless(text: str) -> str:
    r"""``text``, of which only what a person sees is left.

    Controls (but line ends), format characters such as bidi controls, zero-width and tags,
    variation selectors, private and unassigned code points and lone surrogates become U+FFFD, one
    for any number of them: escaped, they could still be read. Angle brackets are no markup and no
    turn of a conversation any more.
    """
    shown: list[str] = []
    marks = MOST_MARKS  # one at the very beginning would sit on our own text
    for character in text.replace("\r\n", "\n"):
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if character == "\n" or (not _is_hidden(character, category) and marks <= MOST_MARKS):
            shown.append(" " if category == "Zs" else character)
        elif shown[-1:] != ["\ufffd"]:
            shown.append("\ufffd")
    return _TURNS.sub("[ ", "".join(shown).translate(_BRACKETS))


def _is_hidden(character: str, category: str) -> bool:
    return category[0] == "C" or category in ("Zl", "Zp") or bool(_UNSEEN.match(character))
