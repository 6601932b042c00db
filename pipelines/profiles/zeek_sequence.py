"""How far each side of TCP connections got in its sequence space, and what it sent again."""

import numpy as np
from numpy.typing import NDArray

from pipelines.profiles.zeek_states import FIN, RST, SYN

# ``last_seq`` lies behind the furthest byte sent, ``reached`` is how far that is from the first
# payload byte (a FIN counts as a byte).
SEQUENCE = np.dtype([("begun", "?"), ("last_seq", "u4"), ("reached", "i8")], align=True)


def resent(
    records: np.ndarray,
    series: NDArray[np.intp],
    seq: NDArray[np.uint32],
    flags: NDArray[np.uint8],
    payload: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Which packets hold payload that ends no further than what their side sent before.

    ``records`` (runs, 2) of ``SEQUENCE`` are updated in place; ``series`` is 2 x run + direction of
    each packet. RSTs are outside the sequence space; a SYN begins it anew.
    """
    found = np.zeros(len(series), bool)
    inside = np.flatnonzero(flags & RST == 0)
    packets = inside[np.argsort(series[inside], kind="stable")]
    if not len(packets):
        return found
    run, way = np.divmod(series[packets], 2)
    is_head = np.append(True, series[packets[1:]] != series[packets[:-1]])
    before, is_syn = records[run, way], flags[packets] & SYN > 0
    length = payload[packets] + (flags[packets] & FIN > 0)
    end = (seq[packets] + length + is_syn).astype(np.uint32)
    fresh = is_syn | (is_head & ~before["begun"])
    last = np.where(is_head, before["last_seq"], np.roll(end, 1)).astype(np.uint32)
    advance = (end - last).view(np.int32).astype(np.int64)
    advance[fresh] = length[fresh]
    # Sums of the advances within each stretch: a stretch begins with a SYN or with the run.
    starts = np.flatnonzero(fresh | is_head)
    stretch = np.cumsum(fresh | is_head) - 1
    total = np.cumsum(advance)
    carried = np.where(fresh, 0, before["reached"])[starts]
    place = total - (total[starts] - advance[starts])[stretch] + carried[stretch]
    furthest = np.maximum(_running_maximum(place, stretch), carried[stretch])
    earlier = np.roll(furthest, 1)
    earlier[starts] = carried
    found[packets] = ~fresh & (payload[packets] > 0) & (place <= earlier)
    is_tail = np.roll(is_head, -1)
    behind = (furthest - place).astype(np.int64)[is_tail]
    tails = run[is_tail], way[is_tail]
    records["begun"][tails] = True
    records["reached"][tails] = furthest[is_tail]
    records["last_seq"][tails] = (end[is_tail].astype(np.int64) + behind).astype(np.uint32)
    return found


def _running_maximum(values: NDArray[np.int64], stretch: NDArray[np.intp]) -> NDArray[np.int64]:
    """The greatest value so far in each stretch: all are lifted above the stretch before."""
    distinct, ranks = np.unique(values, return_inverse=True)
    lift = stretch * len(distinct)
    return np.asarray(distinct[np.maximum.accumulate(ranks + lift) - lift])
