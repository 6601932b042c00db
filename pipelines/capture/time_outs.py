"""When flows end: the passing of time between two packets, and flows that grow too old."""

import numpy as np
from numpy.typing import NDArray


def latest_after(
    times: NDArray[np.int64], before: NDArray[np.intp], until: NDArray[np.intp]
) -> NDArray[np.int64]:
    """The latest of ``times[before + 1 : until + 1]`` for each pair of ``before < until``.

    Where time never runs backwards that is ``times[until]``; else a table of the maxima of all
    stretches of 1, 2, 4... entries answers, two stretches a pair.
    """
    if (times[1:] >= times[:-1]).all():
        return times[until]
    maxima = [times]
    while (step := 1 << (len(maxima) - 1)) * 2 <= len(times):
        longer = maxima[-1].copy()
        longer[:-step] = np.maximum(longer[:-step], maxima[-1][step:])
        maxima.append(longer)
    level = np.frexp(until - before)[1] - 1
    table = np.stack(maxima)
    latest: NDArray[np.int64] = np.maximum(
        table[level, before + 1], table[level, until + 1 - (1 << level)]
    )
    return latest


def cut_long(
    begins: NDArray[np.bool_],
    is_head: NDArray[np.bool_],
    times: NDArray[np.int64],
    first: NDArray[np.int64],
    active: int,
) -> None:
    """Begin a flow at each packet that comes ``active`` or more after its flow's first, in place.

    ``first`` holds the time of the flow's first packet where a flow or a 5-tuple begins.
    """
    starts = np.flatnonzero(begins | is_head)
    run = np.cumsum(begins | is_head) - 1
    too_long = times - first[starts][run] >= active
    stops = np.append(starts[1:], len(times))
    for number in np.unique(run[too_long]).tolist():
        start, stop = int(starts[number]), int(stops[number])
        began = int(first[start])
        for row, time in enumerate(times[start:stop].tolist(), start):
            if time - began >= active:
                begins[row], began = True, time
