"""A feature's text cut into tokens, and mistakes that point at their place in it."""

import re
from dataclasses import dataclass
from typing import Literal

from pipelines.errors import InputError

MOST_CHARACTERS = 200
# What a column's name must look like to stand without backticks.
NAME = re.compile(r"[^\W\d][\w.]*")
TOKEN = re.compile(
    rf"(?P<name>{NAME.pattern})"
    r"|(?P<number>-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<quoted>`[^`]+`)"
    r"""|(?P<text>"[^"]*"|'[^']*')"""
    r"|(?P<sign>[(),=])"
)


@dataclass(frozen=True)
class Token:
    """A piece of the text: characters ``start`` to ``end``, counted from 0."""

    kind: Literal["name", "number", "quoted", "text", "sign", "end"]
    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The tokens of a feature, and one for its end.

    Raises InputError for a text that is too long, a character that does not print or that no token
    begins with, and a quotation without an end.
    """
    if len(text) > MOST_CHARACTERS:
        raise InputError(
            f"A feature of {len(text):,} characters is too long.",
            f"Write at most {MOST_CHARACTERS}.",
        )
    for place, character in enumerate(text):
        if not character.isprintable():  # line ends, signs that turn the text round, half signs
            raise InputError(
                f"Character {place + 1} of the feature, U+{ord(character):04X}, does not print.",
                "Write the feature on one line, with plain blanks.",
            )
    found, place = [], 0
    while place < len(text):
        if text[place] == " ":
            place += 1
            continue
        match = TOKEN.match(text, place)
        if match is None:
            here = Token("sign", text[place], place, place + 1)
            raise mistake(text, here, f"{text[place]!r} means nothing", _instead(text[place]))
        found.append(Token(match.lastgroup, match.group(), place, match.end()))  # type: ignore[arg-type]
        place = match.end()
    return [*found, Token("end", "", len(text), len(text) + 1)]


def mistake(text: str, token: Token, message: str, mend: str) -> InputError:
    """What to raise for a mistake at ``token``: a line of carets stands below its place."""
    carets = " " * token.start + "^" * (token.end - token.start)
    excerpt = f"  {text}\n  {carets}"
    return InputError(f"{message}, at character {token.start + 1}:", mend, excerpt)


def _instead(character: str) -> str:
    if character in "\"'`":
        return f"Close the quotation: another {character} is missing."
    return "There are no operators: write ratio(a, b), diff(a, b), gt(a, b), and(a, b)."
