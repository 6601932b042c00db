"""Train, validation and test sides on which no split group appears twice.

Every way of splitting is the same walk: put the groups in an order (time, or a seeded shuffle),
give the last share of each class to test and the last share of what is left to validation.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.datasets.group_names import group_of_split
from pipelines.datasets.groups import (
    Grouping,
    calendar_order,
    calendar_strata,
    group_rows,
    last_share,
    linked_groups,
    named,
    shuffled,
    time_order,
    time_strata,
)
from pipelines.datasets.keys import Codes, text_codes
from pipelines.datasets.split_manifest import (
    SIDES,
    Proof,
    Side,
    Size,
    Split,
    SplitManifest,
    groups_on_two_sides,
    row_order,
)
from pipelines.errors import InputError
from pipelines.words import counted

By = Literal["time", "capture", "flow", "row", "host", "day", "site"]
WAYS: tuple[By, ...] = get_args(By)
TRAIN, VALIDATION, TEST = range(len(SIDES))
VALIDATION_SHARE = 0.2


def make_split(
    rows: pa.Table,
    by: By,
    test: float,
    validation: float = VALIDATION_SHARE,
    seed: int = 0,
) -> Split:
    """Draw a split.

    ``by``: ``time`` tests on the latest flows of each class, ``flow`` on flows drawn with
    ``seed``; ``row`` is the same for tables, whose column ``flow`` names equal records.
    ``capture``, ``host`` and ``site`` test on whole ones of each class, ``day`` on the latest
    UTC days. ``test`` is a share of each class's groups, ``validation`` a share of the groups
    left to train.

    Raises InputError for a share outside its range, rows that do not say what their group is, a
    class in one group only, or classes so small that nothing is left to test.
    """
    check_shares(test, validation)
    if by not in WAYS:
        raise InputError(f"{by!r} is no way to split.", f"There are: {', '.join(WAYS)}.")
    grouping = group_rows(rows, group_of_split(by))
    drawn = linked_groups(rows, grouping)
    if grouping.column != "flow":
        refuse_single_groups(grouping, drawn)
    order, strata, share, warnings = _order(rows, drawn, by, test, seed)
    on_test = last_share(order, strata, share)
    side = np.where(on_test, np.int8(TEST), np.int8(TRAIN))
    side = with_validation(side, order, strata, validation)
    if not on_test.any():
        raise InputError(
            f"No class has two {group_word(by, grouping)}s, so nothing can be held out for test.",
            "Give more captures, or a separate test source.",
        )
    return finish(rows, grouping, side[drawn.of_row], by, test, validation, seed, warnings)


def _order(
    rows: pa.Table, drawn: Grouping, by: By, test: float, seed: int
) -> tuple[Codes, list[Codes], float, list[str]]:
    """The rank of every group, the strata of which the last share is held out, and that share."""
    if by == "time":
        strata, warnings = time_strata(rows, drawn)
        return time_order(rows, drawn), strata, test, warnings
    if by == "day":
        return calendar_order(drawn), *calendar_strata(drawn, test)
    return shuffled(len(drawn.names), seed), drawn.members, test, []


def draw_rows(rows: pa.Table, per_class: int, draws: int, seed: int = 0) -> list[Codes]:
    """Draw small training sets from the train rows, for a study of few labels.

    Returns ``draws`` arrays of row positions, each with ``per_class`` different rows of every
    class, ascending. Raises InputError if a class has fewer rows.
    """
    classes, labels = text_codes(rows, "label")
    pools = [np.flatnonzero(labels == number) for number in range(len(classes))]
    pools = [pool for pool in pools if len(pool)]
    small = [classes[labels[pool[0]]] for pool in pools if len(pool) < per_class]
    if small or per_class < 1 or draws < 1:
        raise InputError(
            f"Cannot draw {counted(per_class, 'train row')} a class {counted(draws, 'time')}"
            + (f": too few in {named(small)}." if small else "."),
            "Lower sample.per_class or leave these classes out.",
        )
    chosen = []
    for draw in range(draws):
        random = np.random.default_rng([seed, draw])
        picks = [random.choice(pool, per_class, replace=False) for pool in pools]
        chosen.append(np.sort(np.concatenate(picks)))
    return chosen


def check_shares(test: float, validation: float) -> None:
    """Raise InputError unless both shares leave something to train on."""
    if not 0 < test < 1:
        raise InputError(f"The test share is {test}.", "Give a share above 0 and below 1.")
    if not 0 <= validation < 1:
        raise InputError(f"The validation share is {validation}.", "Give 0 or a share below 1.")


def with_validation(
    side: npt.NDArray[np.int8], rank: Codes, strata: list[Codes], share: float
) -> npt.NDArray[np.int8]:
    """Move the last ``share`` of each stratum's train groups to validation."""
    left = [groups[side[groups] == TRAIN] for groups in strata]
    return np.where(last_share(rank, left, share), np.int8(VALIDATION), side)


