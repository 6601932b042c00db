"""What tools read of a run's data: sides of its split, made rows beside them, derived columns."""

import json
from collections.abc import Iterator
from typing import Any

from tools.spec import ToolContext

SYNTHETIC = "synthetic"
FEATURES = "features"


def split_sides(context: ToolContext, *sides: Any) -> Iterator[Any]:
    """The rows of each side of the run's split, after proving again that the split is clean."""
    from pipelines.datasets.split_manifest import Split
    from pipelines.store.rows import read_rows

    rows = read_rows(context.artifact("split_rows"))
    split = Split.load(context.artifact("split"))
    split.check(rows)
    for side in sides:
        yield rows.take(split.rows_on(side))


def count_on(context: ToolContext, *sides: Any) -> int:
    """How many rows of the run's split are on these sides."""
    from pipelines.datasets.split_manifest import Split

    return len(Split.load(context.artifact("split")).rows_on(*sides))


CHOSEN_WITHIN = (
    "No group was left for validation, so models were chosen on flows of the training groups: "
    "the choice is less sure than the test score."
)


def sides_to_choose_by(context: ToolContext) -> tuple[Any, Any, list[str]]:
    """Train and validation rows; flows of train stand in for a validation side that is empty."""
    from pipelines.datasets.splits import VALIDATION_SHARE, make_split

    train, validation = split_sides(context, "train", "validation")
    if validation.num_rows:
        return train, validation, []
    within = make_split(train, "flow", VALIDATION_SHARE, validation=0, seed=context.seed)
    return train.take(within.rows_on("train")), train.take(within.rows_on("test")), [CHOSEN_WITHIN]


def with_synthetic(train: Any, context: ToolContext) -> Any:
    """The train rows, and behind them those that the augmentation stage made."""
    from pyarrow import concat_tables

    from pipelines.store.rows import read_rows

    if SYNTHETIC not in context.inputs:
        return train
    made = read_rows(context.artifact(SYNTHETIC))
    return concat_tables([train, made.select(train.column_names).cast(train.schema)])


def features_of(context: ToolContext) -> list[str]:
    """The derived columns that models read in this run, as texts; none where none was kept."""
    if FEATURES not in context.inputs:
        return []
    kept = json.loads((context.artifact(FEATURES) / "features.json").read_text())["kept"]
    return [str(text) for text in kept]
