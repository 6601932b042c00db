"""The functions of the language: what each takes, gives and computes.

Numbers and flags are float64 arrays of shape (rows,), NaN where a value is unknown; flags are 1, 0
or NaN. Whoever calls ``compute`` turns infinite results into NaN.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.features import entries, windows
from pipelines.features.nodes import Kind

Numbers = npt.NDArray[np.float64]

# What an argument may be, by the word that the documentation has for it. A column of a kind that is
# not known yet may be anything that a column can be.
ACCEPTED: dict[str, frozenset[Kind]] = {
    "number": frozenset({"number", "flag", "constant", "unknown"}),
    "flag": frozenset({"flag", "unknown"}),
    "category": frozenset({"category", "unknown"}),
    "value": frozenset({"number", "flag", "category", "unknown"}),
    "list": frozenset({"list", "unknown"}),
    "bytes": frozenset({"bytes", "unknown"}),
    "constant": frozenset({"constant"}),
    "text": frozenset({"text"}),
}


@dataclass(frozen=True)
class Form:
    """One way to call a function.

    ``takes``: a word of ``ACCEPTED`` for each argument; with ``more`` the last may come again.
    ``reads``: ``values`` of its arguments, the ``entries`` of a column, or a ``window`` of values.
    """

    takes: tuple[str, ...]
    gives: Literal["number", "flag"]
    compute: Callable[..., Numbers]
    meaning: str
    more: bool = False
    reads: Literal["values", "entries", "window"] = "values"

    def fits(self, kinds: Sequence[Kind]) -> bool:
        """Whether arguments of these kinds can be given."""
        repeated = max(len(kinds) - len(self.takes), 0) if self.more else 0
        takes = (*self.takes, *self.takes[-1:] * repeated)
        return len(takes) == len(kinds) and all(
            kind in ACCEPTED[word] for word, kind in zip(takes, kinds, strict=True)
        )

    def usage(self, name: str) -> str:
        """How to write it: ``sum(number, number, ...)``."""
        parts = [*self.takes, *(["..."] if self.more else [])]
        parts += ["by=column", "last=n"] if self.reads == "window" else []
        return f"{name}({', '.join(parts)})"


def _log(x: Numbers) -> Numbers:
    return np.asarray(np.sign(x) * np.log1p(np.abs(x)))


def _all_hold(*flags: Numbers) -> Numbers:
    """0 as soon as one is 0, else unknown if one is (Kleene's three-valued logic)."""
    return np.where(np.fmin.reduce(flags) == 0, 0.0, np.minimum.reduce(flags))


def _one_holds(*flags: Numbers) -> Numbers:
    return np.where(np.fmax.reduce(flags) == 1, 1.0, np.maximum.reduce(flags))


def _bucket(x: Numbers, *edges: Numbers) -> Numbers:
    reached = np.add.reduce([x >= edge for edge in edges], dtype=np.float64)
    return np.where(np.isnan(x), np.nan, reached)


def _is_text(values: pa.Array, text: str) -> Numbers:
    equal = pc.equal(values, pa.scalar(text, values.type)).cast(pa.float64())
    return np.asarray(equal.to_numpy(zero_copy_only=False))  # null becomes NaN


def _compared(sign: str, compare: Callable[[Numbers, Numbers], Any]) -> Form:
    def compute(a: Numbers, b: Numbers) -> Numbers:
        return np.where(np.isnan(a) | np.isnan(b), np.nan, compare(a, b))

    return Form(("number", "number"), "flag", compute, f"whether a {sign} b")


def _numbers(count: int, compute: Callable[..., Any], meaning: str, more: bool = False) -> Form:
    return Form(("number",) * count, "number", compute, meaning, more)


def _reduced(ufunc: np.ufunc, meaning: str) -> Form:
    return _numbers(2, lambda *values: ufunc.reduce(values), meaning, more=True)


def _entries(takes: str, compute: Callable[[entries.Entries], Numbers], meaning: str) -> Form:
    return Form((takes,), "number", compute, meaning, reads="entries")


def _window(takes: str, compute: Callable[..., Numbers], meaning: str) -> Form:
    return Form((takes,), "number", compute, meaning, reads="window")


FUNCTIONS: dict[str, tuple[Form, ...]] = {
    "ratio": (_numbers(2, np.divide, "a / b; unknown where b is 0"),),
    "diff": (_numbers(2, np.subtract, "a - b"),),
    "sum": (
        _reduced(np.add, "the sum of all"),
        _entries("list", entries.total, "the sum of the entries"),
    ),
    "product": (_reduced(np.multiply, "the product of all"),),
    "log": (_numbers(1, _log, "sign(a) ln(1 + abs(a))"),),
    "abs": (_numbers(1, np.abs, "a without its sign"),),
    "min": (
        _reduced(np.minimum, "the smallest of all"),
        _entries("list", entries.least, "the smallest entry"),
    ),
    "max": (
        _reduced(np.maximum, "the largest of all"),
        _entries("list", entries.most, "the largest entry"),
    ),
    "gt": (_compared("is above", np.greater),),
    "lt": (_compared("is below", np.less),),
    "ge": (_compared("is above or equal to", np.greater_equal),),
    "le": (_compared("is below or equal to", np.less_equal),),
    "eq": (
        _compared("equals", np.equal),
        Form(("category", "text"), "flag", _is_text, "whether a category is this text"),
    ),
    "and": (Form(("flag", "flag"), "flag", _all_hold, "whether all hold", more=True),),
    "or": (Form(("flag", "flag"), "flag", _one_holds, "whether at least one holds", more=True),),
    "not": (Form(("flag",), "flag", lambda a: 1.0 - a, "whether a does not hold"),),
    "bucket": (
        Form(
            ("number", "constant"),
            "number",
            _bucket,
            "how many of the edges, the constants, a reaches",
            more=True,
        ),
    ),
    "length": (
        _entries("category", entries.count, "the letters of a text"),
        _entries("bytes", entries.count, "the bytes that are there"),
    ),
    "entropy": (
        _entries("category", entries.entropy, "Shannon's entropy of the letters, in bits"),
        _entries("bytes", entries.entropy, "Shannon's entropy of the bytes, in bits"),
    ),
    "count": (_entries("list", entries.count, "how many entries there are"),),
    "mean": (_entries("list", entries.mean, "the mean of the entries"),),
    "share": (_entries("list", entries.share, "the share of the entries above 0"),),
    "window_mean": (_window("number", windows.window_mean, "the mean of a over the window"),),
    "window_count": (
        _window("flag", windows.window_holds, "the rows of the window on which a flag holds"),
        _window("value", windows.window_count, "the rows of the window on which a is known"),
    ),
    "window_distinct": (
        _window("value", windows.window_distinct, "the different values of a in the window"),
    ),
}


def form_of(name: str, kinds: Sequence[Kind]) -> Form | None:
    """The form of a function for arguments of these kinds, None if it takes no such."""
    return next((form for form in FUNCTIONS[name] if form.fits(kinds)), None)
