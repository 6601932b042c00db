"""A language model as an author of synthetic rows: what it reads passes the wall, rows are data."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from agents.planners.llm.proposals import Said
from agents.spec import Sees
from agents.wall.names import Names
from pipelines.augment.asking import Cell, ColumnAsked, RowsAsked
from pipelines.errors import InputError
from pipelines.store.files import canonical_json, hash_text
from prompts import load_prompt

if TYPE_CHECKING:
    from agents.planners.llm.planner import Model

MOST_ROWS = 200


class RowsSaid(Said):
    """Rows as a model writes them: each the cells of the columns, in their order."""

    rows: list[list[float | str | None]] = Field(max_length=MOST_ROWS)


class ModelAuthor:
    """Writes rows by a language model, as far as the person lets it see.

    At ``schema`` it may see no range, so it cannot write; at ``stats`` it reads ranges alone; real
    rows stand in its prompts from ``redacted`` on, without masked columns and with safe names for
    texts. What it was asked before is answered from the run's record.
    """

    def __init__(self, model: "Model", sees: Sees) -> None:
        self._model = model
        self._sees = sees

    def write(self, asked: RowsAsked) -> list[list[Cell]]:
        """The rows of one answer.

        Raises LlmFailure if none came, BudgetSpent before a request too many, InputError if the
        model may see too little.
        """
        if self._sees == "schema":
            raise InputError(
                "A language model that may see no numbers cannot write rows.",
                "Let it see more (llm_sees: stats, or redacted for examples), or take another "
                "generator.",
            )
        shown = asked.examples if self._sees in ("redacted", "raw") else []
        values = {
            value for column in asked.columns for value in column.values if isinstance(value, str)
        }
        names = Names(
            {
                "class": {asked.label},
                "column": {column.name for column in asked.columns},
                "value": values,
            }
        )
        safe = {value: names.safe("value", value) for value in values}
        real = {shown: value for value, shown in safe.items()}
        messages = load_prompt("rows").messages(
            label=names.safe("class", asked.label),
            columns=[_column(column, names, safe) for column in asked.columns],
            examples=[_told(row, safe) for row in shown],
            drafts=[_told(row, safe) for row in asked.drafts],
            count=str(asked.count),
            request=f"{asked.seed}.{asked.round}.{asked.batch}",
        )
        place = f"augmentation/rows/{hash_text(canonical_json(messages))[:16]}"
        said = self._model.ask(RowsSaid, messages, place, lambda said: None)
        return [[_read(cell, real) for cell in row] for row in said.rows]


def _column(column: ColumnAsked, names: Names, safe: Mapping[str, str]) -> dict[str, Any]:
    name = names.safe("column", column.name)
    if column.values:
        return {"name": name, "values": _told(column.values, safe)}
    return {"name": name, "low": column.low, "high": column.high, "whole": column.whole}


def _told(row: Sequence[Cell], safe: Mapping[str, str]) -> list[Cell]:
    return [safe[cell] if isinstance(cell, str) else cell for cell in row]


def _read(cell: Cell, real: Mapping[str, str]) -> Cell:
    """A safe name as the data have it; any other word is refused by whoever reads the rows."""
    return real.get(cell, cell) if isinstance(cell, str) else cell
