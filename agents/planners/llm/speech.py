"""Words between a person and a model: names of the data are hidden, and turned back."""

import re
from collections.abc import Callable

from agents.wall.names import Names

OnPiece = Callable[[str], None]


def hidden(words: str, names: Names) -> str:
    """A person's words with the safe names in place of the data's."""
    spoken = {real: safe for real, safe in names.spoken_in(words).items() if not real.isdigit()}
    if not spoken:
        return words
    any_of = "|".join(map(re.escape, sorted(spoken, key=len, reverse=True)))
    return re.sub(rf"(?<!\w)(?:{any_of})(?!\w)", lambda said: spoken[said.group()], words)


class Restored:
    """Hands an answer on word by word, with the names that stand for the data's turned back."""

    def __init__(self, names: Names, hear: OnPiece | None) -> None:
        self._names = names
        self._hear = hear
        self._rest = ""

    def piece(self, text: str) -> None:
        """Take a piece; a word is handed on once it is whole."""
        whole, blank, self._rest = (self._rest + text).rpartition(" ")
        if blank and self._hear:
            self._hear(self._names.restored(whole) + blank)

    def end(self) -> None:
        """Hand on what is left."""
        if self._rest and self._hear:
            self._hear(self._names.restored(self._rest))
