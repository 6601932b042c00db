"""The synthetic rows of a run: how many, by which generator, and what the gate says of them."""

from pydantic import BaseModel


class MadeRows(BaseModel):
    """Rows that models learn from beside the real ones of the train side.

    ``amount``: rows to each real one that were asked for. ``screened_out``: rows left out because
    their label is doubted, or was called wrong. ``notes``: why others are not there. ``gate``: its
    verdict.
    """

    arm: str
    amount: float
    rows: int
    screened_out: int
    train_rows: int
    notes: list[str]
    gate: str

    @property
    def words(self) -> str:
        """What was made, in two sentences."""
        out = self.screened_out
        doubted = f"; {out:,} others were left out for their label" if out else ""
        return (
            f"{self.rows:,} rows made by {self.arm} stand beside {self.train_rows:,} real ones on "
            f"the train side{doubted}. Validation and test hold real rows only."
        )
