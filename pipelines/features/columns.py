"""Features as columns of rows, under the masks of what they were made of."""

import json
from collections.abc import Iterable, Sequence

import pyarrow as pa

from pipelines.datasets.fields import BEHAVIOUR, COLUMN, DEFAULT_MASKS, field
from pipelines.errors import InputError
from pipelines.features.expression import Expression

# From what most gives a host or a message away to what least does; others are masked first.
REVEALING = (*DEFAULT_MASKS, *reversed(BEHAVIOUR), COLUMN)


def with_features(
    rows: pa.Table, expressions: Sequence[Expression], names: Sequence[str] | None = None
) -> pa.Table:
    """``rows`` with a column for each expression, under its own name or that of ``names``.

    A column's group is the most revealing one that it was made of; its metadata also keep all
    ``groups`` and the ``expression`` itself. Give one side of a split at a time: windows look at
    all rows that they get. Raises InputError for a name that is taken, or that rows lack.
    """
    named = [expression.name for expression in expressions] if names is None else names
    made = rows
    for name, expression in zip(named, expressions, strict=True):
        if name in made.column_names:
            raise InputError(f"There is a column {name!r} already.", "Give the feature a new name.")
        made = made.append_column(_declared(name, expression), expression.evaluate(rows))
    return made


def without_masked(rows: pa.Table, masks: Iterable[str]) -> pa.Table:
    """``rows`` without features of which any part is masked.

    Models hide columns by their one group; this also hides a feature by its other groups.
    """
    hidden = set(masks)
    return rows.select([c.name for c in rows.schema if not hidden & set(input_groups(c))])


def input_groups(column: pa.Field) -> list[str]:
    """The field groups that a feature was made of; none for a column that is no feature."""
    groups: list[str] = json.loads((column.metadata or {}).get(b"groups", b"[]"))
    return groups


def _declared(name: str, expression: Expression) -> pa.Field:
    groups = expression.groups
    known = [group for group in REVEALING if group in groups]
    other = [group for group in groups if group not in REVEALING]
    declared = field(name, pa.float64(), [*other, *known][0])
    more = {b"groups": json.dumps(groups).encode(), b"expression": str(expression).encode()}
    return declared.with_metadata({**declared.metadata, **more})
