"""Rules for flows and packets of captures: what contradicts itself, and what no host sends."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipelines.cleaning.kinds import Flags
from pipelines.cleaning.rules import IMPOSSIBLE, ODD, Rule
from pipelines.datasets.keys import matrix, numbers

TCP, UDP = 6, 17
SYN, FIN = 2, 1
WAYS = ("bidirectional", "src2dst", "dst2src")
SHORTEST_PACKET = 20  # an IPv4 header
CLOSE = 1e-6  # of a mean: what adding in another order may change
MAPPED = bytes(10) + b"\xff\xff"


def flow_rules() -> Iterator[Rule]:
    """Every rule; those of statistics need flow rows, the others read packet rows too."""
    yield from _consistency()
    yield from _addressing()
    for way in WAYS:
        yield from _statistics(way)


def _consistency() -> Iterator[Rule]:
    yield Rule(
        "it ends before it begins",
        IMPOSSIBLE,
        ("first_seen_ns", "last_seen_ns"),
        lambda rows: numbers(rows, "last_seen_ns") < numbers(rows, "first_seen_ns"),
    )
    yield Rule(
        "it has no packets",
        IMPOSSIBLE,
        ("bidirectional_packets",),
        lambda rows: numbers(rows, "bidirectional_packets") <= 0,
    )
    for what in ("packets", "bytes"):
        yield Rule(
            f"the {what} of its directions do not add up",
            IMPOSSIBLE,
            tuple(f"{way}_{what}" for way in WAYS),
            lambda rows, what=what: (  # type: ignore[misc]
                numbers(rows, f"src2dst_{what}") + numbers(rows, f"dst2src_{what}")
                != numbers(rows, f"bidirectional_{what}")
            ),
        )
    yield Rule(
        "a packet carries more payload than it is long",
        IMPOSSIBLE,
        ("packet_length", "payload_length"),
        _payload_too_long,
    )
    yield Rule("a gap between packets is negative", IMPOSSIBLE, ("packet_gap_us",), _negative_gap)
    yield Rule(
        "it has TCP flags but is not TCP",
        IMPOSSIBLE,
        ("packet_flags", "protocol"),
        lambda rows: matrix(rows, "packet_flags").any(axis=1) & (numbers(rows, "protocol") != TCP),
    )


def _addressing() -> Iterator[Rule]:
    yield Rule("SYN and FIN are in one packet", ODD, ("packet_flags",), _syn_and_fin)
    yield Rule(
        "its first packet is TCP without any flag",
        ODD,
        ("packet_flags", "protocol", "src_port"),
        # without ports it is a fragment, whose header nobody saw
        lambda rows: (
            (matrix(rows, "packet_flags")[:, 0] == 0)
            & (numbers(rows, "protocol") == TCP)
            & (numbers(rows, "src_port") != 0)
        ),
    )
    yield Rule("it came with a TTL of zero", ODD, ("src2dst_ttl", "dst2src_ttl"), _ttl_zero)
    yield Rule(
        "a port of TCP or UDP is zero", ODD, ("src_port", "dst_port", "protocol"), _port_zero
    )
    yield Rule(
        "its sender is a multicast or broadcast address",
        ODD,
        ("src_ip",),
        lambda rows: is_group_address(matrix(rows, "src_ip")),
    )
    yield Rule(
        "it comes from where it goes to",
        ODD,
        ("src_ip", "dst_ip"),
        lambda rows: (
            np.all(matrix(rows, "src_ip") == matrix(rows, "dst_ip"), axis=1)
            & ~is_loopback(matrix(rows, "src_ip"))
            & matrix(rows, "src_ip").any(axis=1)
        ),
    )
    yield Rule(
        "its addresses are not of its IP version",
        IMPOSSIBLE,
        ("ip_version", "src_ip", "dst_ip"),
        lambda rows: (
            (numbers(rows, "ip_version") == 4)
            & ~(is_ipv4(matrix(rows, "src_ip")) & is_ipv4(matrix(rows, "dst_ip")))
        ),
    )


def _statistics(way: str) -> Iterator[Rule]:
    packets, size = f"{way}_packets", f"{way}_bytes"
    name = {"bidirectional": "", "src2dst": " from its sender", "dst2src": " to its sender"}[way]
    yield Rule(
        f"its bytes{name} are fewer than the headers of its packets",
        IMPOSSIBLE,
        (packets, size),
        lambda rows: numbers(rows, size) < SHORTEST_PACKET * numbers(rows, packets),
    )
    yield Rule(
        f"it lasts less than no time{name}",
        IMPOSSIBLE,
        (f"{way}_duration_ms",),
        lambda rows: numbers(rows, f"{way}_duration_ms") < 0,
    )
    for kind, what in (("ps", "packet sizes"), ("piat_ms", "gaps")):
        columns = tuple(f"{way}_{part}_{kind}" for part in ("min", "mean", "max"))
        yield Rule(
            f"minimum, mean and maximum of its {what}{name} are out of order",
            IMPOSSIBLE,
            columns,
            lambda rows, columns=columns: out_of_order(  # type: ignore[misc]
                *(numbers(rows, column) for column in columns)
            ),
        )
    yield Rule(
        f"a gap{name} is longer than the whole",
        IMPOSSIBLE,
        (f"{way}_max_piat_ms", f"{way}_duration_ms"),
        lambda rows: (
            numbers(rows, f"{way}_max_piat_ms")
            > numbers(rows, f"{way}_duration_ms") * (1 + CLOSE) + CLOSE
        ),
    )
    for flag in ("syn", "fin", "rst", "ack", "psh"):
        yield Rule(
            f"more packets{name} have the flag {flag.upper()} than there are",
            IMPOSSIBLE,
            (f"{way}_{flag}_packets", packets),
            lambda rows, flag=flag: (  # type: ignore[misc]
                numbers(rows, f"{way}_{flag}_packets") > numbers(rows, packets)
            ),
        )


def out_of_order(least: np.ndarray, mean: np.ndarray, most: np.ndarray) -> Flags:
    """Whether not least <= mean <= most, but for rounding; what is missing is in order."""
    room = CLOSE * np.maximum(np.abs(least), np.abs(most))
    return np.asarray((least > mean + room) | (mean > most + room) | (least > most))


def is_ipv4(addresses: np.ndarray) -> Flags:
    """Whether addresses of shape (rows, 16) are IPv4 (::ffff:a.b.c.d)."""
    return np.asarray((addresses[:, :12] == np.frombuffer(MAPPED, np.uint8)).all(axis=1))


def is_group_address(addresses: np.ndarray) -> Flags:
    """Whether they are multicast (224.0.0.0/4, ff00::/8) or 255.255.255.255."""
    four = is_ipv4(addresses)
    multicast = np.where(four, (addresses[:, 12] & 0xF0) == 0xE0, addresses[:, 0] == 0xFF)
    return np.asarray(multicast | (four & (addresses[:, 12:] == 255).all(axis=1)))


def is_loopback(addresses: np.ndarray) -> Flags:
    """Whether they are 127.0.0.0/8 or ::1."""
    one = (addresses[:, :15] == 0).all(axis=1) & (addresses[:, 15] == 1)
    return np.asarray(one | (is_ipv4(addresses) & (addresses[:, 12] == 127)))


def _payload_too_long(rows: pa.Table) -> Flags:
    payload = matrix(rows, "payload_length")
    length = np.abs(matrix(rows, "packet_length")[:, : payload.shape[1]])
    return np.asarray((payload[:, : length.shape[1]] > length).any(axis=1))


def _negative_gap(rows: pa.Table) -> Flags:
    return np.asarray((matrix(rows, "packet_gap_us") < 0).any(axis=1))


def _syn_and_fin(rows: pa.Table) -> Flags:
    both = SYN | FIN
    return np.asarray(((matrix(rows, "packet_flags") & both) == both).any(axis=1))


def _port_zero(rows: pa.Table) -> Flags:
    source, target = numbers(rows, "src_port"), numbers(rows, "dst_port")
    # both are zero where no header was seen, as in a fragment
    one = (source == 0) != (target == 0)
    return np.asarray(one & np.isin(numbers(rows, "protocol"), (TCP, UDP)))


def _ttl_zero(rows: pa.Table) -> Flags:
    """A flow begins with a packet from its sender; a packet has the TTL of its own way only."""
    zero = numbers(rows, "src2dst_ttl") == 0
    is_flow = "bidirectional_packets" in rows.schema.names
    return np.asarray(zero if is_flow else zero & (numbers(rows, "dst2src_ttl") == 0))
