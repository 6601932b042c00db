"""Rules for records of tables, by what their columns are called."""

import re
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from pipelines.cleaning.flow_rules import out_of_order
from pipelines.cleaning.kinds import Flags
from pipelines.cleaning.public_rules import PUBLIC_RULES
from pipelines.cleaning.rules import IMPOSSIBLE, ODD, Rule, numeric
from pipelines.datasets.fields import LABEL, SPLIT, group_of

# Words of column names whose numbers cannot be negative.
COUNTED = frozenset(
    (
        *("bytes", "packets", "pkts", "pkt", "count", "cnt", "length", "len", "size", "duration"),
        *("dur", "iat", "packet", "byte", "header", "rate", "loss", "ttl", "sbytes", "dbytes"),
        *("spkts", "dpkts", "sttl", "dttl", "sload", "dload", "sloss", "dloss", "smean", "dmean"),
        *("tcprtt", "synack", "ackdat", "sjit", "djit", "sinpkt", "dinpkt", "num", "min", "max"),
    )
)
# Where -1 says "none": CICFlowMeter's first windows; and -2 too: tshark's scale of a window.
NONE = re.compile(r"init_?win|window_size_scalefactor", re.IGNORECASE)
NEARLY_ALL = 0.99
TRIAD = {"min": "min", "mean": "mean", "avg": "mean", "average": "mean", "max": "max"}
FEWEST_NUMBERS = 8


def table_rules(rows: pa.Table) -> Iterator[Rule]:
    """The rules that the names of these columns bring, then those of public sets."""
    names = [column.name for column in rows.schema if group_of(column) not in (LABEL, SPLIT)]
    for name in names:
        words = words_of(name)
        if COUNTED.intersection(words):
            yield Rule(f"{name} is negative", IMPOSSIBLE, (name,), _negative(name))
        if words[-1:] == ["rate"]:
            yield Rule(f"{name} is no share", IMPOSSIBLE, (name,), _no_share(name))
        yield Rule(f"{name} is missing or infinite", ODD, (name,), _seldom_missing(name))
    for columns in triads(names):
        yield Rule(
            f"{', '.join(columns)} are out of order",
            IMPOSSIBLE,
            columns,
            lambda rows, columns=columns: out_of_order(  # type: ignore[misc]
                *(numeric(rows, column) for column in columns)
            ),
        )
    yield Rule("all its numbers are zero", IMPOSSIBLE, tuple(names), _all_zero(names))
    yield from PUBLIC_RULES


def words_of(name: str) -> list[str]:
    """The lower-case words of a column's name: at underscores and at humps."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return [word for word in spaced.lower().split("_") if word]


def triads(names: list[str]) -> list[tuple[str, str, str]]:
    """The columns that are minimum, mean and maximum of the same thing."""
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        words = words_of(name)
        parts = [word for word in words if word in TRIAD]
        if len(parts) == 1:
            rest = tuple(word for word in words if word not in TRIAD)
            found.setdefault(rest, {}).setdefault(TRIAD[parts[0]], name)
    return [
        (parts["min"], parts["mean"], parts["max"])
        for parts in found.values()
        if len(parts) == len(set(TRIAD.values()))
    ]


def _negative(name: str) -> Callable[[pa.Table], Flags]:
    def broken(rows: pa.Table) -> Flags:
        values = numeric(rows, name)
        none = bool(NONE.search(name)) & np.isin(values, (-1, -2))
        return np.asarray((values < 0) & ~none)

    return broken


def _no_share(name: str) -> Callable[[pa.Table], Flags]:
    """Outside of 0 to 1, where nearly all values are within and some are fractions."""

    def broken(rows: pa.Table) -> Flags:
        values = numeric(rows, name)
        known = values[np.isfinite(values)]
        fractions = ((known > 0) & (known < 1)).any()
        shares = len(known) and ((known >= 0) & (known <= 1)).mean() >= NEARLY_ALL
        outside = (values < 0) | (values > 1)
        return np.asarray(outside if shares and fractions else np.zeros(len(values), bool))

    return broken


def _seldom_missing(name: str) -> Callable[[pa.Table], Flags]:
    """Missing, in a column of numbers that hardly ever are."""

    def broken(rows: pa.Table) -> Flags:
        missing = ~np.isfinite(numeric(rows, name))
        return missing if 1 - missing.mean() >= NEARLY_ALL else np.zeros(len(missing), bool)

    return broken


def _all_zero(names: list[str]) -> Callable[[pa.Table], Flags]:
    def broken(rows: pa.Table) -> Flags:
        nothing, columns = np.ones(rows.num_rows, bool), 0
        for name in names:
            values = numeric(rows, name)
            columns += not np.isnan(values).all()
            nothing &= (values == 0) | np.isnan(values)
        return nothing if columns >= FEWEST_NUMBERS else np.zeros(rows.num_rows, bool)

    return broken
