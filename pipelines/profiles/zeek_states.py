"""Zeek's TCP state machine: what each side of a connection has done, and the conn_state of both.

After the definitions of Zeek's TCP analysis (``TCPSessionAdapter``) and of
``base/protocols/conn/main.zeek``. Zeek's exchange of the two roles is left out.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

# What an endpoint has done. CLOSED_RESET is a RST after its own FIN, which is RESET in Zeek.
INACTIVE, SYN_SENT, SYN_ACK_SENT, PARTIAL, ESTABLISHED, CLOSED, RESET, CLOSED_RESET = range(8)
STATES = 8
# Bits of a packet's code.
SYN, ACK, FIN, RST, DATA, RESPONDER = 1, 2, 4, 8, 16, 32
CODES = 64
UDP_STATES = np.array(["OTH", "S0", "SHR", "SF"])


def step(orig: int, resp: int, code: int) -> tuple[int, int]:
    """The states of originator and responder after a packet."""
    is_orig = not code & RESPONDER
    sender, peer = (orig, resp) if is_orig else (resp, orig)
    if sender == INACTIVE:
        sender, peer = _from_inactive(sender, peer, code, is_orig)
    elif sender in (SYN_SENT, SYN_ACK_SENT):
        sender = RESET if code & RST else CLOSED if code & FIN else sender
    elif sender in (ESTABLISHED, PARTIAL):
        sender, peer = _from_established(sender, peer, code)
    elif sender == CLOSED and code & RST and peer != CLOSED:
        sender = CLOSED_RESET
    return (sender, peer) if is_orig else (peer, sender)


def _from_inactive(sender: int, peer: int, code: int, is_orig: bool) -> tuple[int, int]:
    if code & SYN and is_orig:
        sender = SYN_ACK_SENT if code & ACK else SYN_SENT
    elif code & SYN:
        sender, peer = ESTABLISHED, ESTABLISHED if peer == SYN_SENT else peer
    if code & RST:
        return RESET, peer
    if code & FIN:
        return CLOSED, peer
    if sender != INACTIVE:
        return sender, peer
    if not is_orig and not code & DATA and peer == SYN_SENT:
        return INACTIVE, peer  # some acknowledge a SYN before they answer it
    return ESTABLISHED if code & ACK and peer == ESTABLISHED else PARTIAL, peer


def _from_established(sender: int, peer: int, code: int) -> tuple[int, int]:
    if code & SYN and not code & ACK and sender == PARTIAL and peer == INACTIVE:
        sender = SYN_SENT
    if code & RST:
        return RESET, peer
    if code & FIN:
        return CLOSED, CLOSED if peer == CLOSED_RESET else peer
    return sender, peer


def tcp_codes(flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The bits SYN, ACK, FIN and RST of a packet's code, from the TCP flags byte."""
    bits = ((0x02, SYN), (0x10, ACK), (0x01, FIN), (0x04, RST))
    return np.asarray(sum(((flags & flag) > 0) * np.uint8(bit) for flag, bit in bits))


@cache
def steps() -> NDArray[np.uint8]:
    """``step`` for all states and codes, shape (originator, responder, code, 2)."""
    table = np.zeros((STATES, STATES, CODES, 2), np.uint8)
    for orig, resp, code in np.ndindex(STATES, STATES, CODES):
        table[orig, resp, code] = step(orig, resp, code)
    return table


def advance(states: NDArray[np.uint8], run: NDArray[np.intp], codes: NDArray[np.uint8]) -> None:
    """Take ``states`` (runs, 2) through the packets of their runs, in place.

    Packets without SYN, FIN or RST only matter the first time their code occurs after one that has
    any, so all others are left out; what remains is stepped through one packet a run at a time.
    """
    table = steps()
    telling = np.flatnonzero(_is_telling(run, codes))
    run, codes = run[telling], codes[telling]
    if not len(run):
        return
    is_head = np.append(True, run[1:] != run[:-1])
    heads = np.flatnonzero(is_head)
    rank = np.arange(len(run)) - heads[np.cumsum(is_head) - 1]
    order = np.argsort(rank, kind="stable")
    for turn in np.split(order, np.flatnonzero(np.diff(rank[order])) + 1):
        orig, resp = states[run[turn], 0], states[run[turn], 1]
        states[run[turn]] = table[orig, resp, codes[turn]]


def _is_telling(run: NDArray[np.intp], codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    control = (codes & (SYN | FIN | RST)) > 0
    stretch = np.cumsum(control) + run  # grows with every control packet and every run
    _, first = np.unique(stretch * CODES + codes, return_index=True)
    telling = control.copy()
    telling[first] = True
    return telling


def conn_state(
    states: NDArray[np.uint8], sizes: NDArray[np.int64], history: list[str]
) -> list[str]:
    """The conn_state of TCP connections from the states and payload sizes of both sides."""
    quiet = (sizes == 0).all(axis=1).tolist()
    return [
        _conn_state(orig, resp, no_data, letters)
        for (orig, resp), no_data, letters in zip(states.tolist(), quiet, history, strict=True)
    ]


def _conn_state(orig: int, resp: int, no_data: bool, history: str) -> str:
    orig, resp = (RESET if state == CLOSED_RESET else state for state in (orig, resp))
    orig_silent, resp_silent = (state in (INACTIVE, PARTIAL) for state in (orig, resp))
    if resp == RESET:
        if orig in (SYN_SENT, SYN_ACK_SENT) or (orig == RESET and no_data):
            return "REJ"
        return "RSTRH" if orig_silent else "RSTR"
    if orig == RESET:
        if not resp_silent:
            return "RSTO"
        return "RSTOS0" if _is_abandoned(history) else "OTH"
    if orig == resp == CLOSED:
        return "SF"
    if orig == CLOSED:
        return "SH" if resp_silent else "S2"
    if resp == CLOSED:
        return "SHR" if orig_silent else "S3"
    if orig == SYN_SENT and resp == INACTIVE:
        return "S0"
    return "S1" if orig == resp == ESTABLISHED else "OTH"


def _is_abandoned(history: str) -> bool:
    """A SYN and later a RST of the originator, and no other letter of its own between them."""
    before, _, _ = history.partition("R")
    return history.startswith("S") and "R" in history and not set(before) & set("HAFGIQ")


def udp_state(packets: NDArray[np.int64]) -> NDArray[np.str_]:
    """The conn_state of UDP: who has sent anything, shape (flows, 2) of packets."""
    sent = packets > 0
    return np.asarray(UDP_STATES[sent[:, 0] + 2 * sent[:, 1]])
