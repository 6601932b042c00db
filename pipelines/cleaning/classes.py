"""Classes with too few split groups to be tested, and classes that outweigh the others."""

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipelines.cleaning.kinds import FilterParams, Finding, Flags, Kind, Pool
from pipelines.datasets.group_names import Group
from pipelines.datasets.groups import group_rows, shuffled
from pipelines.datasets.keys import text_codes

TIMES = 10


class SmallClasses(FilterParams):
    """Which classes are small."""

    group: Group = Field(default="flow", description="The split group")
    groups: int = Field(default=2, ge=1, description="Fewer are too few")


class ClassImbalance(FilterParams):
    """How large a class may be."""

    times: float = Field(default=TIMES, ge=1, description="Times the rows of the median class")
    group: Group = Field(default="flow", description="What goes or stays as a whole")


def small_classes(rows: pa.Table, group: Group = "flow", groups: int = 2) -> Flags:
    """Rows of classes with fewer than ``groups`` groups."""
    grouping = group_rows(rows, group)
    small = [number for number, members in enumerate(grouping.members) if len(members) < groups]
    return np.isin(text_codes(rows, "label")[1], small)


def surplus(rows: pa.Table, times: float, group: Group, seed: int) -> Flags:
    """Rows by which classes exceed ``times`` the rows of the lower median class.

    Groups of a class leave whole, in a seeded order, as long as the class stays at its limit or
    above. A group that holds several classes stays.
    """
    grouping = group_rows(rows, group)
    labels = text_codes(rows, "label")[1]
    sizes = np.bincount(labels, minlength=len(grouping.classes))
    limit = times * lower_median(sizes)
    group_sizes = np.bincount(grouping.of_row, minlength=len(grouping.names))
    classes_in = np.bincount(np.concatenate(grouping.members), minlength=len(grouping.names))
    rank = shuffled(len(grouping.names), seed)
    leaves = np.zeros(len(grouping.names), bool)
    for label in np.flatnonzero(sizes > limit):
        own = grouping.members[label]
        own = own[classes_in[own] == 1]
        own = own[np.argsort(rank[own])]
        leaves[own[sizes[label] - np.cumsum(group_sizes[own]) >= limit]] = True
    return leaves[grouping.of_row]


def lower_median(sizes: np.ndarray) -> int:
    """The median of class sizes; of an even number the lower one, so that of two the smaller."""
    return int(np.sort(sizes)[(len(sizes) - 1) // 2]) if len(sizes) else 0


def _imbalance(pool: Pool, params: ClassImbalance) -> Finding:
    hit = surplus(pool.rows, params.times, params.group, pool.seed)
    sizes = np.bincount(text_codes(pool.rows, "label")[1])
    evidence = f"The largest class has {sizes.max() / sizes.min():,.0f} times the smallest's rows."
    return Finding(hit, evidence=evidence)


SMALL_CLASSES = Kind(
    name="small_classes",
    params=SmallClasses,
    find=lambda pool, params: Finding(small_classes(pool.rows, params.group, params.groups)),
    reason="A class with so few split groups cannot be on every side of a split.",
    recommended=lambda pool: True,
    defaults=lambda pool: {"group": pool.group, "groups": pool.groups},
)
CLASS_IMBALANCE = Kind(
    name="class_imbalance",
    params=ClassImbalance,
    find=_imbalance,
    reason="More rows than many times those of the median class: a seeded draw of whole groups "
    "would go. Models weigh classes evenly already, so this saves time rather than gains score.",
    defaults=lambda pool: {"times": TIMES, "group": pool.group},
)
