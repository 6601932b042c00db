"""Features as columns of rows, under the masks of what they were made of."""

from collections.abc import Sequence

import pyarrow as pa

from pipelines.datasets.fields import DEFAULT_MASKS, field
from pipelines.errors import InputError
from pipelines.features.expression import Expression
from pipelines.features.nodes import windows_of
from pipelines.features.parse import parse

EXPRESSION = b"expression"


def row_features(
    texts: Sequence[str], schema: pa.Schema | None, masks: Sequence[str]
) -> list[Expression]:
    """Features that every row tells by itself, as a detector needs them: it keeps no earlier rows.

    Raises InputError as ``parse`` does, for a window, and for a feature that comes twice.
    """
    found: list[Expression] = []
    for text in texts:
        expression = parse(text, schema, masks)
        if any(windows_of(expression.tree)):
            raise InputError(
                f"{expression} reads a window of earlier rows, which a detector does not keep.",
                "Leave it out; netloop data features tries windows.",
            )
        if expression in found:
            raise InputError(f"The feature {expression} comes twice.", "Give each once.")
        found.append(expression)
    return found


def expression_of(column: pa.Field) -> str | None:
    """The text of a column that ``with_features`` made, None of any other."""
    text = (column.metadata or {}).get(EXPRESSION)
    return None if text is None else text.decode()


def with_features(rows: pa.Table, expressions: Sequence[Expression]) -> pa.Table:
    """``rows`` with a column for each expression, under its name.

    A column belongs to all field groups that it was made of, those that are masked by default
    first; a mask of any of them hides it. Its metadata also keep the ``expression``. Give one side
    of a split at a time: windows look at all rows that they get.

    Raises InputError for a feature that the rows have already, or lack a column for.
    """
    made = rows
    for expression in expressions:
        if expression.name in made.column_names:
            raise InputError(
                f"There is a column {expression.name!r} already.", "Add every feature once."
            )
        made = made.append_column(_declared(expression), expression.evaluate(rows))
    return made


def _declared(expression: Expression) -> pa.Field:
    masked = [group for group in DEFAULT_MASKS if group in expression.groups]
    declared = field(expression.name, pa.float64(), *dict.fromkeys([*masked, *expression.groups]))
    return declared.with_metadata({**declared.metadata, EXPRESSION: str(expression).encode()})
