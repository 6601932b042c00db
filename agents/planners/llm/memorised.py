"""A language model is asked for the rest of rows whose first cells it reads: has it seen them?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from agents.budget import BudgetSpent
from agents.llm.failures import UNUSABLE, Fault, LlmFailure
from agents.planners.llm.proposals import Said
from agents.spec import Sees
from agents.wall.names import Names
from pipelines.augment.asking import Cell
from pipelines.augment.memorisation import Half
from pipelines.errors import InputError
from pipelines.progress import Progress, silent
from pipelines.store.files import canonical_json, hash_text
from prompts import load_prompt

if TYPE_CHECKING:
    from agents.planners.llm.planner import Model

MOST_CELLS = 1000
# Of the model and not of the way to it: it does not know the row.
NO_ANSWER: tuple[Fault, ...] = (*UNUSABLE, "refusal", "too_large")


class RestSaid(Said):
    """The cells of a row that follow those that were shown, in their order."""

    cells: list[float | str | None] = Field(max_length=MOST_CELLS)


def check_sees(sees: Sees) -> None:
    """Raises InputError where no record may be shown to a model."""
    if sees not in ("redacted", "raw"):
        raise InputError(
            f"A language model that sees no records (llm_sees: {sees}) cannot complete one.",
            "Let it see some: llm_sees: redacted (or raw) in the spec, or --set llm_sees=redacted.",
        )


class Completer:
    """Asks a model for the rest of rows. ``ended`` says why it stopped before the last one.

    Columns and texts have safe names; a text that comes back may be the safe or the real one.
    """

    def __init__(self, model: "Model", sees: Sees) -> None:
        """Raises InputError if the model may see no records."""
        check_sees(sees)
        self.ended = ""
        self._model = model

    def complete(
        self, halves: Sequence[Half], progress: Progress = silent
    ) -> list[list[Cell] | None]:
        """The cells of each row that was asked about, None where the answer could not be used.

        Fewer than ``halves`` if the budget or the server ended in the middle. Raises BudgetSpent or
        LlmFailure if not one row was answered for.
        """
        texts = {cell for half in halves for cell in half.cells if isinstance(cell, str)}
        columns = {name for half in halves for name in (*half.columns, *half.asked)}
        names = Names({"column": columns, "value": texts})
        real = {names.safe("value", text): text for text in texts}
        answers: list[list[Cell] | None] = []
        for half in halves:
            progress("rows completed", len(answers), len(halves), "rows")
            try:
                said = self._ask(half, names)
            except (BudgetSpent, LlmFailure) as error:
                if not answers:
                    raise
                self.ended = str(error)
                break
            answers.append(
                said and [real.get(cell, cell) if isinstance(cell, str) else cell for cell in said]
            )
        return answers

    def _ask(self, half: Half, names: Names) -> list[Cell] | None:
        messages = load_prompt("memorised").messages(
            shown=_csv(half, names), asked=[names.safe("column", name) for name in half.asked]
        )
        place = f"memorised/{hash_text(canonical_json(messages))[:16]}"
        try:
            return self._model.ask(RestSaid, messages, place, lambda said: None).cells
        except LlmFailure as failure:
            if failure.fault in NO_ANSWER:
                return None
            raise


def _csv(half: Half, names: Names) -> str:
    """A head and a line; safe names hold no comma."""
    head = ",".join(names.safe("column", name) for name in half.columns)
    return f"{head}\n{','.join(_written(cell, names) for cell in half.cells)}"


def _written(cell: Cell, names: Names) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return names.safe("value", cell)
    return str(int(cell)) if cell == int(cell) else repr(float(cell))
