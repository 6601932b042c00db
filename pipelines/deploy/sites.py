"""Sites: which rows were seen where, and which of them each site keeps for its test."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.datasets.group_names import LADDER, group_names
from pipelines.datasets.groups import last_share, shuffled
from pipelines.datasets.keys import Codes, text_codes
from pipelines.errors import InputError

CLASSES = "classes"
# Of the Dirichlet distribution: the smaller, the more the classes of sites differ.
CONCENTRATION = 0.5


def shard_sites(
    rows: pa.Table, by: str, count: int | None = None, seed: int = 0
) -> dict[str, Codes]:
    """The rows of each site: name -> ascending row numbers.

    ``by`` a column or a split group (capture, host, day, site): a site for each value or, with
    ``count``, so many sites of about as many rows, no value cut. ``by="classes"`` makes ``count``
    sites that see different classes: of each class the sites get shares drawn from a Dirichlet
    distribution with ``seed``, flows whole (T.-M. H. Hsu et al., arXiv 1909.06335). A site may
    come out empty.

    Raises InputError for a column that is not there or has gaps, or a count that cannot be.
    """
    if by == CLASSES:
        return _by_classes(rows, count, seed)
    if by in LADDER:
        names, of_row = group_names(rows, by)
    else:
        names, of_row = _values(rows, by)
    if count is None:
        return {name: np.flatnonzero(of_row == place) for place, name in enumerate(names)}
    if not 1 <= count <= len(names):
        raise InputError(
            f"{count} sites cannot be made of {len(names)} values of {by!r}.",
            f"Give 1 to {len(names)}, or split by another column.",
        )
    return _numbered(_packed(of_row, count)[of_row], count)


def hold_out(
    rows: pa.Table, sites: Sequence[Codes], share: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Which rows are for test, shape (rows,): a ``share`` of each class's flows at each site.

    A flow is on one side wherever it was seen, so a model that learns from all sites has not
    learned the tests of any.
    """
    _, flow = group_names(rows, "flow")
    classes, label = text_codes(rows, "label")
    strata = [
        np.unique(flow[site][label[site] == number])
        for site in sites
        for number in range(len(classes))
    ]
    flows = int(flow.max(initial=-1)) + 1
    chosen = last_share(shuffled(flows, seed), [s for s in strata if len(s)], share)
    return np.asarray(chosen[flow])


def _values(rows: pa.Table, column: str) -> tuple[list[str], Codes]:
    if column not in rows.column_names:
        raise InputError(
            f"There is no column {column!r} to tell sites apart by.",
            f"Give {', '.join(LADDER)}, {CLASSES}, or a column of the rows.",
        )
    if rows[column].null_count:
        raise InputError(
            f"{rows[column].null_count:,} rows have no {column!r}, so their site is not known.",
            "Fill the column, or tell sites apart by another.",
        )
    return text_codes(pa.table({column: rows[column].cast(pa.string())}), column)


def _packed(of_row: Codes, count: int) -> Codes:
    """The site of each value: from the largest down, each goes where the fewest rows are."""
    sizes = np.bincount(of_row)
    site, filled = np.zeros(len(sizes), np.int64), np.zeros(count, np.int64)
    for value in np.argsort(-sizes, kind="stable"):
        site[value] = filled.argmin()
        filled[site[value]] += sizes[value]
    return site


def _by_classes(rows: pa.Table, count: int | None, seed: int) -> dict[str, Codes]:
    if count is None or count < 1:
        raise InputError(f"{count} sites cannot be drawn.", "Say how many sites there are.")
    random = np.random.default_rng(seed)
    classes, label = text_codes(rows, "label")
    _, flow = group_names(rows, "flow")
    class_of_flow = label[np.unique(flow, return_index=True)[1]]
    site_of_flow = np.zeros(len(class_of_flow), np.int64)
    for number in range(len(classes)):
        flows = random.permutation(np.flatnonzero(class_of_flow == number))
        shares = random.dirichlet(np.full(count, CONCENTRATION))
        ends = np.rint(np.cumsum(shares)[:-1] * len(flows)).astype(np.int64)
        for site, part in enumerate(np.split(flows, ends)):
            site_of_flow[part] = site
    return _numbered(site_of_flow[flow], count)


def _numbered(site_of_row: Codes, count: int) -> dict[str, Codes]:
    return {f"site {n + 1}": np.flatnonzero(site_of_row == n) for n in range(count)}
