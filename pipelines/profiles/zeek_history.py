"""Zeek's history of a TCP connection, letter by letter, for many connections at once.

Letters and when they are recorded are those of ``base/protocols/conn/main.zeek``: S H A D F R I Q,
T (a retransmission) and W (a zero window) of the originator, small ones of the responder. T and W
stand for the 1st, 10th, 100th... occurrence.
"""

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.flow_state import Runs
from pipelines.profiles.open_flows import within_runs
from pipelines.profiles.zeek_sequence import SEQUENCE, resent
from pipelines.profiles.zeek_states import ACK, FIN, RST, SYN

# Letters whose occurrences are counted: some are recorded once, some at powers of ten.
COUNTED = "DAIQWT"
ONCE = "DAIQ"
# Packets of these are recorded again if their sequence number is another than the one before.
CONTROL = (SYN, FIN, RST)
RECORD = np.dtype(
    [
        ("counts", "i8", (2, len(COUNTED))),
        ("control", "?", (2, len(CONTROL))),
        ("control_seq", "u4", (2, len(CONTROL))),
        ("closed", "?", 2),  # sent a FIN
        ("reset", "?", 2),  # sent a RST
        ("sequence", SEQUENCE, 2),
    ],
    align=True,
)
POWERS = 10 ** np.arange(18)
SMALL = 32  # ASCII: from a capital letter to the small one

Packets = NDArray[np.intp]
# Packets and the letter of each (ASCII).
Events = tuple[Packets, np.ndarray]


def update_history(
    records: np.ndarray, runs: Runs, flags: NDArray[np.uint8], payload: NDArray[np.int64]
) -> dict[int, str]:
    """What the runs add to the histories of their connections: run -> letters.

    ``records`` are updated in place. ``flags`` are the SYN, ACK, FIN and RST bits of
    ``zeek_states``, ``payload`` lengths in bytes.
    """
    series = runs.run * 2 + runs.backward
    letters = _letters(flags, payload)
    peer_closed, is_reset = _earlier(records, runs, flags)
    again = resent(records["sequence"], series, runs.column("tcp_seq"), flags, payload) & ~is_reset
    zero = (runs.column("tcp_window") == 0) & (flags & RST == 0) & ~peer_closed & ~is_reset
    kept = _new_control(records, series, flags, payload, runs.column("tcp_seq"))
    for letter in ONCE:
        kept[_new_counted(records, letter, series, np.flatnonzero(letters == ord(letter)))] = True
    windows = _new_counted(records, "W", series, np.flatnonzero(zero))
    resends = _new_counted(records, "T", series, np.flatnonzero(again))
    events: list[Events] = [
        (np.flatnonzero(kept), letters[kept]),
        (windows, np.full(len(windows), ord("W"))),
        (resends, np.full(len(resends), ord("T"))),
    ]
    return _spelled(events, runs)


def _letters(flags: NDArray[np.uint8], payload: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The letter of each packet (ASCII), 0 for one that has none."""
    control, acks = flags & (SYN | FIN | RST), (flags & ACK) > 0
    fin_rst = (control & (FIN | RST)) == FIN | RST
    several = (control & (control - 1)) > 0
    plain = control == 0
    choices = {
        "I": several & fin_rst,
        "Q": several,
        "H": (control == SYN) & acks,
        "S": control == SYN,
        "F": control == FIN,
        "R": control == RST,
        "D": plain & (payload > 0),
        "A": plain & acks,
    }
    return np.select(list(choices.values()), [ord(c) for c in choices], 0).astype(np.uint8)


def _earlier(
    records: np.ndarray, runs: Runs, flags: NDArray[np.uint8]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether before each packet its peer had sent a FIN, and its sender a RST."""
    peer_closed, is_reset = np.zeros(len(flags), bool), np.zeros(len(flags), bool)
    for way in (0, 1):
        sent = runs.backward == bool(way)
        for bit, name, concerned, marks in (
            (FIN, "closed", ~sent, peer_closed),
            (RST, "reset", sent, is_reset),
        ):
            has = sent & (flags & bit > 0)
            before = within_runs(has.astype(np.int64), runs.run) - has
            marks[concerned] = ((before > 0) | records[name][runs.run, way])[concerned]
            records[name][runs.run[has], way] = True
    return peer_closed, is_reset


def _new_control(
    records: np.ndarray,
    series: Packets,
    flags: NDArray[np.uint8],
    payload: NDArray[np.int64],
    seq: NDArray[np.uint32],
) -> NDArray[np.bool_]:
    """Packets with only SYN, FIN or RST that do not repeat the one before of their kind."""
    kept = np.zeros(len(flags), bool)
    for index, bit in enumerate(CONTROL):
        packets = np.flatnonzero(flags & (SYN | FIN | RST) == bit)
        packets = packets[np.argsort(series[packets], kind="stable")]
        if not len(packets):
            continue
        # The number of a FIN lies behind the payload that it comes with.
        number = (seq[packets] + (payload[packets] if bit == FIN else 0)).astype(np.uint32)
        run, way = np.divmod(series[packets], 2)
        is_head = np.append(True, series[packets[1:]] != series[packets[:-1]])
        last = np.where(is_head, records["control_seq"][run, way, index], np.roll(number, 1))
        known = ~is_head | records["control"][run, way, index]
        kept[packets[~known | (number != last)]] = True
        is_tail = np.roll(is_head, -1)
        records["control_seq"][run[is_tail], way[is_tail], index] = number[is_tail]
        records["control"][run, way, index] = True
    return kept


def _new_counted(records: np.ndarray, letter: str, series: Packets, packets: Packets) -> Packets:
    """Those of ``packets`` that are recorded, after how often their letter has occurred."""
    index = COUNTED.index(letter)
    packets = packets[np.argsort(series[packets], kind="stable")]
    if not len(packets):
        return packets
    run, way = np.divmod(series[packets], 2)
    is_head = np.append(True, series[packets[1:]] != series[packets[:-1]])
    heads = np.flatnonzero(is_head)
    rank = np.arange(len(packets)) - heads[np.cumsum(is_head) - 1] + 1
    count = rank + records["counts"][run, way, index]
    np.add.at(records["counts"], (run, way, np.full(len(run), index)), 1)
    return packets[count == 1 if letter in ONCE else np.isin(count, POWERS)]


def _spelled(events: list[Events], runs: Runs) -> dict[int, str]:
    """Events in the order of packets and, within one, as listed; in small letters if backward."""
    packets = np.concatenate([where for where, _ in events])
    letters = np.concatenate([what for _, what in events])
    order = np.argsort(packets, kind="stable")
    packets, letters = packets[order], letters[order]
    letters = np.where(runs.backward[packets], letters + SMALL, letters).astype(np.uint8)
    text, run = letters.tobytes().decode(), runs.run[packets]
    starts = np.flatnonzero(np.diff(run, prepend=-1))
    stops = np.append(starts[1:], len(run))
    return {
        int(run[start]): text[start:stop]
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=False)
    }
