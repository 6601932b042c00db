"""What tools that learn from few labels have in common where families are absent from these."""

from typing import Any

from pydantic import Field

from pipelines.datasets.absent import Absent
from tools.design import TrainParams
from tools.spec import ToolContext


class LearnParams(TrainParams):
    absent: Absent = Field(
        default_factory=dict,
        description="Column -> values: no train row of them is learned from; rows that judge stay",
    )

    def learned(self, train: Any, per_class: int, context: ToolContext) -> Any:
        """The train rows without those of absent families.

        Raises InputError for a column or value that no side has, and if fewer than ``per_class``
        rows of a class are left.
        """
        from pipelines.datasets.absent import check_absent, without_absent
        from pipelines.store.rows import read_rows

        if not self.absent:
            return train
        check_absent(read_rows(context.artifact("split_rows")), self.absent)
        return without_absent(train, self.absent, per_class)
