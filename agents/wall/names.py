"""Names from data, and what a planner reads in their place.

A class may be called "ignore the rules", a column after a command: even a slug of such a name is
read by a model. So a name is shown in words only if every word is one of netloop's own
(``words.yaml``), else as its kind and a number: ``class_3``.
"""

import difflib
import re
import unicodedata
from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import yaml

from pipelines.errors import InputError

NameKind = Literal["class", "column", "file", "capture", "value"]
KINDS: tuple[NameKind, ...] = get_args(NameKind)
MOST_WORDS = 6
MOST_DIGITS = 3
# Of a name that is written in one: DDoSHulk, SrcPort, src2dst.
PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


class Names:
    """Real names and safe ones, one to one: the same names give the same numbers."""

    def __init__(self, real: Mapping[NameKind, Collection[str]]) -> None:
        self._safe: dict[tuple[NameKind, str], str] = {}
        self._real: dict[str, str] = {}
        for kind in KINDS:
            ordered = sorted(set(real.get(kind, ())))
            shown = {name: words for name in ordered if (words := readable(name))}
            for name, words in shown.items():
                self._add(kind, name, words)
            for number, name in enumerate((n for n in ordered if n not in shown), 1):
                self._add(kind, name, f"{kind}_{number}")

    def _add(self, kind: NameKind, real: str, wanted: str) -> None:
        safe, number = wanted, 2
        while safe in self._real:
            safe, number = f"{wanted}_{number}", number + 1
        self._safe[kind, real], self._real[safe] = safe, real

    def safe(self, kind: NameKind, real: str) -> str:
        """What a planner reads for ``real``. Raises KeyError for a name that was not given."""
        return self._safe[kind, real]

    def real(self, safe: str) -> str:
        """What the data calls ``safe``. Raises InputError, which a planner may read, for others."""
        if safe not in self._real:
            near = difflib.get_close_matches(safe, self._real, n=1, cutoff=0.0)
            raise InputError("There is no such name.", f"Did you mean {near[0]}?" if near else "")
        return self._real[safe]

    def of(self, kind: NameKind) -> list[str]:
        """The safe names of a kind, in the order of the real ones."""
        return [self._safe[key] for key in sorted(self._safe) if key[0] == kind]

    def spoken_in(self, text: str) -> dict[str, str]:
        """Hidden names that a person's ``text`` says, with what a planner calls them."""
        return {
            real: safe
            for (_, real), safe in sorted(self._safe.items())
            if real != safe and re.search(rf"(?<!\w){re.escape(real)}(?!\w)", text)
        }

    def restored(self, text: str) -> str:
        """A planner's ``text`` for a person, with the names that its numbered ones stand for.

        Those are the data's own: what is shown of them passes ``visible``.
        """
        hidden = {safe: real for safe, real in self._real.items() if not readable(real)}
        return re.sub(r"\w+", lambda word: hidden.get(word.group(), word.group()), text)


def readable(name: str) -> str | None:
    """A name as words with underscores if each is one of ours, or a number of three digits."""
    if not all(map(_is_plain, name)):
        return None
    words = [word for run in re.findall(r"[^\W_]+", name) for word in _words_of(run)]
    if not 0 < len(words) <= MOST_WORDS or not all(map(_is_ours, words)):
        return None
    safe = "_".join(words)
    return safe if any(map(str.isalpha, words)) else None


def _is_plain(character: str) -> bool:
    """Whether it is what it looks like; names of classes are also written with long dashes."""
    return unicodedata.category(character) == "Pd" or (
        character.isascii() and character.isprintable()
    )


def _words_of(run: str) -> list[str]:
    """A run of letters and digits: one word, or the pieces that its capitals and digits show."""
    if not run.isascii() or _is_ours(run.lower()):
        return [run.lower()]
    return [piece.lower() for piece in PIECES.findall(run)]


def _is_ours(word: str) -> bool:
    return word in _dictionary() or (word.isascii() and word.isdigit() and len(word) <= MOST_DIGITS)


@cache
def _dictionary() -> frozenset[str]:
    text = files("agents.wall").joinpath("words.yaml").read_text(encoding="utf-8")
    return frozenset(word for words in yaml.safe_load(text).values() for word in words.split())