def refuse_single_groups(grouping: Grouping, drawn: Grouping) -> None:
    """Raise InputError if a class lives in one group: it cannot be both learned and tested.

    ``drawn``: the groups with those joined that share flows.
    """
    word = grouping.column
    single = [
        (name, groups)
        for name, groups, joined in zip(
            grouping.classes, grouping.members, drawn.members, strict=True
        )
        if len(joined) < 2
    ]
    if not single:
        return
    names = named([f"{name} ({_seen_on(grouping, groups)})" for name, groups in single])
    raise InputError(
        f"{len(single)} of {counted(len(grouping.classes), 'class', 'classes')} cannot be split by "
        f"{word}, each seen on one {word} only: {names}.",
        f"Add {word}s of these classes, leave them out, or split by something less strict "
        "(flow, or time).",
    )


def _seen_on(grouping: Grouping, groups: Codes) -> str:
    if len(groups) == 1:
        name: str = grouping.names[groups[0]]
        return name
    return f"{len(groups)} {grouping.column}s that share flows"


def finish(
    rows: pa.Table,
    grouping: Grouping,
    side: npt.NDArray[np.int8],
    by: str,
    test: float | None,
    validation: float,
    seed: int,
    warnings: Sequence[str] = (),
) -> Split:
    """Write down the split with its sizes, its groups and its proof."""
    sizes = side_sizes(rows, grouping, side)
    of_group = np.zeros(len(grouping.names), np.int8)
    of_group[grouping.of_row] = side
    names = np.array(grouping.names, object)
    document = SplitManifest(
        by=by,
        group=grouping.column,
        test=test,
        validation=validation,
        seed=seed,
        rows=len(side),
        row_order_sha256=row_order(rows),
        sizes=sizes,
        proof=Proof(
            groups_on_two_sides=groups_on_two_sides(grouping.of_row, side),
            checked=len(grouping.names),
        ),
        warnings=[
            *warnings,
            *split_warnings(grouping, sizes, validation, group_word(by, grouping)),
        ],
        groups={name: names[of_group == number].tolist() for number, name in enumerate(SIDES)},
    )
    split = Split(side.astype(np.int8), document)
    split.check(rows)
    return split


def side_sizes(
    rows: pa.Table, grouping: Grouping, side: npt.NDArray[np.int8]
) -> dict[Side, dict[str, Size]]:
    """Rows and groups of every class on every side."""
    _, labels = text_codes(rows, "label")
    shape = (len(SIDES), len(grouping.classes))
    cells = side.astype(np.int64) * shape[1] + labels
    counts = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    of_group = np.zeros(len(grouping.names), np.int8)
    of_group[grouping.of_row] = side
    groups = [np.bincount(of_group[m], minlength=len(SIDES)) for m in grouping.members]
    return {
        name: {
            label: Size(rows=int(counts[number, column]), groups=int(groups[column][number]))
            for column, label in enumerate(grouping.classes)
        }
        for number, name in enumerate(SIDES)
    }


def group_word(by: str, grouping: Grouping) -> str:
    """What to call a split group: the records of a table are no flows, whatever the column."""
    return f"{'row' if by == 'row' else grouping.column} group"


def split_warnings(
    grouping: Grouping, sizes: dict[Side, dict[str, Size]], validation: float, group: str
) -> list[str]:
    """Name the classes that a side misses, and why their scores mean little."""
    missing = {
        side: [label for label in grouping.classes if not sizes[side][label].rows] for side in SIDES
    }
    warnings = []
    if missing["train"]:
        warnings.append(f"Not in train, so never learned: {named(missing['train'])}.")
    if missing["test"]:
        warnings.append(f"Not in test, so without a score: {named(missing['test'])}.")
    if validation and missing["validation"]:
        warnings.append(f"Too few {group}s for validation: {named(missing['validation'])}.")
    pairs = [
        label
        for label, groups in zip(grouping.classes, grouping.members, strict=True)
        if len(groups) == 2
    ]
    if pairs:
        warnings.append(f"Two {group}s only, one to learn from and one to test: {named(pairs)}.")
    return warnings
