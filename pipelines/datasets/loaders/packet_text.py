"""TrafficLLM's text of a packet or flow, read and written without a loss.

A packet is ``name: value, name: value, ...`` with tshark's field names; a flow is the hexadecimal
bytes of its first packets, each behind ``<pck>``, or their lengths with blanks between.
"""

import re
from collections.abc import Sequence

PACKET_MARK = "<packet>:"
FLOW_MARK = "<pck>"
FIELD = re.compile(r"(?:^|, )([a-z][a-z0-9_]*(?:\.[a-zA-Z0-9_]+)+): ?")
LENGTHS = re.compile(r"-?\d+( -?\d+)*")
Fields = list[tuple[str, str]]


def split_instruction(text: str) -> tuple[str, str]:
    """The task in words and the traffic behind ``<packet>:``; no traffic if the mark is absent."""
    task, mark, traffic = text.partition(f"\n{PACKET_MARK}")
    if not mark and text.startswith(PACKET_MARK):
        task, traffic = "", text.removeprefix(PACKET_MARK)
    return task.strip(), traffic.removeprefix(" ")


def join_instruction(task: str, traffic: str) -> str:
    """The opposite of ``split_instruction``."""
    return f"{task}\n{PACKET_MARK} {traffic}"


def parse_packet(text: str) -> Fields:
    """The fields of a packet in their order; values may hold commas. Empty if there is none."""
    found = list(FIELD.finditer(text))
    ends = [*(match.start() for match in found[1:]), len(text)]
    return [(match[1], text[match.end() : end]) for match, end in zip(found, ends, strict=False)]


def packet_text(fields: Sequence[tuple[str, str]]) -> str:
    """The opposite of ``parse_packet``."""
    return ", ".join(f"{name}: {value}" for name, value in fields)


def parse_flow(text: str) -> list[str]:
    """The hexadecimal bytes of each packet of a flow."""
    return [part.strip() for part in text.split(FLOW_MARK)[1:]]


def flow_text(packets: Sequence[str]) -> str:
    """The opposite of ``parse_flow``."""
    return "".join(FLOW_MARK + packet for packet in packets)


def payload_start(frame: str) -> int:
    """Where the payload of a frame in hexadecimal begins, as a place in the text.

    0 for what does not begin with Ethernet and IP: the release also writes payloads alone.
    """
    kind = frame[24:28].lower()
    if kind == "0800" and frame[28:29] == "4" and len(frame) >= 68:
        network, protocol = 28 + 8 * int(frame[29], 16), frame[46:48]
    elif kind == "86dd" and frame[28:29] == "6" and len(frame) >= 108:
        network, protocol = 28 + 80, frame[40:42]
    else:
        return 0
    if protocol == "06":
        words = frame[network + 24 : network + 25] or "5"
        return network + 8 * int(words, 16)
    return network + (16 if protocol == "11" else 0)
