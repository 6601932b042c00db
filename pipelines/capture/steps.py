"""All steps of the walk, and taking them until every packet is at its IP header or has none."""

import numpy as np

from pipelines.capture import link, shims, tunnel_headers, wireless
from pipelines.capture.headers import Rows, rows_where
from pipelines.capture.walk import IPV4_TYPE, IPV6_TYPE, NOT_CAPTURED, Steps, Types, Walk

STEPS: Steps = {**link.STEPS, **shims.STEPS, **wireless.STEPS, **tunnel_headers.STEPS}
# More headers than this below IP is an attack; the packet counts as not IP.
MOST_HEADERS = 16


def take_steps(walk: Walk) -> None:
    """Walk until ``types`` is an IP type, or a kind that has no step or a negative number."""
    for kind in distinct(walk.types):
        if kind in STEPS:
            _step(walk, kind, rows_where(walk.types == kind))
    rows = np.flatnonzero((walk.types != IPV4_TYPE) & (walk.types != IPV6_TYPE))
    for _ in range(MOST_HEADERS - 1):
        kinds = walk.types[rows]
        known = [kind for kind in distinct(kinds) if kind in STEPS]
        if not known:
            return
        for kind in known:
            _step(walk, kind, rows[kinds == kind])


def distinct(types: Types) -> list[int]:
    """The kinds that occur; a capture begins with one as a rule."""
    if len(types) and (types == types[0]).all():
        return [int(types[0])]
    return [int(kind) for kind in np.unique(types)]


def _step(walk: Walk, kind: int, rows: Rows) -> None:
    size, reader = STEPS[kind]
    # A header of no size of its own says by its first byte what follows.
    whole = walk.at[rows] + max(size, 1) <= walk.end[rows]
    if not whole.all():
        every = np.arange(len(walk.at))[rows]
        walk.types[every[~whole]] = NOT_CAPTURED
        rows = every[whole]
    start = np.array(walk.at[rows])
    walk.at[rows] = start + size
    walk.types[rows] = reader(walk, rows, start)
